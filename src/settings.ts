import { ConfigError, type ConfigSource } from '../config/load.ts'
import { type Reload, reloadConfig } from '../config/reload.ts'
import type { Config } from '../config/schema.ts'

/**
 * The settings in force. A reload replaces them as a whole between two requests; whoever derives something from them (tables, limits)
 * does so again when told.
 */
export interface Settings {
  readonly current: Config
  /** Puts new settings in force and tells the listeners, in the order in which they asked. */
  replace(config: Config): void
  onChange(listener: (config: Config, before: Config) => void): void
  /**
   * Reads them again from where they came, and puts them in force.
   * @throws ConfigError when they are wrong, or did not come from anywhere that could be read again; the old ones then stay
   */
  reload(): Pick<Reload, 'changed' | 'needsRestart'>
}

/** @param source where they came from; null when they were handed over as an object */
export function createSettings(config: Config, source: ConfigSource | null = null): Settings {
  let current = config
  const listeners: ((config: Config, before: Config) => void)[] = []
  function replace(next: Config): void {
    const before = current
    current = next
    for (const listener of listeners) listener(next, before)
  }
  return {
    get current() {
      return current
    },
    replace,
    onChange(listener) {
      listeners.push(listener)
    },
    reload() {
      if (source === null) throw noSource()
      const { config: next, changed, needsRestart } = reloadConfig(current, source)
      replace(next)
      return { changed, needsRestart }
    },
  }
}

function noSource(): ConfigError {
  const message = 'did not come from a file, so there is nothing to read again'
  return new ConfigError([
    { file: 'settings', line: 0, column: 0, path: '', message, fix: 'start the gateway with --config' },
  ])
}
