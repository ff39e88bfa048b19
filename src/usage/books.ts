// The books of one process: prices, ledger and budgets behind one door. Every exchange is booked here, exactly once.
import { join } from 'node:path'
import type { Config } from '../../config/schema.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Observation } from '../gemini/observe.ts'
import { type Calendar, createCalendar } from '../schedule/calendar.ts'
import type { Attempt, AttemptEnd } from './attempt.ts'
import type { Verdict } from './budget.ts'
import { type Call, createCall } from './call.ts'
import { budgetRulesOf, pricesOf } from './configured.ts'
import { estimatePrompt } from './estimate.ts'
import { canonicalTags, type Savings } from './event.ts'
import { createGate, type Gate } from './gate.ts'
import { type Journal, openJournal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { openLedgerFile } from './ledger-schema.ts'
import { createSqliteLedger } from './ledger-sqlite.ts'
import type { Source } from './outcome.ts'
import type { Prices } from './prices.ts'
import { savedByHit } from './savings.ts'
import {
  cacheStateOf,
  endOf,
  missedEnd,
  operationOf,
  outcomeOf,
  reportedUsage,
  savingUsage,
  sourceOf,
} from './settle.ts'
import type { TokenUsage } from './tokens.ts'

export interface BooksOptions {
  settings: () => Config
  onTrouble: (event: string, detail: object) => void
  /** Told when a model has no price of its own; once per model and day. */
  onUnpriced: (model: string) => void
}

/** One exchange on the books. */
export interface Account {
  readonly call: Call
  attempt: Attempt | null
  /** How the attempt under way ended, when it is not the one that answered. */
  missed: AttemptEnd | null
  /** What the call cost so far, all attempts together, nano-USD; null while unknown or without a price. */
  costNanoUsd: number | null
  /** What a hit spared, once it is reckoned. */
  savings: Savings | null
  /** The same in one sum, nano-USD. */
  savedNanoUsd: number
  /** Tokens of all attempts together; null when Gemini did no work for it. */
  spentTokens: number | null
}

export interface Books {
  readonly prices: Prices
  readonly ledger: Ledger
  readonly gate: Gate
  readonly calendar: Calendar
  /** A call to Gemini begins; one before it that did not answer is closed. */
  begin(exchange: Exchange): void
  /** The call to Gemini has failed with this status, or for this reason of ours; perhaps somebody else answers. */
  missed(exchange: Exchange, trouble: { status: number } | { reason: string }): void
  /** Memory is about to answer: its usage is known, and from here on what that spares. */
  answering(exchange: Exchange): void
  /** Everything about the exchange is known. */
  settle(exchange: Exchange, observation: Observation | null): void
  /** Asks the budgets whether the call may go on, and sets aside what it will probably take. */
  reserve(exchange: Exchange): Verdict
  /** The exchange goes on with another model than it asked for: what was asked stays on the books. */
  noteAsked(exchange: Exchange): void
  /** Fills the budgets from the ledger; before the first call. */
  restore(): Promise<void>
  /** Takes up changed prices and budgets. */
  reload(): void
  /** Commits and closes; a store that refuses leaves what waits in the journal. */
  close(): Promise<void>
}

const dayMs = 86_400_000
/** Enough for some hundred thousand bookings while the store is away. */
const journalBytes = 16 * 1024 * 1024

/** Opens the books in `dataDir`. A store that cannot be opened leaves them taking notes in the journal, or in memory within bounds. */
export function openBooks(options: BooksOptions): Books {
  const { onTrouble, onUnpriced } = options
  const config = options.settings()
  const calendar = createCalendar(config.metering.zone)
  const ledger = openLedger(config, calendar, onTrouble)
  let prices = pricesOf(config, onUnpriced)
  const gate = createGate({ rules: budgetRulesOf(config), ledger, calendar, onTrouble })

  function accountOf(exchange: Exchange): Account {
    if (exchange.account !== null) return exchange.account
    const call = createCall(
      {
        requestId: exchange.id,
        tenant: exchange.caller.keyId,
        tags: canonicalTags(exchange.tags),
        interaction: exchange.interaction ?? '',
        operation: operationOf(exchange),
        model: exchange.model ?? '',
      },
      { prices, book: ledger.record, now: Date.now },
    )
    exchange.account = {
      call,
      attempt: null,
      missed: null,
      costNanoUsd: null,
      savings: null,
      savedNanoUsd: 0,
      spentTokens: null,
    }
    return exchange.account
  }

  /** Closes the attempt under way; nothing when there is none. */
  function close(account: Account, end: AttemptEnd): void {
    if (account.attempt === null) return
    const { tokens, cost, usageSource } = account.attempt.finish(end)
    account.attempt = null
    account.missed = null
    account.costNanoUsd = cost === null ? null : (account.costNanoUsd ?? 0) + cost.total
    if (usageSource === 'none') return
    const spent = tokens.prompt + tokens.candidates + tokens.thoughts + tokens.toolUse
    account.spentTokens = (account.spentTokens ?? 0) + spent
  }

  /** Reckons what a hit spares, once. */
  function reckon(account: Account, source: Source, usage: TokenUsage, model: string): Savings {
    if (account.savings !== null) return account.savings
    const savings = savedByHit(source, usage, prices.lookup(model, Date.now()))
    account.savings = savings
    account.savedNanoUsd = savings.exact + savings.semantic + savings.coalesced
    return savings
  }

  function settle(exchange: Exchange, observation: Observation | null): void {
    const account = accountOf(exchange)
    const source = sourceOf(exchange, account)
    const outcome = outcomeOf(exchange, observation)
    const isAnswered = exchange.source !== 'cache' && exchange.source !== 'coalesced'
    close(account, isAnswered ? endOf(exchange, outcome, observation) : (account.missed ?? missedEnd(exchange, null)))
    account.costNanoUsd ??= exchange.attempts === 0 ? 0 : null
    const usage = savingUsage(exchange, source, observation)
    const savings = usage === null ? null : reckon(account, source, usage, exchange.model ?? '')
    // A client that left had nothing of it.
    if (savings === null) account.savedNanoUsd = 0
    account.call.finish({
      source,
      outcome,
      status: exchange.statusCode,
      error: exchange.failure ?? observation?.errorTail?.status ?? '',
      cache: cacheStateOf(exchange),
      ...(savings === null ? {} : { savings }),
      ...(usage === null ? {} : { savedTokens: reportedUsage(usage) }),
      // Memory had the answer, yet it was asked again.
      repeat: exchange.cache === 'shadow',
      latencyMs: performance.now() - exchange.startedAt,
      ...(exchange.answeredAt === null ? {} : { firstByteMs: exchange.answeredAt - exchange.startedAt }),
    })
    if (account.spentTokens === null) exchange.reservation?.release()
    else exchange.reservation?.settle({ tokens: account.spentTokens, nanoUsd: account.costNanoUsd ?? 0 })
  }

  function reserve(exchange: Exchange): Verdict {
    const estimatedTokens = estimatePrompt(exchange.body?.length ?? 0)
    const price = prices.lookup(exchange.model ?? '', Date.now())
    // As much output as prompt: more than most calls take, so that a budget errs on the careful side.
    const rate = price === null ? 0 : price.rates.input.text + (price.rates.output?.text ?? 0)
    return gate.reserve({
      tenant: exchange.caller.keyId,
      tags: exchange.tags,
      estimatedTokens,
      estimatedNanoUsd: Math.round((estimatedTokens * rate) / 1_000_000),
    })
  }

  return {
    get prices() {
      return prices
    },
    ledger,
    gate,
    calendar,
    begin(exchange) {
      const account = accountOf(exchange)
      close(account, account.missed ?? missedEnd(exchange, null))
      account.attempt = account.call.attempt(exchange.model ?? undefined)
    },
    missed(exchange, trouble) {
      accountOf(exchange).missed = missedEnd(exchange, trouble)
    },
    answering(exchange) {
      if (exchange.cache !== 'exact' || exchange.rememberedUsage === null) return
      reckon(accountOf(exchange), 'exact', exchange.rememberedUsage, exchange.model ?? '')
    },
    settle,
    reserve,
    noteAsked: (exchange) => void accountOf(exchange),
    restore: gate.restore,
    reload() {
      prices = pricesOf(options.settings(), onUnpriced)
      void gate.reload(budgetRulesOf(options.settings()))
    },
    async close() {
      try {
        await ledger.close()
      } catch (error) {
        onTrouble('the usage file could not be written at the end; the journal keeps what is missing', { err: error })
      }
    },
  }
}

function openLedger({ dataDir, metering }: Config, calendar: Calendar, onTrouble: BooksOptions['onTrouble']): Ledger {
  return createSqliteLedger({
    open: () =>
      openLedgerFile(join(dataDir, 'usage.db'), (moved, cause) =>
        onTrouble('a broken usage file was put aside', { moved, err: cause }),
      ),
    journal: journalIn(dataDir, onTrouble),
    calendar,
    retention: {
      eventDays: metering.keepEvents / dayMs,
      hourDays: metering.keepHours / dayMs,
      dayDays: metering.keepDays / dayMs,
    },
    onError: (error) => onTrouble('the usage file cannot be written; bookings wait in the journal', { err: error }),
  })
}

/** null where nothing can be written: the bookings of the last moments are then lost with the process, and that is all. */
function journalIn(dataDir: string, onTrouble: BooksOptions['onTrouble']): Journal | null {
  try {
    return openJournal(join(dataDir, 'usage.journal'), journalBytes)
  } catch (error) {
    onTrouble('the usage journal cannot be opened; bookings wait in memory alone', { err: error })
    return null
  }
}
