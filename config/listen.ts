/** An address to listen on, as `node:net` takes it. */
export interface Listen {
  /** without the brackets of an IPv6 address */
  host: string
  port: number
}

/** Reads `admin.listen`, whose form the schema has checked: `127.0.0.1:9090`, `[::1]:9090`. */
export function splitListen(text: string): Listen {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}
