/**
 * The device that GPU tests run on. scripts/gpu.mjs looks for one and says so in FORESHOCK_TEST_GPU; without
 * it they are skipped, and `npm test` says that loudly.
 */
import { readdirSync, readFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession, type Tensor } from 'onnxruntime-node'

export const HAS_GPU = (process.env['FORESHOCK_TEST_GPU'] ?? '') !== ''

/** Provider of ONNX Runtime → kernels that it ran in one run of the model, by the session's own profile. */
export async function placement(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<ReadonlyMap<string, number>> {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-profile-'))
  const session = await InferenceSession.create(bytes, {
    executionProviders: ['webgpu'],
    logSeverityLevel: 4,
    enableProfiling: true,
    profileFilePrefix: join(directory, 'run'),
  })
  await session.run(feeds)
  session.endProfiling()
  await session.release()
  const [file] = readdirSync(directory)
  const events = JSON.parse(readFileSync(join(directory, file), 'utf8')) as readonly ProfileEvent[]
  const counts = new Map<string, number>()
  for (const { cat, name, args } of events) {
    if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue
    const provider = args.provider ?? 'unknown'
    counts.set(provider, (counts.get(provider) ?? 0) + 1)
  }
  return counts
}

interface ProfileEvent {
  readonly cat: string
  readonly name: string
  readonly args: { readonly provider?: string }
}
