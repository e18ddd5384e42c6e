import { expect, test } from 'vitest'
import type { NodeEvent } from '../../../src/core/node.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { failureKinds, judgeKinds } from '../../../training/kinds.ts'
import { Lives } from '../../../training/labels.ts'
import type { Manifest } from '../../../training/manifest.ts'
import { nodeHash, readManifest } from '../../../training/manifest.ts'

const HORIZON_MS = 100
const manifest: Manifest = {
  ...readManifest('training/histories/fleet.toml'),
  horizonMs: HORIZON_MS,
  trainUntilMs: 1_000,
}

function nodesOfSlice(isFit: boolean): readonly NodeId[] {
  const ids = Array.from({ length: 200 }, (_, i) => `n${i}` as NodeId)
  return ids.filter((id) => nodeHash(id) % 100 < manifest.split.fit === isFit)
}

function failure(node: NodeId, atMs: number, failureKind: string): NodeEvent {
  return { kind: 'failure', node, atMs, failureKind }
}

test('a kind is trained when a node of the fit slice failed of it in time', () => {
  const [fit, other] = [nodesOfSlice(true), nodesOfSlice(false)]
  const events = [
    failure(fit[0], 500, 'heat'),
    failure(other[0], 500, 'leak'),
    failure(fit[1], 1_500, 'droop'),
    failure(fit[2], 500, 'unknown'),
  ]
  const kinds = failureKinds(manifest, events, new Lives(events, HORIZON_MS, 2_000))
  expect([...kinds.trained]).toEqual(['heat'])
})

test('each kind has its own count, foreseen ones and lead', () => {
  const [a, b] = nodesOfSlice(false)
  const events = [failure(a, 200, 'heat'), failure(a, 400, 'leak'), failure(b, 300, 'heat')]
  const lives = new Lives(events, HORIZON_MS, 2_000)
  const [first, second] = [lives.numberOf(a), lives.numberOf(b)]
  const rows = {
    node: Uint32Array.from([first, first, first, second, second]),
    atMs: Float64Array.from([0, 150, 350, 220, 250]),
    labels: Uint8Array.from([0, 1, 1, 1, 1]),
    failureAtMs: Float64Array.from([NaN, 200, 400, 300, 300]),
    scores: Float64Array.from([0.9, 0.8, 0.1, 0.2, 0.7]),
    intervalMs: 50,
    horizonMs: HORIZON_MS,
  }
  expect(judgeKinds(rows, 0.5, failureKinds(manifest, events, lives))).toEqual({
    heat: { trained: false, failureCount: 2, foreseenCount: 2, leadTimeMs: 50 },
    leak: { trained: false, failureCount: 1, foreseenCount: 0, leadTimeMs: null },
  })
})
