// Goal: a training that is interrupted, or killed at any moment, and run again with --resume writes the
// model of one that never stopped, byte for byte; and a finished model can be gone on from.
// Method: src/main.ts as a child process on a small history.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { foreshock, startForeshock, until } from '../support/foreshock-process.ts'
import { writeSmallClass } from '../support/small-class.ts'
import { SMALL_MANIFEST, writeSmallHistory } from '../support/small-history.ts'

const directory = mkdtempSync(join(tmpdir(), 'foreshock-resume-'))
const manifest = join(directory, 'small.toml')
const TREES = 600
/** The time to live of a killed process comes from this, so that a failure can be run again. */
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e6))
let dataDir: string
let classes: string

beforeAll(() => {
  dataDir = writeSmallHistory()
  classes = writeSmallClass(join(directory, 'classes'))
  // Trees worth a few seconds, of which none is left out at the end.
  const toml = SMALL_MANIFEST.replace('trees = 30', `trees = ${TREES}\nlearning_rate = 0.005`)
  writeFileSync(manifest, toml)
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
  rmSync(dataDir, { recursive: true, force: true })
})

function argv(out: string, ...more: string[]): string[] {
  const source = ['--history', manifest, '--data', dataDir, '--node-classes', classes]
  return ['train', ...source, '--out', join(directory, out), ...more]
}

const model = (out: string) => readFileSync(join(directory, out, 'model.onnx'))
/** What lies beside the model of that name. */
const beside = (out: string) => readdirSync(directory).filter((name) => name.includes(`.${out}.`))

async function untilGrown(running: { written(): { stderr: string } }): Promise<void> {
  await until(() => running.written().stderr.includes('growing trees'))
}

test('interrupted or killed and run again it writes the same bytes', async () => {
  expect((await foreshock(argv('whole'), { cwd: directory })).code).toBe(0)
  expect(beside('whole')).toEqual([])
  const running = startForeshock(argv('broken'), { cwd: directory })
  await untilGrown(running)
  running.signal('SIGINT')
  const { code, stderr } = await running.ended
  expect(stderr).toMatch(/foreshock: training was interrupted; no model was written.*--resume/)
  expect(code).toBe(1)
  expect(beside('broken')).toEqual(['.broken.growing-0'])
  const again = startForeshock(argv('broken', '--resume'), { cwd: directory })
  await untilGrown(again)
  await sleep(SEED % 1_500)
  again.signal('SIGKILL')
  await again.ended
  const last = await foreshock(argv('broken', '--resume'), { cwd: directory })
  expect(last.code, `SEED=${SEED} ${last.stderr}`).toBe(0)
  expect(model('broken').equals(model('whole')), `SEED=${SEED}`).toBe(true)
  expect(beside('broken')).toEqual([])
})

test('what was kept of another training, or is damaged, is refused', async () => {
  const running = startForeshock(argv('other'), { cwd: directory })
  await untilGrown(running)
  running.signal('SIGTERM')
  expect((await running.ended).code).toBe(1)
  const kept = join(directory, '.other.growing-0')
  const seeded = await foreshock(argv('other', '--resume', '--seed', '2'), { cwd: directory })
  expect(seeded.stderr).toContain('comes from a training with other data, parameters or seed')
  const bytes = readFileSync(kept)
  bytes[bytes.length - 1] ^= 1
  writeFileSync(kept, bytes)
  const damaged = await foreshock(argv('other', '--resume'), { cwd: directory })
  expect(damaged.stderr).toContain('.other.growing-0: is damaged')
  expect([seeded.code, damaged.code]).toEqual([1, 1])
})

test('a finished model is gone on from', async () => {
  const from = ['--from', join(directory, 'whole')]
  const grown = await foreshock(argv('longer', '--json', ...from), { cwd: directory })
  expect(grown.code, grown.stderr).toBe(0)
  const card = JSON.parse(grown.stdout) as { trees: number; version: string; notes: string[] }
  const before = JSON.parse(
    readFileSync(join(directory, 'whole', 'card.json'), 'utf8'),
  ) as typeof card
  expect(card.trees).toBeGreaterThanOrEqual(before.trees)
  expect(card.version).toBe(`${before.version}-on-${before.version}`)
  expect(card.notes.join()).toContain(`Goes on from model ${before.version}`)
  const wrong = await foreshock(argv('longer', '--from', classes), { cwd: directory })
  expect(wrong.stderr).toContain('card.json: cannot be read; --from names the directory')
  expect(wrong.code).toBe(1)
})
