import type { TObject, TSchema } from 'typebox'
import { errorTable } from '../gemini/errors.ts'
import { version } from '../version.ts'
import type { AdminRoute } from './route.ts'

const errorResponses = {
  400: 'CASTOR_BAD_PARAMETER',
  401: 'CASTOR_ADMIN_UNAUTHORIZED',
  403: 'CASTOR_ADMIN_FORBIDDEN',
  429: 'CASTOR_ADMIN_RATE_LIMITED',
} as const

/**
 * The OpenAPI 3.1 document of the admin API. TypeBox schemas are JSON Schema 2020-12, which is what 3.1 takes.
 * @param prefix `admin.prefix`, under the path where the gateway is mounted
 */
export function openApi(routes: readonly AdminRoute[], prefix: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = prefix + route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Castor admin API',
      version,
      description: 'For the operators of a Castor gateway. Every path answers without its last slash too.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'admin.token, or admin.readToken for what has scope read',
        },
        session: { type: 'apiKey', in: 'cookie', name: 'castor_session', description: 'a browser signed in at /login' },
      },
      schemas: { Error: errorSchema },
      responses: Object.fromEntries(Object.values(errorResponses).map((reason) => [reason, errorResponse(reason)])),
    },
  }
}

function operation(route: AdminRoute): object {
  const { summary, scope, status = 200, bodySchema, produces = 'application/json', responseSchema } = route
  const parameters = [...pathParameters(route.path), ...queryParameters(route.querySchema)]
  return {
    operationId: operationId(route),
    summary,
    description: `Needs scope ${scope}.`,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(bodySchema === undefined ? {} : { requestBody: { content: { 'application/json': { schema: bodySchema } } } }),
    responses: {
      [status]: {
        description: 'Done.',
        content: { [produces]: responseSchema === undefined ? {} : { schema: responseSchema } },
      },
      ...Object.fromEntries(
        Object.entries(errorResponses).map(([status, reason]) => [
          status,
          { $ref: `#/components/responses/${reason}` },
        ]),
      ),
    },
  }
}

/** `getServiceHealth`, `postBatchIdCancel` */
function operationId({ method, path }: AdminRoute): string {
  const words = path.split(/[/:_-]+/).filter((word) => word !== '')
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

function pathParameters(path: string): object[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters(schema: TObject | undefined): object[] {
  // What Type.Object keeps beside its properties.
  const { properties = {}, required = [] } = (schema ?? {}) as {
    properties?: Record<string, TSchema>
    required?: readonly string[]
  }
  return Object.entries(properties).map(([name, value]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: value,
  }))
}

function errorResponse(reason: keyof typeof errorTable): object {
  const { when } = errorTable[reason]
  return { description: when, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } }
}

/** google.rpc.Status as JSON, see docs/errors.md. */
const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'status'],
      properties: {
        code: { type: 'integer' },
        message: { type: 'string' },
        status: { type: 'string' },
        details: { type: 'array', items: { type: 'object' } },
      },
    },
  },
}
