/** Lists in pages: pageSize and pageToken, the token naming the last item shown. */

export interface Page<Item> {
  shown: Item[]
  /** Absent on the last page. */
  nextPageToken: string | undefined
}

/** The page a query asks for; at most `most` items. A token whose item is gone starts again. */
export function pageOf<Item>(
  items: Item[],
  query: URLSearchParams,
  nameOf: (item: Item) => string,
  most: number,
): Page<Item> {
  const size = Math.min(most, Math.max(1, Number(query.get('pageSize') ?? 50) || 50))
  const token = query.get('pageToken')
  const after = token ? Buffer.from(token, 'base64').toString() : undefined
  const start = after === undefined ? 0 : items.findIndex((item) => nameOf(item) === after) + 1
  const shown = items.slice(start, start + size)
  const last = shown.at(-1)
  const more = last !== undefined && start + size < items.length
  return { shown, nextPageToken: more ? Buffer.from(nameOf(last)).toString('base64') : undefined }
}
