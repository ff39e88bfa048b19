import { Type } from 'typebox'
import { defineRoute } from '../route.ts'

const entry = Type.Object({
  at: Type.String({ format: 'date-time' }),
  id: Type.String({ description: 'x-castor-request-id of the call' }),
  by: Type.String({ description: 'token, read token, session, loopback or nobody' }),
  from: Type.String({ description: 'address of the client' }),
  method: Type.String(),
  route: Type.String(),
  status: Type.Integer(),
  outcome: Type.Enum(['done', 'refused', 'failed']),
  reason: Type.Union([Type.String(), Type.Null()]),
})

export const showAudit = defineRoute({
  method: 'GET',
  path: '/audit/',
  scope: 'read',
  summary: 'The latest calls that changed something or tried to, the latest first; the log has all of them',
  querySchema: Type.Object(
    { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'at most so many; default 100' })) },
    { additionalProperties: false },
  ),
  responseSchema: Type.Object({ entries: Type.Array(entry) }),
  handler: ({ query }, { desk }) => ({ entries: desk.audit.entries(query.limit ?? 100) }),
})
