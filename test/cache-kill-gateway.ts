/** A gateway process that loads all its code and then waits to be told its settings file: loading is most of a start. */
import { startGateway } from '../src/serve.ts'

process.once('message', async (file: string) => {
  const { url } = await startGateway({ file, env: {} })
  process.send?.(url)
})
process.once('disconnect', () => process.exit(0))
