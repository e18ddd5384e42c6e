/**
 * `--recorded DIR` and `--from-kafka`: train on what was really seen. The manifest of `--history` still
 * says what to predict and how to split; its own data is not read.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordedManifest } from '../../training/recorded.ts'
import { loadNodeClasses, nodeClassNamed } from '../config/node-classes.ts'
import type { NodeClass } from '../core/node.ts'
import { ServiceError } from '../core/errors.ts'
import { listDays } from '../store/history-files.ts'
import { record } from '../store/history-recorder.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Arguments, CONFIG_OPTIONS, type Io, type OptionSpecs } from './command.ts'
import { historyManifest, type HistorySource, historySource } from './history-source.ts'
import { loadKernel, packagedNodeClasses } from './package.ts'

export const RECORDED_OPTIONS = {
  ...CONFIG_OPTIONS,
  recorded: {
    kind: 'text',
    value: 'DIR',
    summary: 'train on a recording (foreshock record) instead of --data',
  },
  'from-kafka': { kind: 'flag', summary: 'train on what the topics of the deployment hold' },
  from: { kind: 'text', value: 'TIME', summary: 'of a recording: not before this (RFC 3339)' },
  to: { kind: 'text', value: 'TIME', summary: 'of a recording: only before this (RFC 3339)' },
} satisfies OptionSpecs

/** Call `release` when training is over. */
export async function trainingSource(
  args: Arguments,
  io: Io,
): Promise<HistorySource & { readonly release: () => Promise<void> }> {
  const recorded = args.text('recorded')
  const fromKafka = args.flag('from-kafka')
  const given = [recorded !== undefined, fromKafka, args.text('data') !== undefined]
  if (given.filter(Boolean).length > 1) {
    throw new ServiceError('USAGE', 'train: give one of --data, --recorded and --from-kafka')
  }
  if (recorded === undefined && !fromKafka) {
    return { ...(await historySource(args)), release: async () => undefined }
  }
  const base = historyManifest(args)
  const classes = loadNodeClasses(args.text('node-classes') ?? packagedNodeClasses())
  const nodeClass = nodeClassNamed(classes, base.nodeClass)
  const { movedWeight } = loadedConfig(args, io).promotion
  const rules = { fromMs: momentOf(args, 'from'), toMs: momentOf(args, 'to'), movedWeight }
  const dataDir = recorded ?? (await recordTopics(args, io, classes))
  const release = async () => {
    if (fromKafka) await rm(dataDir, { recursive: true, force: true })
  }
  try {
    const manifest = recordedManifest(base, nodeClass, await listDays(dataDir), rules)
    return { manifest, nodeClass, dataDir, module: await loadKernel(), release }
  } catch (error) {
    await release()
    throw error
  }
}

/** All that the topics hold now: a node's life may have begun long before the range. */
async function recordTopics(
  args: Arguments,
  io: Io,
  nodeClasses: ReadonlyMap<string, NodeClass>,
): Promise<string> {
  const config = loadedConfig(args, io)
  const directory = await mkdtemp(join(tmpdir(), 'foreshock-topics-'))
  const bus = await openBus(config, io)
  try {
    const { topology, history } = config
    await record({
      bus,
      topology,
      nodeClasses,
      directory,
      retentionMs: Number.POSITIVE_INFINITY,
      flushMs: history.flushMs,
      once: true,
      signal: io.signal,
    })
  } finally {
    await bus.close()
  }
  if (!io.signal.aborted) return directory
  await rm(directory, { recursive: true, force: true })
  throw new ServiceError('INTERRUPTED', 'reading the topics was interrupted; nothing was written')
}

function momentOf(args: Arguments, name: 'from' | 'to'): number | null {
  const text = args.text(name)
  if (text === undefined) return null
  const ms = Date.parse(text)
  if (!Number.isNaN(ms)) return ms
  throw new ServiceError('USAGE', `--${name}: "${text}" is no time; write 2026-01-05T00:00:00Z`)
}
