/** A report for people: pools, ways of acting, rails, and what is too little to judge by. */
import type { ApproachName, Scope } from '../store/report/report.ts'
import { type Approach, FAILURES_MIN, type Share } from '../store/report/tally.ts'
import { DAY_MS, formatDuration } from '../core/time.ts'
import { formatNumber, right, table } from './output.ts'
import type { PrintedReport } from './report.ts'

const UNKNOWN = '–'

export function reportText(report: PrintedReport): string {
  const { whole, pools } = report
  const scopes = pools.length === 1 ? pools : [...pools, whole]
  const shown = pools.length === 1 ? pools[0] : whole
  return [
    headOf(report),
    poolTable(scopes),
    'Ways of acting, over the same days:\n',
    approachTable(shown, report.ruleProbability),
    ...(shown.refusals.length === 0 ? [] : ['Refused:\n', railTable(shown)]),
    remarksOf(report, shown)
      .map((remark) => `- ${remark}\n`)
      .join(''),
  ].join('\n')
}

function headOf({ fromMs, toMs, days, journalFromMs }: PrintedReport): string {
  const from = new Date(fromMs).toISOString()
  const begins = journalFromMs === null ? 'it is empty' : new Date(journalFromMs).toISOString()
  return `${from} to ${new Date(toMs).toISOString()} (${formatNumber(days)} days); first line of the journal: ${begins}\n`
}

function poolTable(scopes: readonly Scope[]): string {
  const rows = scopes.map((scope) => {
    const { pool, mode, nodes, nodeDays, failures, workloads, actedNodes, heldNodes } = scope
    // What the mode held back was foreseen all the same.
    const { enforced } = scope.approaches
    return [
      pool ?? 'all',
      mode ?? 'mixed',
      formatNumber(nodes),
      formatNumber(nodeDays),
      formatNumber(failures),
      shareText(enforced.foreseen, enforced.recall),
      enforced.leadTimeMs === null ? UNKNOWN : minutes(enforced.leadTimeMs.median),
      formatNumber(actedNodes),
      formatNumber(heldNodes),
      formatNumber(workloads.movedInTime),
      formatNumber(workloads.interrupted),
      workloads.recoveryMs === null ? UNKNOWN : minutes(workloads.recoveryMs),
    ]
  })
  const [pool, mode, ...numbers] = [
    'pool',
    'mode',
    'nodes',
    'node-days',
    'failures',
    'foreseen',
    'lead',
    'acted on',
    'held back',
    'moved in time',
    'interrupted',
    'back after',
  ]
  return table([pool, mode].map((title) => ({ title })).concat(numbers.map(right)), rows)
}

function approachTable({ approaches }: Scope, ruleProbability: number): string {
  const names: readonly (readonly [ApproachName, string])[] = [
    ['nothing', 'doing nothing'],
    ['threshold', `probability ${ruleProbability} or more`],
    ['asItRan', 'as it ran'],
    ['enforced', 'in mode enforce'],
  ]
  const rows = names.map(([name, title]) => {
    const each = approaches[name]
    const { migrations, falseMigrations, falsePer1000NodeDays, outageMinutes, cost, saved } = each
    const acts = name !== 'nothing'
    return [
      title,
      acts ? shareText(each.foreseen, each.recall) : '0',
      formatNumber(migrations),
      formatNumber(falseMigrations),
      acts ? rangeText(falsePer1000NodeDays) : '0',
      outageMinutes === null ? UNKNOWN : formatNumber(Math.round(outageMinutes)),
      cost === null ? UNKNOWN : formatNumber(cost),
      saved === null ? UNKNOWN : formatNumber(saved),
    ]
  })
  const numbers = [
    'foreseen',
    'nodes emptied',
    'in vain',
    'in vain per 1,000 node-days',
    'outage, workload-min',
    'cost',
    'saved',
  ]
  return table([{ title: 'way' }, ...numbers.map(right)], rows)
}

function railTable({ refusals }: Scope): string {
  const rows = refusals.map((each) => [
    each.rail,
    formatNumber(each.refusals),
    formatNumber(each.foretold),
    formatNumber(each.failed),
  ])
  const numbers = ['refusals', 'foretold failures held', 'of those failed']
  return table([{ title: 'rail' }, ...numbers.map(right)], rows)
}

function remarksOf(report: PrintedReport, shown: Scope): readonly string[] {
  const { approaches, failures, isEnough, heldNodes, workloads } = shown
  const remarks = [
    `"probability ${report.ruleProbability} or more" reads the same predictions, asks no rail and moves everything in time, so its figures are a best case.`,
  ]
  if (report.retentionMs < report.days * DAY_MS) {
    const kept = formatDuration(report.retentionMs)
    remarks.push(`Topics keep ${kept} (topology.retention), so what came before is not counted.`)
  }
  if (!isEnough) remarks.push(tooFew(failures, approaches.enforced))
  if (heldNodes > 0) {
    remarks.push(
      'What the mode held back was asked of no rail behind it, so "in mode enforce" is a best case too.',
    )
  }
  if (approaches.nothing.cost === null) {
    remarks.push(
      'No costs: set acting_point = { action_cost, failure_cost } in the policy, or give --action-cost and --failure-cost.',
    )
  }
  const { interrupted, recovered } = workloads
  if (interrupted > recovered) {
    remarks.push(
      `Of ${interrupted} interrupted workloads ${recovered} ran again by the end; only their outages are counted.`,
    )
  }
  if (approaches.nothing.outageMinutes === null) {
    remarks.push('No outage is known: no placement shows a workload that failed and ran again.')
  }
  const { pendingMigrations } = approaches.enforced
  if (pendingMigrations > 0) {
    remarks.push(
      `Too young to be judged, because their horizon is not over: ${pendingMigrations} of the nodes emptied.`,
    )
  }
  if (report.strangerFailures > 0) {
    remarks.push(
      `${report.strangerFailures} failures are of nodes that never joined or were seen; they are in no pool and not counted.`,
    )
  }
  return remarks
}

function tooFew(failures: number, { foreseen, recall }: Approach): string {
  const said = `${failures} failures are too few to judge by (${FAILURES_MIN} at least)`
  if (failures === 0) return `${said}.`
  const range = `between ${percentText(recall.low)} and ${percentText(recall.high)}`
  return `${said}: ${foreseen} foreseen may mean anything ${range}.`
}

function shareText(count: number, { value, low, high }: Share): string {
  if (value === null) return UNKNOWN
  return `${count} (${percentText(low)} to ${percentText(high)})`
}

function rangeText({ value, low, high }: Share): string {
  if (value === null) return UNKNOWN
  return `${short(value)} (${short(low)} to ${short(high)})`
}

function percentText(ratio: number): string {
  return `${Math.round(ratio * 100)} %`
}

function short(value: number): string {
  return formatNumber(Number(value.toPrecision(2)))
}

function minutes(ms: number): string {
  return `${short(ms / 60_000)} min`
}
