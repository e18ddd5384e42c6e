/**
 * Sockets that read each answer of a broker straight into memory of its own size. kafkajs has Node
 * allocate 64 KB for each piece that arrives, and puts the pieces together when the last one is there.
 */
import type { ISocketFactory } from 'kafkajs'

import { connect, isIP } from 'node:net'
import type { Socket, SocketConnectOpts } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'

/** Small answers are read together, and copied from here. */
const SCRATCH_BYTES = 16 * 1024
const SIZE_BYTES = 4
/** No answer is longer: a fetch brings one batch at least, and no batch of ours is over 64 MB. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024
const KEEP_ALIVE_MS = 60_000

/** Where to read to, and whom to tell how much came. */
interface ReadTarget {
  readonly buffer: () => Uint8Array
  readonly callback: (count: number, buffer: Uint8Array) => boolean
}
type SocketRequest = Parameters<ISocketFactory>[0] & { readonly onread?: ReadTarget }

interface SocketOptions extends Omit<SocketRequest, 'onread'> {
  readonly socketFactory: (request: SocketRequest) => Socket
  readonly onData: (answer: Buffer) => void
  readonly onEnd: () => void
  readonly onError: (error: Error) => void
  readonly onTimeout: () => void
}

/** What kafkajs's connection has that the place of its own reader asks for. */
interface Connection {
  readonly authHandlers: { onSuccess(answer: Buffer): void } | null
  readonly requestQueue: {
    fulfillRequest(answer: {
      readonly size: number
      readonly correlationId: number
      readonly payload: Buffer
    }): void
  }
}
export interface ConnectionClass {
  readonly prototype: { processData(this: Connection, answer: Buffer): void }
}

/** In the place of kafkajs's: `onData` gets whole answers, each with its size before it. */
export function createSocket(options: SocketOptions): Socket {
  const { socketFactory, host, port, ssl, onConnect, onData } = options
  const reader = new AnswerReader(onData)
  const take = (bytes: Uint8Array): boolean => {
    const refused = reader.take(bytes)
    if (refused !== null) socket.destroy(refused)
    return refused === null
  }
  const onread: ReadTarget = {
    buffer: () => reader.room(),
    callback: (count, buffer) => take(buffer.subarray(0, count)),
  }
  const socket = socketFactory({ host, port, ssl, onConnect, onread })
  // From a factory that knows nothing of `onread`.
  socket.on('data', take)
  socket.on('end', options.onEnd)
  socket.on('error', options.onError)
  socket.on('timeout', options.onTimeout)
  return socket
}

/** In the place of kafkajs's own, with `onread`. */
export function socketFactory(): (request: SocketRequest) => Socket {
  return ({ host, port, ssl, onConnect, onread }) => {
    const target = { host, port, onread } as SocketConnectOpts
    const named: ConnectionOptions = isIP(host) === 0 ? { servername: host } : {}
    const socket = ssl
      ? connectSecurely({ ...target, ...named, ...ssl }, onConnect)
      : connect(target, onConnect)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    return socket
  }
}

/** From now on kafkajs's connections are told of whole answers and do not look for their ends. */
export function readAnswers(connection: ConnectionClass): void {
  connection.prototype.processData = function processAnswer(answer) {
    if (this.authHandlers !== null) {
      this.authHandlers.onSuccess(answer)
      return
    }
    this.requestQueue.fulfillRequest({
      size: answer.length - SIZE_BYTES,
      correlationId: answer.readInt32BE(SIZE_BYTES),
      payload: answer.subarray(2 * SIZE_BYTES),
    })
  }
}

/** Cuts what arrives into answers. */
export class AnswerReader {
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  readonly #onAnswer: (answer: Buffer) => void
  /** Of the answer that is arriving, where its size is known. */
  #answer: Buffer | undefined
  /** How much of it, or of its size, is there. */
  #filled = 0
  readonly #size = Buffer.alloc(SIZE_BYTES)

  constructor(onAnswer: (answer: Buffer) => void) {
    this.#onAnswer = onAnswer
  }

  /** Where the next bytes should be read to. */
  room(): Uint8Array {
    return this.#answer === undefined ? this.#scratch : this.#answer.subarray(this.#filled)
  }

  /** Bytes in the order of their arrival, in {@link room} or elsewhere. An error ends the connection. */
  take(bytes: Uint8Array): Error | null {
    if (bytes.buffer === this.#answer?.buffer && bytes.byteOffset === this.#nextByteOffset()) {
      this.#filled += bytes.length
      this.#finish()
      return null
    }
    for (let at = 0; at < bytes.length;) {
      const into = this.#answer ?? this.#size
      const part = bytes.subarray(at, at + into.length - this.#filled)
      into.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#answer !== undefined) this.#finish()
      else if (this.#filled === SIZE_BYTES) {
        const size = this.#size.readInt32BE(0)
        if (size < SIZE_BYTES || size > ANSWER_BYTES_MAX) return notKafka(size)
        this.#begin(SIZE_BYTES + size)
      }
    }
    return null
  }

  #nextByteOffset(): number {
    return this.#answer!.byteOffset + this.#filled
  }

  #begin(bytes: number): void {
    this.#answer = bytes < SCRATCH_BYTES ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes)
    this.#answer.set(this.#size)
  }

  #finish(): void {
    const answer = this.#answer!
    if (this.#filled < answer.length) return
    this.#answer = undefined
    this.#filled = 0
    this.#onAnswer(answer)
  }
}

function notKafka(size: number): Error {
  return new Error(`an answer of ${size} bytes was announced: no Kafka broker listens there`)
}
