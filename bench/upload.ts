import type { Cast } from './cast.ts'
import { figure, type Outcome } from './outcome.ts'
import { uploadPath } from './samples.ts'

/** How far a large upload raises the resident set, with an upstream that keeps up and with one that does not. */
export async function benchUpload(cast: Cast, { bytes }: { bytes: number }): Promise<Outcome> {
  const rows: string[][] = []
  let highest = 0
  for (const name of ['castor']) {
    for (const path of [uploadPath, `${uploadPath}?slow`]) {
      const proxy = await cast.proxy(name)
      // The first upload of a process pays for code and buffers that stay.
      await cast.load.ask('upload', { port: proxy.port, path: uploadPath, bytes: 1_000_000 })
      await proxy.ask('memory')
      const before = await proxy.ask<number>('watch')
      const seconds = await cast.load.ask<number>('upload', { port: proxy.port, path, bytes }, 120_000)
      const rise = (await proxy.ask<number>('peak')) - before
      highest = Math.max(highest, rise)
      rows.push([
        path.endsWith('slow') ? 'slow' : 'fast',
        figure(before / 1e6),
        figure(rise / 1e6),
        figure(bytes / 1e6 / seconds),
      ])
      await proxy.stop()
    }
  }
  return {
    title: `An upload of ${bytes / 1e6} MB through castor`,
    columns: ['upstream', 'RSS before, MB', 'highest rise, MB', 'MB/s'],
    rows,
    promised: [{ what: 'an upload raises RSS by', value: highest / 1e6, limit: 30, unit: 'MB' }],
  }
}
