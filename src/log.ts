import { type DestinationStream, type Logger, pino } from 'pino'

/**
 * The log: JSON lines on standard output, gathered into blocks (a write per line would cost more than the line). `flushLog` before the
 * process ends.
 * @param level `log.level`
 */
export function createLogger(level: string, destination: DestinationStream = blocks()): Logger {
  return pino({ level, base: null, serializers: { err: describeError } }, destination)
}

let open: ReturnType<typeof pino.destination> | null = null
let timer: NodeJS.Timeout | null = null

/** Lines wait at most this long in memory. */
const flushEveryMs = 250

function blocks(): DestinationStream {
  if (open === null) {
    open = pino.destination({ dest: 1, sync: false, minLength: 8192 })
    timer = setInterval(() => open?.flush(), flushEveryMs)
    timer.unref()
  }
  return open
}

/** Writes what is still in memory, now. */
export function flushLog(): void {
  if (timer !== null) clearInterval(timer)
  try {
    open?.flushSync()
  } catch {
    // Standard output is gone: there is nowhere left to write to, and the process is about to end.
  }
}

/** An error in the log: never its properties at large, since libraries hang requests, headers and so keys on them. */
export function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, code, cause } = error as Error & { code?: unknown }
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined ? {} : { cause: describeError(cause) }),
  }
}
