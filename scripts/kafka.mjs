// A real Kafka broker without Docker: `node scripts/kafka.mjs up|down|status [--port 19092] [--fresh] [--json]`.
// The jars come from Maven Central, once, into .cache/kafka; the broker runs on loopback only.
import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createConnection } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const VERSION = '4.3.1'
const FETCH_ATTEMPTS = 4
const START_MS_MAX = 60_000
const STOP_MS_MAX = 30_000
const LOCK_MS_MAX = 180_000
const CLUSTER_ID = 'Zm9yZXNob2NrLWRldi0wMQ'

const recipe = join(dirname(fileURLToPath(import.meta.url)), 'kafka')
const cache = join(recipe, '../../.cache/kafka')
const jars = join(cache, `jars-${VERSION}`)

class Mishap extends Error {}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '19092' },
    fresh: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const port = Number(values.port)
const home = join(cache, String(port))
const pidFile = join(home, 'pid')
const logFile = join(home, 'broker.log')

const actions = { up, down, status }
try {
  const action = actions[positionals[0] ?? '']
  if (!action || !Number.isInteger(port) || port < 1 || port > 65_534) {
    throw new Mishap(
      'usage: node scripts/kafka.mjs up|down|status [--port 19092] [--fresh] [--json]',
    )
  }
  tell(await action())
} catch (error) {
  if (!(error instanceof Mishap)) throw error
  console.error(error.message)
  process.exitCode = 1
}

function tell(state) {
  if (values.json) console.log(JSON.stringify(state))
  else if (state.running) console.log(`Kafka ${VERSION} on ${state.brokers[0]}, pid ${state.pid}`)
  else console.log(`No broker of ours on port ${port}`)
  if (positionals[0] === 'status' && !state.running) process.exitCode = 3
}

/** Two test runs may ask at the same moment: the second waits and finds the broker up. */
async function up() {
  if (values.fresh) await down()
  if (await answers()) return status()
  return locked(async () => {
    if (await answers()) return status()
    needs('java', ['-version'], 'install a Java runtime, 17 or newer, e.g. openjdk-17-jre-headless')
    await fetchJars()
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'server.properties'), properties())
    format()
    await start()
    return status()
  })
}

async function down() {
  const pid = ourPid()
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM')
    await until(() => !alive(pid), STOP_MS_MAX, `the broker, pid ${pid}, did not stop`)
  }
  rmSync(pidFile, { force: true })
  if (values.fresh) rmSync(join(home, 'data'), { recursive: true, force: true })
  return status()
}

async function status() {
  const running = await answers()
  return { running, brokers: running ? [`127.0.0.1:${port}`] : [], pid: ourPid() ?? null, home }
}

function needs(program, args, mend) {
  if (spawnSync(program, args, { stdio: 'ignore' }).error) {
    throw new Mishap(`kafka needs ${program}, which is not on the PATH: ${mend}`)
  }
}

/** Into a folder of its own first: a broken download must not look like a whole one. */
async function fetchJars() {
  if (existsSync(jars)) return
  needs('mvn', ['-v'], 'install Apache Maven, or point FORESHOCK_TEST_BROKERS at a broker of yours')
  const part = `${jars}.part`
  for (let attempt = 1; ; attempt++) {
    rmSync(part, { recursive: true, force: true })
    const { status: exit, stdout } = spawnSync(
      'mvn',
      [
        '-q',
        '-B',
        '-f',
        join(recipe, 'pom.xml'),
        'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${part}`,
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 2] },
    )
    if (exit === 0) break
    if (attempt === FETCH_ATTEMPTS) {
      throw new Mishap(`Kafka ${VERSION} could not be fetched from Maven Central:\n${stdout}`)
    }
    await sleep(1000 * 2 ** attempt)
  }
  renameSync(part, jars)
}

function properties() {
  return readFileSync(join(recipe, 'server.properties'), 'utf8')
    .replaceAll('{port}', String(port))
    .replaceAll('{controllerPort}', String(port + 1))
    .replaceAll('{dataDirectory}', join(home, 'data'))
}

function java(heap, main, args) {
  return [
    ...heap,
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${join(recipe, 'log4j2.xml')}`,
    '-cp',
    join(jars, '*'),
    main,
    ...args,
  ]
}

function format() {
  if (existsSync(join(home, 'data/meta.properties'))) return
  const args = ['format', '-t', CLUSTER_ID, '-c', join(home, 'server.properties')]
  const heap = ['-Xmx128m', '-XX:TieredStopAtLevel=1']
  const done = spawnSync('java', java(heap, 'kafka.tools.StorageTool', args), { encoding: 'utf8' })
  if (done.status !== 0) throw new Mishap(`formatting failed:\n${done.stdout}${done.stderr}`)
}

async function start() {
  const log = openSync(logFile, 'w')
  const heap = ['-Xms256m', '-Xmx512m', '-XX:+UseG1GC', '-XX:+ExitOnOutOfMemoryError']
  const broker = spawn('java', java(heap, 'kafka.Kafka', [join(home, 'server.properties')]), {
    cwd: home,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  broker.unref()
  writeFileSync(pidFile, String(broker.pid))
  const up = async () => {
    if (!alive(broker.pid)) throw new Mishap(`the broker died:\n${tail()}`)
    return readFileSync(logFile, 'utf8').includes('Kafka Server started') && (await answers())
  }
  await until(up, START_MS_MAX, `the broker did not start, see ${logFile}`)
}

function tail() {
  return readFileSync(logFile, 'utf8').split('\n').slice(-20).join('\n')
}

/** Process ids are used again: a pid counts as ours only while its command line names our folder. */
function ourPid() {
  if (!existsSync(pidFile)) return undefined
  const pid = Number(readFileSync(pidFile, 'utf8'))
  if (!alive(pid)) return undefined
  const line = spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], {
    encoding: 'utf8',
  }).stdout
  return line === undefined || line === null || line.includes(home) ? pid : undefined
}

function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function answers() {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    const end = (value) => {
      socket.destroy()
      resolve(value)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}

async function until(condition, limitMs, otherwise) {
  for (let waitedMs = 0; !(await condition()); waitedMs += 100) {
    if (waitedMs >= limitMs) throw new Mishap(otherwise)
    await sleep(100)
  }
}

async function locked(work) {
  const lock = join(cache, `${port}.lock`)
  mkdirSync(cache, { recursive: true })
  await until(() => take(lock), LOCK_MS_MAX, `another start holds ${lock}; remove it if none runs`)
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function take(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    if (existsSync(lock) && !alive(Number(readFileSync(lock, 'utf8'))))
      rmSync(lock, { force: true })
    return false
  }
}
