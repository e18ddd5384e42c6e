import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterEach, beforeEach, expect, test } from 'vitest'

import type { Bus, Lease, LogRecord } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import { openEmbeddedBus } from '../../../src/bus/embedded/embedded-bus.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'foreshock-store-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

const COMMITTER = fileURLToPath(new URL('./embedded-committer.ts', import.meta.url))

const FILLER = fileURLToPath(new URL('./embedded-filler.ts', import.meta.url))

/** Runs the committer until so many records are acknowledged, then kills it. The last acknowledged. */
async function killAfter(count: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', COMMITTER, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  let seen = 0
  for await (const chunk of child.stdout) {
    text += String(chunk)
    seen += String(chunk).split('\n').length - 1
    if (seen >= count) break
  }
  const exited = child.exitCode === null ? once(child, 'exit') : Promise.resolve()
  child.kill('SIGKILL')
  await exited
  return Number(text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1))
}

async function readTopic(bus: Bus, topic: string): Promise<readonly LogRecord[]> {
  const total = (await bus.ends(topic)).reduce((sum, end) => sum + end, 0)
  const reader = await bus.read({ topic, from: 'start' })
  const records: LogRecord[] = []
  while (records.length < total) records.push(...(await reader.take(1_000)))
  await reader.close()
  return records
}

test('a kill at any moment leaves outputs and offsets in agreement, and loses nothing acknowledged', async () => {
  for (const count of [3, 40, 90]) {
    const acknowledged = await killAfter(count)
    const bus = await openEmbeddedBus({ directory })
    const input = await readTopic(bus, 'in')
    const output = await readTopic(bus, 'out')
    const committed = await bus.committed('copiers', 'in')
    for (const partition of [0, 1]) {
      const values = (records: readonly LogRecord[]): string[] =>
        records.filter((r) => r.partition === partition).map((r) => toText(r.value!))
      expect(values(input).length).toBeGreaterThan(acknowledged)
      expect(values(input)).toEqual(values(input).map((_, i) => String(i)))
      expect(values(output)).toEqual(values(input).slice(0, committed[partition]))
    }
    await bus.close()
  }
}, 60_000)

test('a second opening names the process that holds the store', async () => {
  const bus = await openEmbeddedBus({ directory })
  await expect(openEmbeddedBus({ directory })).rejects.toThrow(
    `the store in ${directory} is in use by process ${process.pid}; ` +
      'stop it or use another state directory',
  )
  await bus.close()
  await (await openEmbeddedBus({ directory })).close()
})

test.each([
  { holder: '999999999 1', because: 'no such process lives' },
  { holder: `${process.pid} 1`, because: 'the number is now another process' },
  { holder: 'garbage', because: 'it names no process' },
])('a lock is taken over when $because', async ({ holder }) => {
  await writeFile(join(directory, 'foreshock.lock'), holder)
  await (await openEmbeddedBus({ directory })).close()
})

test('a full store refuses, keeps what it has, and takes again once retention made room', async () => {
  let nowMs = 1_000_000
  const logNowMs = (): number => nowMs
  const open = { directory, logNowMs, bytesMax: 50_000, cleanEveryMs: 5 }
  const bus = await openEmbeddedBus(open)
  await bus.create([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: 60_000 }])
  const output = { topic: 't', partition: 0, key: null, value: 'x'.repeat(1_000) }
  let kept = 0
  const fill = async (): Promise<void> => {
    for (; kept < 1_000; kept++) await bus.produce([output])
  }
  await expect(fill()).rejects.toMatchObject({ code: 'STORE_FULL' })
  expect(kept).toBeGreaterThan(40)
  expect((await readTopic(bus, 't')).length).toBe(kept)
  expect(bus.health().lastError).toContain('shorten the retention')
  nowMs += 60_001
  while ((await bus.starts('t'))[0] < kept) await new Promise((r) => void setTimeout(r, 5))
  await bus.produce([output])
  expect(bus.health().lastError).toBeNull()
  await bus.close()
})

test('a lease whose commit finds the store full may try again', async () => {
  const bus = await openEmbeddedBus({ directory, bytesMax: 2_000 })
  await bus.create([{ name: 't', partitions: 1, cleanup: 'delete' }])
  const lease = await new Promise<Lease>((resolve) => {
    void bus.join({ group: 'g', role: 'r', topics: ['t'], claimTopic: null, onGained: resolve })
  })
  const output = { topic: 't', partition: 0, key: null, value: 'x'.repeat(3_000) }
  expect(await lease.commit([output], { t: 1 })).toBe('aborted')
  expect(await bus.committed('g', 't')).toEqual([0])
  expect(await lease.commit([], { t: 1 })).toBe('committed')
  await bus.close()
})

test('a record above the limit is refused by name and size', async () => {
  const bus = await openEmbeddedBus({ directory })
  await bus.create([{ name: 't', partitions: 1, cleanup: 'delete' }])
  const value = new Uint8Array(8 * 1024 * 1024 + 1)
  const produced = bus.produce([{ topic: 't', partition: 0, key: null, value }])
  await expect(produced).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
  await expect(produced).rejects.toThrow(/8388609 bytes for topic t /)
  expect(await bus.ends('t')).toEqual([0])
  await bus.close()
})

test('offsets, tokens and log time survive a restart', async () => {
  let nowMs = 5_000_000
  const logNowMs = (): number => nowMs
  const output = { topic: 't', partition: 0, key: null, value: 'v' }
  const first = await openEmbeddedBus({ directory, logNowMs })
  await first.create([{ name: 't', partitions: 1, cleanup: 'delete' }])
  await first.produce([output])
  await first.close()
  nowMs -= 1_000_000
  const second = await openEmbeddedBus({ directory, logNowMs })
  await second.produce([output])
  const times = (await readTopic(second, 't')).map((record) => record.appendedAtMs)
  expect(times).toEqual([5_000_000, 5_000_000])
  await second.close()
})

test('a disk that refuses loses nothing acknowledged, and takes again once retention made room', async () => {
  // The shell's limit on file size (512-byte blocks or kilobytes) stands in for a full disk.
  const command = 'ulimit -f 16000; exec "$0" --import tsx "$1" "$2"'
  const child = spawn('sh', ['-c', command, process.execPath, FILLER, directory], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  for await (const chunk of child.stdout) text += String(chunk)
  const found = JSON.parse(text) as Readonly<Record<string, number | string>>
  expect(found['code']).toBe('STORE_FULL')
  expect(found['acknowledged']).toBeGreaterThan(1_000)
  expect(found['end']).toBe(found['acknowledged'])
  expect(found['read']).toBe(found['acknowledged'])
  expect(found['again']).toBe(found['acknowledged'])
})
