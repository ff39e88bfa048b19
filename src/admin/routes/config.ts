import { Type } from 'typebox'
import { redactConfig } from '../../../config/redact.ts'
import { defineRoute } from '../route.ts'

export const showConfig = defineRoute({
  method: 'GET',
  path: '/config/',
  scope: 'read',
  summary: 'The settings in force, as they would stand in gateway.yaml; secrets are hidden',
  responseSchema: Type.Record(Type.String(), Type.Unknown()),
  handler: (_input, { settings }) => redactConfig(settings.current),
})

const paths = (description: string) => Type.Array(Type.String(), { description })

export const reloadConfig = defineRoute({
  method: 'POST',
  path: '/config/reload/',
  scope: 'operate',
  summary:
    'Reads gateway.yaml again, as SIGHUP does; a bad file is a 400 with every problem, and the old settings stay',
  responseSchema: Type.Object({
    changed: paths('settings that are different now'),
    needsRestart: paths('settings that the file has changed and that only a restart can change'),
  }),
  handler: (_input, { settings }) => settings.reload(),
})
