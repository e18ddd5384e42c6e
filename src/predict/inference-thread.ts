/** The thread that owns the GPU: its runs block, and watchers wait for them without blocking. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { assert } from '../core/errors.ts'
import { InferenceServer } from './inference-server.ts'

/** How the thread is started; ports of watchers come as messages, and null at the end. */
export interface InferenceThreadData {
  readonly kernel: WebAssembly.Module
}

const parent = parentPort
assert(parent !== null, 'this file runs in a worker thread')
const server = new InferenceServer((workerData as InferenceThreadData).kernel)
parent.on('message', (port: MessagePort | null) => {
  if (port !== null) return server.serve(port)
  server.close()
  parent.close()
})
