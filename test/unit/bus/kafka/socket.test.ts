import { fc, test } from '@fast-check/vitest'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { describe, expect } from 'vitest'
import { AnswerReader, createSocket, socketFactory } from '../../../../src/bus/kafka/socket.ts'

/** Sizes around those of the scratch memory, and small ones. */
const SIZES = [4, 5, 11, 12, 100, 16_379, 16_380, 16_381, 40_000]
const answerOf = (size: number, fill: number): Buffer => {
  const answer = Buffer.alloc(4 + size, fill)
  answer.writeInt32BE(size)
  return answer
}
const sizes = fc.array(fc.constantFrom(...SIZES), { minLength: 1, maxLength: 8 })
const pieces = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 })

function reader() {
  const answers: Buffer[] = []
  return { answers, reader: new AnswerReader((answer) => void answers.push(answer)) }
}

/** Cuts the stream at these lengths, again and again. */
function* cut(stream: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < stream.length; i++) {
    const length = lengths[i % lengths.length]
    yield stream.subarray(at, at + length)
    at += length
  }
}

describe('answers', () => {
  test.prop([sizes, pieces])('are whole, however they arrive', (list, lengths) => {
    const sent = list.map((size, i) => answerOf(size, i + 1))
    const { answers, reader: from } = reader()
    for (const piece of cut(Buffer.concat(sent), lengths)) {
      const copy = Uint8Array.from(piece)
      expect(from.take(copy)).toBeNull()
      copy.fill(0xff)
    }
    expect(Buffer.concat(answers).equals(Buffer.concat(sent))).toBe(true)
    expect(answers.map((each) => each.length)).toEqual(sent.map((each) => each.length))
  })

  test.prop([sizes, pieces])(
    'are whole where they are read into the room made for them',
    (list, lengths) => {
      const stream = Buffer.concat(list.map((size, i) => answerOf(size, i + 1)))
      const { answers, reader: from } = reader()
      for (let at = 0, i = 0; at < stream.length; i++) {
        const room = from.room()
        const piece = stream.subarray(at, at + Math.min(room.length, lengths[i % lengths.length]))
        room.set(piece)
        expect(from.take(room.subarray(0, piece.length))).toBeNull()
        at += piece.length
      }
      expect(Buffer.concat(answers).equals(stream)).toBe(true)
      expect(answers).toHaveLength(list.length)
    },
  )

  test.each([-1, 0, 3, 0x48_54_54_50])('of %i bytes are no answers of Kafka', (size) => {
    const head = Buffer.alloc(4)
    head.writeInt32BE(size)
    const { answers, reader: from } = reader()
    expect(from.take(head)?.message).toContain(`${size} bytes`)
    expect(answers).toEqual([])
  })
})

/** A server that sends this and no more; what a socket of ours makes of it. */
async function received(sent: Buffer, answerCount: number) {
  const server = createServer((peer) => peer.write(sent)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const answers: Buffer[] = []
  let socket: Socket | undefined
  const error = await new Promise<Error | null>((resolve) => {
    socket = createSocket({
      socketFactory: socketFactory(),
      host: '127.0.0.1',
      port,
      ssl: undefined as never,
      onConnect: () => undefined,
      onData: (answer) => {
        answers.push(answer)
        if (answers.length === answerCount) resolve(null)
      },
      onEnd: () => resolve(new Error('ended')),
      onError: resolve,
      onTimeout: () => undefined,
    })
  })
  socket?.destroy()
  server.close()
  return { answers, error }
}

describe('a socket', () => {
  test('gives whole answers in memory of their own', async () => {
    const sent = [answerOf(12, 1), answerOf(3_000_000, 2), answerOf(4, 3)]
    const { answers, error } = await received(Buffer.concat(sent), 3)
    expect(error).toBeNull()
    expect(Buffer.concat(answers).equals(Buffer.concat(sent))).toBe(true)
    expect(answers[1].buffer.byteLength).toBe(sent[1].length)
  })

  test('ends with an error where something else than Kafka answers', async () => {
    const { error } = await received(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 1)
    expect(error?.message).toContain('no Kafka broker')
  })
})
