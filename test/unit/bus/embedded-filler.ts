/** Child process under a file size limit: fills its store until the disk refuses, then drops and goes on. */
import { openEmbeddedBus } from '../../../src/bus/embedded/embedded-bus.ts'
import { isServiceError } from '../../../src/core/errors.ts'

let nowMs = 1_000_000
const bus = await openEmbeddedBus({
  directory: process.argv[2],
  logNowMs: () => nowMs,
  cleanEveryMs: 20,
})
await bus.create([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: 60_000 }])
const outputs = Array.from({ length: 50 }, () => {
  return { topic: 't', partition: 0, key: null, value: 'x'.repeat(2_000) }
})
let acknowledged = 0
let code = 'never full'
for (let i = 0; i < 1_000 && code === 'never full'; i++) {
  try {
    await bus.produce(outputs)
    acknowledged += outputs.length
  } catch (error) {
    code = isServiceError(error) ? error.code : String(error)
  }
}
const [end] = await bus.ends('t')
const reader = await bus.read({ topic: 't', from: 'start' })
let read = 0
for (let more = -1; more !== 0; read += more) more = (await reader.take(0)).length
await reader.close()
nowMs += 60_001
while ((await bus.starts('t'))[0] < acknowledged) await new Promise((r) => void setTimeout(r, 5))
const [again] = await bus.produce(outputs.slice(0, 1))
await bus.close()
process.stdout.write(JSON.stringify({ code, acknowledged, end, read, again: again.offset }))
