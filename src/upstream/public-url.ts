/** Where a client reaches this gateway: scheme, host and path prefix, without trailing slash. */
export interface PublicUrlSource {
  /** `server.publicUrl`, '' when not set */
  configured: string
  /** scheme and host of the request, as the trusted proxies say */
  protocol: string
  host: string
  /** prefix under which the gateway is mounted: its own, or the trusted proxy's `X-Forwarded-Prefix` */
  prefix: string
}

export function publicUrl({ configured, protocol, host, prefix }: PublicUrlSource): string {
  return configured === '' ? `${protocol}://${host}${prefix}` : configured
}

/**
 * Moves an absolute URL that Google names to the gateway, keeping its path and query, so that the client's next step comes through here
 * and its key does not go to Google by itself.
 * @param url value of `x-goog-upload-url`, `x-goog-upload-control-url` or `Location`
 * @param base see publicUrl
 * @param edit adds to or takes from the query
 * @returns null when `url` is not an absolute http(s) URL
 */
export function movedUrl(url: string, base: string, edit: (query: URLSearchParams) => void): string | null {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return null
  const { pathname, searchParams } = new URL(url)
  edit(searchParams)
  const query = searchParams.toString()
  return `${base}${pathname}${query === '' ? '' : `?${query}`}`
}
