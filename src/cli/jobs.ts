import { Command } from 'commander'
import { callAdmin } from './admin-call.ts'
import { telling } from './cli-error.ts'
import { addressOf, type GatewayOptions, withGateway } from './gateway-option.ts'

interface Run {
  job: string
  startedAt: string
  owner: string
  outcome: string
  detail: string
}

interface Jobs {
  jobs: { name: string; pattern: string; zone: string; nextAt: string | null; last: Run | null }[]
  history: Run[]
}

/** `castor jobs`: what runs by the clock in a running gateway; exit 1 when a job that was run failed. */
export function jobsCommand(): Command {
  return withGateway(
    new Command('jobs')
      .description('what runs by the clock, when next, and how it went')
      .option('--run <job>', 'run this job now')
      .option('--json', 'for programs'),
  ).action((options: GatewayOptions & { run?: string; json?: boolean }) => telling(() => run(options)))
}

async function run({ run: job, json, ...gateway }: GatewayOptions & { run?: string; json?: boolean }): Promise<void> {
  const address = addressOf(gateway)
  if (job !== undefined) {
    // The admin API's own answers: their types are those of its handlers.
    const done = (await callAdmin(address, '/jobs/run/', { job })) as Run
    process.stdout.write(json ? `${JSON.stringify(done)}\n` : `${line(done)}\n`)
    if (done.outcome === 'failed') process.exitCode = 1
    return
  }
  const answer = (await callAdmin(address, '/jobs/')) as Jobs
  process.stdout.write(json ? `${JSON.stringify(answer)}\n` : textOf(answer))
}

function textOf({ jobs, history }: Jobs): string {
  if (jobs.length === 0) return 'Nothing runs by the clock: every job is off.\n'
  const rows = jobs.map(
    ({ name, pattern, zone, nextAt, last }) =>
      `${name.padEnd(14)} ${pattern.padEnd(14)} ${zone}  next ${nextAt ?? 'never'}  ${last === null ? 'has not run yet' : `last ${last.outcome}: ${last.detail}`}`,
  )
  return `${[...rows, ...(history.length === 0 ? [] : ['', 'Latest runs']), ...history.slice(0, 10).map(line)].join('\n')}\n`
}

function line({ job, startedAt, outcome, detail, owner }: Run): string {
  return `${startedAt}  ${job.padEnd(14)} ${outcome.padEnd(7)} ${detail}  (${owner})`
}
