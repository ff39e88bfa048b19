/** A batch as the API shows it: a long-running operation. */
import { rfc3339 } from './duration.ts'
import type { JsonObject } from './json.ts'
import type { Model } from './models.ts'
import type { Route } from './route.ts'

/** One batch and how far it is. */
export interface Batch {
  name: string
  owner: string
  model: Model
  route: Route
  embeddings: boolean
  displayName: string
  /** Requests, or the lines of the input file. */
  items: JsonObject[]
  fromFile: boolean
  createdMs: number
  endedMs: number
  polls: number
  cancelled: boolean
  /** Made when the batch ends. */
  output: JsonObject | undefined
  failed: number
}

export type BatchState = 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'CANCELLED' | 'EXPIRED'

const prefix = 'type.googleapis.com/google.ai.generativelanguage.v1main.'

/** The operation that create, get and list answer with; field order as recorded. */
export function batchResource(batch: Batch, state: BatchState): JsonObject {
  const kind = batch.embeddings ? 'EmbedContentBatch' : 'GenerateContentBatch'
  const count = batch.items.length
  const stats: JsonObject = { requestCount: String(count) }
  if (state === 'SUCCEEDED') {
    if (count > batch.failed) stats.successfulRequestCount = String(count - batch.failed)
    if (batch.failed > 0) stats.failedRequestCount = String(batch.failed)
  } else stats.pendingRequestCount = String(count)
  const metadata: JsonObject = {
    '@type': prefix + kind,
    model: `models/${batch.model.id}`,
    displayName: batch.displayName,
  }
  if (batch.output) metadata.output = batch.output
  metadata.createTime = rfc3339(batch.createdMs)
  if (batch.endedMs > 0) metadata.endTime = rfc3339(batch.endedMs)
  metadata.updateTime = rfc3339(batch.endedMs || batch.createdMs)
  metadata.batchStats = stats
  metadata.state = `BATCH_STATE_${state}`
  metadata.name = batch.name
  const operation: JsonObject = { name: batch.name, metadata }
  if (state === 'PENDING' || state === 'RUNNING') return operation
  operation.done = true
  if (batch.output) operation.response = { '@type': `${prefix}${kind}Output`, ...batch.output }
  else operation.error = { code: state === 'CANCELLED' ? 1 : 4, message: `The batch was ${state.toLowerCase()}.` }
  return operation
}
