/** One call that changed something, tried to, or was refused. Never a token, never a body. */
export interface AuditEntry {
  /** ISO 8601, UTC */
  at: string
  /** the call's x-castor-request-id */
  id: string
  by: string
  /** address of the client */
  from: string
  method: string
  /** route template */
  route: string
  status: number
  outcome: 'done' | 'refused' | 'failed'
  /** reason of the error, null when there was none */
  reason: string | null
}

export interface AuditTrail {
  record(entry: AuditEntry): void
  /** The latest first. */
  entries(limit: number): AuditEntry[]
}

/** The latest entries in memory; the log has them all. */
export function createAuditTrail(max = 500): AuditTrail {
  const kept: AuditEntry[] = []
  return {
    record(entry) {
      kept.push(entry)
      if (kept.length > max) kept.shift()
    },
    entries: (limit) => kept.slice(-limit).reverse(),
  }
}

/** How a call ended, by the status of its answer. */
export function auditOutcome(status: number): AuditEntry['outcome'] {
  if (status < 400) return 'done'
  return status < 500 ? 'refused' : 'failed'
}
