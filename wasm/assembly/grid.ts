// When a row is due: at grid times before a later sample is folded or when time passes them, and at
// once for nodes that changed. Every function here can stop at a full row buffer and be called again.
import {
  CHANGED,
  EMITTED_AT,
  LAST_AT,
  NEXT_GRID,
  NOTICED,
  QUEUED,
  USED,
  fieldOf,
  flagsOf,
  gridFromFirst,
  gridInterval,
  laneOf,
  lineOf,
  tileOf,
} from './layout'
import { emitRow, rowCount } from './features'
import { leavesPast } from './past'
import { queue, queueCount, setQueueCount, slotCount } from './node-slot'

const GRID: u32 = 0
const CHANGE: u32 = 1

/** No node has a row due before this, so that most ticks scan nothing. */
let nothingDueBefore: f64 = Infinity
let scanned: u32 = 0
let earliest: f64 = Infinity

/** First grid time of a node whose first sample is at `at`. */
export function firstGrid(at: f64): f64 {
  const next = gridFromFirst ? at : ceil<f64>(at / gridInterval) * gridInterval
  if (next < nothingDueBefore) nothingDueBefore = next
  if (next < earliest) earliest = next
  return next
}

/** Emits the node's grid rows due strictly before `at`; false when the buffer is full. */
export function emitDue(node: u32, line: usize, at: f64): bool {
  while (load<f64>(line, NEXT_GRID) < at) if (!emitGrid(node)) return false
  return true
}

function emitGrid(node: u32): bool {
  const next = fieldOf(node, NEXT_GRID)
  const t = load<f64>(next)
  if (!emitRow(node, t, GRID)) return false
  store<f64>(next, t + gridInterval)
  told(node)
  return true
}

/** Its row says all that has changed so far. */
function told(node: u32): void {
  const flags = flagsOf(tileOf(node), laneOf(node))
  store<u32>(flags, load<u32>(flags) & ~CHANGED)
}

/** Emits rows due at or before `now`; 0 when the buffer is full, or has `most` rows, and some are left. */
export function advance(now: f64, most: u32): u32 {
  if (now < nothingDueBefore) return 1
  for (; scanned < slotCount; scanned++) {
    const next = fieldOf(scanned, NEXT_GRID)
    while (load<f64>(next) <= now) if (rowCount >= most || !emitGrid(scanned)) return 0
    if (load<f64>(next) < earliest) earliest = load<f64>(next)
  }
  nothingDueBefore = earliest
  earliest = Infinity
  scanned = 0
  return 1
}

export function queueChanged(node: u32, flags: usize): void {
  const before = load<u32>(flags)
  if ((before & (QUEUED | CHANGED)) == (QUEUED | CHANGED)) return
  if ((before & QUEUED) == 0) {
    store<u32>(queue + queueCount * 4, node)
    setQueueCount(queueCount + 1)
  }
  store<u32>(flags, before | QUEUED | CHANGED)
}

/**
 * One row per node changed since its last row and not scored within `minGap`; 0 when full. With
 * `deviations` over 0 only of those that leave their past by so much, and once more when they are back.
 */
export function emitChanged(minGap: f64, deviations: f32): u32 {
  let kept: u32 = 0
  let i: u32 = 0
  let room = true
  for (; i < queueCount && room; i++) {
    const node = load<u32>(queue + i * 4)
    const tile = tileOf(node)
    const lane = laneOf(node)
    const flags = flagsOf(tile, lane)
    const changed = (load<u32>(flags) & (USED | CHANGED)) == (USED | CHANGED)
    const leaves = changed && leavesPast(tile, lane, deviations)
    const live = leaves || (changed && (load<u32>(flags) & NOTICED) != 0)
    const at = load<f64>(fieldOf(node, LAST_AT))
    const due = at - load<f64>(fieldOf(node, EMITTED_AT)) >= minGap
    if (live && due) room = emitRow(node, at, CHANGE)
    if (live && (!due || !room)) {
      if (leaves) store<u32>(flags, load<u32>(flags) | NOTICED)
      store<u32>(queue + kept * 4, node)
      kept++
    } else {
      // The next one keeps its distance from this, but from no row at a grid time: a change right
      // after one would wait for its node's next sample.
      if (live) {
        store<f64>(fieldOf(node, EMITTED_AT), at)
        told(node)
        const before = load<u32>(flags) & ~NOTICED
        store<u32>(flags, leaves ? before | NOTICED : before)
      }
      store<u32>(flags, load<u32>(flags) & ~QUEUED)
    }
  }
  for (; i < queueCount; i++, kept++) store<u32>(queue + kept * 4, load<u32>(queue + i * 4))
  setQueueCount(kept)
  return room ? 1 : 0
}

/** For JavaScript: emits what is due before an event of the node at `at`; 0 when the buffer is full. */
export function emitNodeDue(node: u32, at: f64): u32 {
  return emitDue(node, lineOf(tileOf(node), laneOf(node)), at) ? 1 : 0
}
