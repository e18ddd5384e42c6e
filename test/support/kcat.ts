/** Records as kcat reads them: committed ones only, by a client that shares no code with ours. */
import { spawn } from 'node:child_process'

export interface CatRecord {
  readonly partition: number
  readonly offset: number
  readonly headers: Readonly<Record<string, string>>
  readonly value: Buffer
}

/** Everything in a topic up to its end. */
export async function readAll(
  program: string,
  brokers: readonly string[],
  topic: string,
): Promise<readonly CatRecord[]> {
  const words = ['-C', '-q', '-e', '-b', brokers.join(), '-t', topic, '-o', 'beginning']
  const format = ['-f', '%p %o %S %h\\n%s\\n', '-X', 'isolation.level=read_committed']
  return parse(await output(program, [...words, ...format]))
}

/**
 * Keyed JSON records, partitioned as Kafka's Java client does. One kcat for each call: it reads its
 * input in blocks, so what is written to one that goes on would wait for more to come.
 */
export async function produceKeyed(
  program: string,
  brokers: readonly string[],
  topic: string,
  records: readonly (readonly [key: string, body: unknown])[],
): Promise<void> {
  const partitioner = ['-X', 'topic.partitioner=murmur2_random']
  const words = ['-P', '-K', '\t', '-b', brokers.join(), '-t', topic, ...partitioner]
  const lines = records.map(([key, body]) => `${key}\t${JSON.stringify(body)}\n`)
  await output(program, words, lines.join(''))
}

async function output(program: string, words: readonly string[], input = ''): Promise<Buffer> {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(input)
  const chunks: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const code = await new Promise((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reject)
  })
  if (code !== 0)
    throw new Error(`kcat ended with ${String(code)}: ${String(Buffer.concat(errors))}`)
  return Buffer.concat(chunks)
}

/** A line of numbers and headers, then as many bytes as it says, then a line's end. */
function parse(bytes: Buffer): readonly CatRecord[] {
  const records: CatRecord[] = []
  for (let at = 0; at < bytes.length;) {
    const lineEnd = bytes.indexOf(10, at)
    const [partition, offset, size, ...rest] = bytes.toString('utf8', at, lineEnd).split(' ')
    const length = Math.max(0, Number(size))
    const value = bytes.subarray(lineEnd + 1, lineEnd + 1 + length)
    const headers = headersOf(rest.join(' '))
    records.push({ partition: Number(partition), offset: Number(offset), headers, value })
    at = lineEnd + 1 + length + 1
  }
  return records
}

function headersOf(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((pair) => pair.split(/=(.*)/s))
  return Object.fromEntries(pairs.map(([name, value]) => [name ?? '', value ?? '']))
}
