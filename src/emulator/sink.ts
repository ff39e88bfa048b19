/** Where an answer's bytes go: the response, gzip in front of it, or either with a TCP reset waiting. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, createGzip } from 'node:zlib'

export interface Sink {
  /** Undefined when more may follow at once, else resolves when it may. */
  write(bytes: string | Buffer): Promise<void> | undefined
  end(): void
}

/** Straight to the response, with back-pressure. */
export function plainSink(response: ServerResponse): Sink {
  return {
    write: (bytes) => (response.write(bytes) ? undefined : new Promise((resolve) => response.once('drain', resolve))),
    end: () => void response.end(),
  }
}

/** Flushes each event, as Google's front end does: a reader sees events as they come. */
export function gzipSink(response: ServerResponse): Sink {
  const gzip = createGzip()
  gzip.pipe(response)
  response.once('close', () => gzip.destroy())
  return {
    write: (bytes) =>
      new Promise((resolve) => {
        gzip.write(bytes)
        gzip.flush(constants.Z_SYNC_FLUSH, () => resolve())
      }),
    end: () => void gzip.end(),
  }
}

/** Does the caller take gzip? */
export function offersGzip(request: IncomingMessage): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/.test(String(request.headers['accept-encoding'] ?? ''))
}

/** Waits, but not past `gone`, and keeps no process alive. */
export function sleep(ms: number, gone: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    timer.unref()
    void gone.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
