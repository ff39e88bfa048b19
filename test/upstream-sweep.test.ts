import t from 'tap'
import { createSweep } from '../src/upstream/sweep.ts'

const pieceBytes = 64 * 1024
const pieces = 1600

t.test('what the pieces of a large upload leave behind does not gather', async (t) => {
  const sweep = createSweep()
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  for (let piece = 0; piece < pieces; piece++) {
    Buffer.allocUnsafeSlow(pieceBytes)
    sweep(pieceBytes)
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }
  t.ok(most < 16 * 1024 * 1024, `${most} bytes at most, of ${pieceBytes * pieces} that went by`)
})

t.test('nothing else can call the collector afterwards', async (t) => {
  createSweep()(64 * 1024 * 1024)
  t.equal((globalThis as { gc?: unknown }).gc, undefined)
})
