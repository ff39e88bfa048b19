import type { AddressInfo, Server } from 'node:net'

/** What a measured process answers over IPC. Figures come from inside, where they are exact. */
type Answers = Record<string, (input: never) => unknown>

let watch: NodeJS.Timeout | null = null
let peakRss = 0

const figures: Answers = {
  /** user and system time of this process so far, µs */
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  /** bytes after a full collection */
  memory: async () => {
    // What is written down in batches a little later is not yet garbage.
    await new Promise((resolve) => setTimeout(resolve, 500))
    for (let round = 0; round < 3; round++) {
      globalThis.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return process.memoryUsage()
  },
  /** begins to watch how high the resident set rises */
  watch: () => {
    peakRss = process.memoryUsage.rss()
    watch ??= setInterval(() => {
      peakRss = Math.max(peakRss, process.memoryUsage.rss())
    }, 5)
    return peakRss
  },
  /** highest resident set since `watch`, bytes */
  peak: () => {
    if (watch !== null) clearInterval(watch)
    watch = null
    return Math.max(peakRss, process.memoryUsage.rss())
  },
}

/**
 * Tells the parent that this process is ready, and answers its questions from then on.
 * @param port where it listens; 0 for none
 */
export function answerQuestions(port: number, own: Answers = {}): void {
  const answers: Answers = { ...figures, ...own }
  process.on('message', async ({ id, question, input }: { id: number; question: string; input: never }) => {
    try {
      const answer = answers[question]
      if (answer === undefined) throw new Error(`unknown question ${question}`)
      process.send?.({ id, value: await answer(input) })
    } catch (error) {
      process.send?.({ id, error: (error as Error).message })
    }
  })
  process.on('disconnect', () => process.exit(0))
  // A proxy under a CPU profile writes it at its exit.
  process.on('SIGTERM', () => process.exit(0))
  process.send?.({ id: 0, value: port })
}

/** Lets a server listen on a free port and reports it. */
export function listenAndAnswer(server: Server): void {
  server.listen(0, '127.0.0.1', () => answerQuestions((server.address() as AddressInfo).port))
}
