// Goal: what Dockerfile.cuda, setup:cuda and package.json say of versions is one thing, and the images run as
// nobody in particular and say whether they are well. Docker is not needed for that.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CUDA, judge } from '../../scripts/cuda.mjs'

const dockerfile = readFileSync('Dockerfile.cuda', 'utf8')
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
  readonly engines: { readonly node: string }
}

interface Stage {
  readonly image: string
  readonly lines: readonly string[]
}

/** Instructions of each stage, continued lines joined, comments left out. */
function stages(): ReadonlyMap<string, Stage> {
  const text = dockerfile.replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, ' ')
  const found = new Map<string, { image: string; lines: string[] }>()
  let current: { image: string; lines: string[] } | null = null
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const from = /^FROM (\S+) AS (\S+)$/.exec(line)
    if (from === null) current?.lines.push(line)
    else found.set(from[2], (current = { image: from[1], lines: [] }))
  }
  return found
}

function argumentsOf({ lines }: Stage, instruction: string): readonly string[] {
  return lines
    .filter((line) => line.startsWith(`${instruction} `))
    .map((line) => line.slice(instruction.length + 1).trim())
}

describe('Dockerfile.cuda', () => {
  const all = stages()
  const KNOWN = /^(ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|RUN|USER|VOLUME|WORKDIR) /

  test('builds, trains and serves in stages of their own, and serves when nothing is said', () => {
    expect([...all.keys()]).toEqual(['build', 'train', 'serve'])
    for (const { lines } of all.values()) {
      expect(lines.filter((line) => !KNOWN.test(line))).toEqual([])
    }
  })

  test('has images of fixed versions, each of the CUDA that its stage needs', () => {
    const images = [...all.values()].map(({ image }) => image)
    for (const image of images) expect(image).toMatch(/^[\w/]+:\d+\.\d+\.\d+-/)
    expect(all.get('serve')!.image).toMatch(/^nvidia\/cuda:13\..*-cudnn-runtime-/)
    expect(all.get('train')!.image).toMatch(/^nvidia\/cuda:11\.2\..*-cudnn8-runtime-/)
    const node = /^node:(\d+\.\d+)/.exec(all.get('build')!.image)![1]
    expect(Number(node)).toBeGreaterThanOrEqual(Number(manifest.engines.node.slice(2)))
  })

  test.each(['train', 'serve'])('%s runs as a user without rights, of a number', (name) => {
    const stage = all.get(name)!
    expect(argumentsOf(stage, 'USER')).toEqual(['foreshock'])
    expect(stage.lines.join('\n')).toMatch(/useradd --system --uid 10001/)
    const after = stage.lines.slice(stage.lines.indexOf('USER foreshock'))
    expect(after.filter((line) => line.startsWith('RUN '))).toEqual([])
  })

  test('serve is asked whether it is well where the console answers', () => {
    const [health] = argumentsOf(all.get('serve')!, 'HEALTHCHECK')
    expect(health).toContain('http://127.0.0.1:8080/healthz')
    expect(readFileSync('src/http/app.ts', 'utf8')).toContain("'/healthz'")
    expect(argumentsOf(all.get('train')!, 'HEALTHCHECK')).toEqual(['NONE'])
  })

  test('copies only what the checkout has or the build makes', () => {
    const ignored = readFileSync('.dockerignore', 'utf8').trim().split('\n')
    expect(ignored).toEqual(expect.arrayContaining(['.git', 'node_modules', 'dist', '.cache']))
    for (const argument of argumentsOf(all.get('serve')!, 'COPY')) {
      const from = /--from=build \/app\/(\S+)/.exec(argument)?.[1]
      if (from === undefined) continue
      expect(['node_modules', 'dist'].includes(from) || existsSync(from), from).toBe(true)
    }
  })

  test('names the versions of package.json', () => {
    expect(argumentsOf(all.get('train')!, 'ARG')).toEqual([
      `TFJS_NODE_GPU=${manifest.peerDependencies['@tensorflow/tfjs-node-gpu']}`,
    ])
    expect(dockerfile).toContain(`driver ${CUDA.driverMin} or newer`)
    expect(all.get('build')!.lines.join()).toContain('scripts/setup-cuda.mjs --library')
  })
})

describe('setup:cuda', () => {
  const well = {
    platform: 'linux-x64',
    onnxRuntime: CUDA.version,
    driver: '580.65.06',
    gpu: 'a GPU',
    libraries: { ...CUDA.libraries },
    runtime: Object.fromEntries(CUDA.runtime.map((name) => [name, true])),
  }

  test('is for the ONNX Runtime of package.json', () => {
    expect(CUDA.version).toBe(manifest.dependencies['onnxruntime-node'])
    expect(manifest.scripts['setup:cuda']).toBe('node scripts/setup-cuda.mjs')
  })

  test('is content with a machine that has everything', () => {
    expect(judge(well).filter(({ ok }) => !ok)).toEqual([])
  })

  test.each([
    ['no driver', { driver: null }, 'NVIDIA driver', /install NVIDIA's driver 580 or newer/],
    ['an old driver', { driver: '550.54.14' }, 'NVIDIA driver', /580 or newer: CUDA 13 needs it/],
    ['another machine', { platform: 'darwin-arm64' }, 'platform', /elsewhere WebGPU serves/],
    [
      'another version',
      { onnxRuntime: '1.31.0' },
      'ONNX Runtime',
      /hashes must follow package\.json/,
    ],
    [
      'no cuDNN',
      { runtime: { ...well.runtime, 'libcudnn.so.9': false } },
      'libcudnn.so.9',
      /install cuDNN 9 for CUDA 13/,
    ],
    [
      'a damaged library',
      { libraries: { ...well.libraries, 'libonnxruntime_providers_cuda.so': 'other' } },
      'libonnxruntime_providers_cuda.so',
      /npm run setup:cuda/,
    ],
  ])('finds %s, and says what to do', (_what, other, what, mend) => {
    const wrong = judge({ ...well, ...other }).filter(({ ok }) => !ok)
    expect(wrong).toMatchObject([{ what, mend: expect.stringMatching(mend) as string }])
  })

  test('says on this machine what there is, and knows wrong use', () => {
    const run = (...args: readonly string[]) =>
      spawnSync(process.execPath, ['scripts/setup-cuda.mjs', ...args], { encoding: 'utf8' })
    const checked = run('--check')
    expect(checked.stdout).toMatch(/^(ok {5}|MISSING) NVIDIA driver: .+$/m)
    expect(checked.status).toBe(checked.stdout.includes('MISSING') ? 1 : 0)
    expect(run('--other')).toMatchObject({ status: 2 })
  })
})
