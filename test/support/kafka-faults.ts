/**
 * Faults between client and broker, byte-exact: a commit whose request never leaves, whose answer is
 * lost, or whose offsets the broker refuses. Sockets are wrapped, the client's code is untouched.
 */
import type { ISocketFactory } from 'kafkajs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'

import type { CommitFault } from '../contract/harness.ts'

/** Numbers of the protocol's requests (kafka.apache.org/protocol). */
const ADD_OFFSETS_TO_TRANSACTION = 25
const END_TRANSACTION = 26
const GROUP_AUTHORIZATION_FAILED = 30
const KEEP_ALIVE_MS = 60_000

export class CommitFaults {
  #next: CommitFault | undefined

  failNext(fault: CommitFault): void {
    this.#next = fault
  }

  readonly socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
    const socket = connect({ host, port }, onConnect)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    const write = socket.write.bind(socket) as (...args: readonly unknown[]) => boolean
    const faulty = (...args: readonly unknown[]): boolean =>
      this.#strike(socket, args[0] as Buffer, () => write(...args))
    socket.write = faulty
    return socket
  }

  #strike(socket: Socket, request: Buffer, send: () => boolean): boolean {
    const fault = this.#next
    const kind = request.readInt16BE(4)
    if (fault?.outcome === 'aborted' && kind === ADD_OFFSETS_TO_TRANSACTION) {
      this.#next = undefined
      refuse(socket, request)
      return true
    }
    const commits = kind === END_TRANSACTION && request.at(-1) === 1
    if (fault?.outcome !== 'unknown' || !commits) return send()
    this.#next = undefined
    if (!fault.written) {
      socket.destroy(new Error('cut before the commit left'))
      return true
    }
    loseAnswer(socket)
    return send()
  }
}

/** The broker's "no" to this request: size, its correlation id, no throttling, the error. */
function refuse(socket: Socket, request: Buffer): void {
  const answer = Buffer.alloc(14)
  answer.writeInt32BE(10, 0)
  request.copy(answer, 4, 8, 12)
  answer.writeInt16BE(GROUP_AUTHORIZATION_FAILED, 12)
  setImmediate(() => socket.emit('data', answer))
}

function loseAnswer(socket: Socket): void {
  const emit = socket.emit.bind(socket) as (...args: readonly unknown[]) => boolean
  const deaf = (...args: readonly unknown[]): boolean => {
    if (args[0] !== 'data') return emit(...args)
    socket.destroy(new Error('cut before the answer came'))
    return true
  }
  socket.emit = deaf as Socket['emit']
}
