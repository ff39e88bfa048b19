// The budgets in force: reserve before, settle after, and nothing forgotten when a reload or a restart begins them anew.
import type { Calendar } from '../schedule/calendar.ts'
import { type BudgetRule, subjectOf } from './account.ts'
import { type Ask, type Budgets, createBudgets, type Verdict } from './budget.ts'
import type { Ledger } from './ledger.ts'
import { restoreBudgets } from './restore.ts'
import type { WindowKind } from './window.ts'

export interface GateOptions {
  rules: BudgetRule[]
  ledger: Ledger
  calendar: Calendar
  now?: () => number
  onTrouble: (event: string, detail: object) => void
}

export interface Gate {
  /** Whether there is anything to ask. */
  readonly isOpen: boolean
  readonly budgets: Budgets
  readonly rules: readonly BudgetRule[]
  reserve(ask: Ask): Verdict
  /** When the window that a money limit counts in begins anew, ms from now. */
  untilAnew(kind: WindowKind): number
  /** Takes up other rules; what was spent under the old ones stays spent. Does nothing when the rules are the same. */
  reload(rules: BudgetRule[]): Promise<void>
  /** Reads from the ledger what the running day and month have spent. A ledger that cannot be read is told of, and they begin at zero. */
  restore(): Promise<void>
}

/** Opens the gate with empty accounts: `restore` fills them. */
export function createGate(options: GateOptions): Gate {
  const { ledger, calendar, now = Date.now, onTrouble } = options
  let rules = options.rules
  let budgets = open()

  function open(): Budgets {
    return createBudgets({
      rules,
      calendar,
      now,
      onCrossed: (breach, account, kind) =>
        onTrouble(`a budget is ${kind === 'soft' ? 'nearly used up' : 'used up'}`, { ...breach, account }),
    })
  }

  async function restore(): Promise<void> {
    if (rules.every((rule) => rule.nanoUsdPerDay === undefined && rule.nanoUsdPerMonth === undefined)) return
    try {
      await restoreBudgets(budgets, rules, ledger, calendar, now())
    } catch (error) {
      // Calls that cannot be counted back are better than none: failing open is what a gateway in the way owes its clients.
      onTrouble('budgets begin at zero: the ledger cannot be read', { err: error })
    }
  }

  /** Charges a call to accounts that were opened while it ran. */
  function charge(ask: Ask, nanoUsd: number): void {
    for (const rule of rules) {
      const subject = subjectOf(rule, ask)
      if (subject === null) continue
      budgets.restore(rule.name, subject, 'day', nanoUsd)
      budgets.restore(rule.name, subject, 'month', nanoUsd)
    }
  }

  return {
    get isOpen() {
      return rules.length > 0
    },
    get budgets() {
      return budgets
    },
    get rules() {
      return rules
    },
    reserve(ask) {
      const asked = budgets
      const verdict = asked.reserve(ask)
      if (!verdict.allowed) return verdict
      const { reservation } = verdict
      return {
        ...verdict,
        reservation: {
          release: reservation.release,
          settle(actual) {
            reservation.settle(actual)
            if (asked !== budgets) charge(ask, actual.nanoUsd)
          },
        },
      }
    },
    untilAnew(kind) {
      const at = now()
      const start = kind === 'day' ? calendar.dayStart(at) : calendar.monthStart(at)
      // 32 days after its first day every month is over, and none has two of them.
      const end = kind === 'day' ? calendar.addDays(start, 1) : calendar.monthStart(calendar.addDays(start, 32))
      return Math.max(1, end - at)
    },
    async reload(next) {
      if (JSON.stringify(next) === JSON.stringify(rules)) return
      rules = next
      budgets = open()
      await restore()
    },
    restore,
  }
}
