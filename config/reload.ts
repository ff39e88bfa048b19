import { isDeepStrictEqual } from 'node:util'
import { leaf } from './defaults.ts'
import { ConfigError, type ConfigSource, loadConfig } from './load.ts'
import { conflicts } from './rules.ts'
import { type Config, configSchema } from './schema.ts'
import { settings, valueAt } from './settings.ts'

/** What a reload brings. */
export interface Reload {
  /** The settings to use from now on: the new ones, except for those that need a restart, which keep their value. */
  config: Config
  /** Paths of the settings that are different now, in the order of the documentation. */
  changed: string[]
  /** Paths of the settings that the file has changed but that only a restart can change. */
  needsRestart: string[]
}

/**
 * Reads the settings again. Throws ConfigError when they are wrong, also when they are right only together with a setting
 * that cannot change without a restart (no admin token any more, while the gateway still listens to everybody);
 * `current` then stays in force. Changes nothing itself.
 */
export function reloadConfig(current: Config, source: ConfigSource): Reload {
  const config = loadConfig(source)
  const changed: string[] = []
  const needsRestart: string[] = []
  for (const { path, schema } of settings(configSchema, false)) {
    if (isDeepStrictEqual(valueAt(current, path), valueAt(config, path))) continue
    if (leaf(schema).castor?.restart) {
      needsRestart.push(path)
      keep(config, current, path)
    } else changed.push(path)
  }
  const file = source.file ?? 'settings'
  const wrong = conflicts(config).map(({ paths, message, fix }) => {
    const kept = paths.filter((path) => needsRestart.includes(path)).join(', ')
    const place = { file, line: 0, column: 0, path: paths[0] }
    return {
      ...place,
      message: `${message} (${kept} changes only with a restart)`,
      fix: `${fix}; or restart the gateway`,
    }
  })
  if (wrong.length > 0) throw new ConfigError(wrong)
  return { config, changed, needsRestart }
}

function keep(config: Config, current: Config, path: string): void {
  const at = path.lastIndexOf('.')
  const [section, name] = at < 0 ? ['', path] : [path.slice(0, at), path.slice(at + 1)]
  const owner = (section === '' ? config : valueAt(config, section)) as Record<string, unknown>
  owner[name] = valueAt(current, path)
}
