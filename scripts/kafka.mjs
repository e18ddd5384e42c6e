// Real Kafka brokers without Docker: `node scripts/kafka.mjs up|down|status [--port 19092] [--brokers 1]
// [--secure] [--fresh] [--json]`. The jars come from Maven Central, once, into .cache/kafka. All listen on
// loopback only: broker i on port + 2(i - 1), its controller one above. `--secure`: TLS, SCRAM and ACLs.
import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
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
import { SecretsError, secretsIn } from './kafka/secrets.mjs'

const VERSION = '4.3.1'
const FETCH_ATTEMPTS = 4
const START_MS_MAX = 60_000
const STOP_MS_MAX = 30_000
/** A cluster that ends as a whole has no controller left to say goodbye to. */
const FAREWELL_MS_MAX = 3_000
const LOCK_MS_MAX = 180_000
const BROKERS_MAX = 5
const USAGE =
  'usage: node scripts/kafka.mjs up|down|status [--port 19092] [--brokers 1] [--secure] [--fresh] [--json]'
const CLUSTER_ID = 'Zm9yZXNob2NrLWRldi0wMQ'

const recipe = join(dirname(fileURLToPath(import.meta.url)), 'kafka')
const cache = join(recipe, '../../.cache/kafka')
const jars = join(cache, `jars-${VERSION}`)

class Mishap extends Error {}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '19092' },
    brokers: { type: 'string' },
    secure: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const port = Number(values.port)

const actions = { up, down, status }
try {
  const action = actions[positionals[0] ?? '']
  const count = Number(values.brokers ?? 1)
  const sound = Number.isInteger(count) && count >= 1 && count <= BROKERS_MAX
  if (!action || !Number.isInteger(port) || port < 1 || port > 65_500 || !sound) {
    throw new Mishap(USAGE)
  }
  tell(await action())
} catch (error) {
  if (!(error instanceof Mishap || error instanceof SecretsError)) throw error
  console.error(error.message)
  process.exitCode = 1
}

function tell(state) {
  const on = state.brokers.join(', ')
  if (values.json) console.log(JSON.stringify(state))
  else if (state.running) console.log(`Kafka ${VERSION} on ${on}, pid ${state.pids.join(', ')}`)
  else console.log(`No broker of ours on port ${port}`)
  if (!values.json && state.secrets) console.log(`certificates and passwords: ${state.secrets}`)
  if (positionals[0] === 'status' && !state.running) process.exitCode = 3
}

/** Each kind keeps its data in a home of its own, whose name says what it is. */
function deployment(count, secure) {
  const name = `${port}${count > 1 ? `-x${count}` : ''}${secure ? '-secure' : ''}`
  const home = join(cache, name)
  const nodes = Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    port: port + 2 * i,
    home: count > 1 ? join(home, String(i + 1)) : home,
  }))
  return { name, home, nodes, secure, secrets: join(home, 'secrets') }
}

/** What runs on this port, of whatever kind; else what was asked for. */
function present() {
  const asked = deployment(Number(values.brokers ?? 1), values.secure)
  const names = existsSync(cache) ? readdirSync(cache) : []
  const known = names.flatMap((name) => {
    const match = new RegExp(`^${port}(?:-x(\\d))?(-secure)?$`).exec(name)
    return match === null ? [] : [deployment(Number(match[1] ?? 1), match[2] !== undefined)]
  })
  return known.find(({ nodes }) => nodes.some((node) => ourPid(node) !== undefined)) ?? asked
}

/** Two test runs may ask at the same moment: the second waits and finds the brokers up. */
async function up() {
  if (values.fresh) await down()
  const wanted = deployment(Number(values.brokers ?? 1), values.secure)
  const found = present()
  if (found.name !== wanted.name && (values.brokers !== undefined || values.secure)) {
    throw new Mishap(`port ${port} belongs to ${found.name}: end that first (down), or take --port`)
  }
  if (await allAnswer(found)) return status()
  return locked(async () => {
    if (await allAnswer(found)) return status()
    needs('java', ['-version'], 'install a Java runtime, 17 or newer, e.g. openjdk-17-jre-headless')
    await fetchJars()
    const passwords = found.secure ? secretsIn(found.secrets) : {}
    for (const node of found.nodes) {
      mkdirSync(node.home, { recursive: true })
      const text = properties(found, node, passwords)
      writeFileSync(join(node.home, 'server.properties'), text, { mode: 0o600 })
    }
    await Promise.all(found.nodes.map((node) => format(node, passwords)))
    const absent = found.nodes.filter((node) => ourPid(node) === undefined)
    await Promise.all(absent.map((node) => start(node, found)))
    await until(() => allAnswer(found), START_MS_MAX, `not all brokers of ${found.name} answer`)
    return status()
  })
}

async function down() {
  const { nodes, home } = present()
  const pids = nodes.map(ourPid).filter((pid) => pid !== undefined)
  for (const pid of pids) process.kill(pid, 'SIGTERM')
  const over = () => !pids.some(alive)
  const which = `the broker, pid ${pids.join(', ')}, did not stop`
  if (nodes.length > 1 && !(await within(over, FAREWELL_MS_MAX))) {
    for (const pid of pids.filter(alive)) process.kill(pid, 'SIGKILL')
  }
  await until(over, STOP_MS_MAX, which)
  for (const node of nodes) {
    rmSync(join(node.home, 'pid'), { force: true })
    if (values.fresh) rmSync(join(node.home, 'data'), { recursive: true, force: true })
  }
  if (values.fresh) rmSync(join(home, 'secrets'), { recursive: true, force: true })
  return status()
}

async function status() {
  const found = present()
  const { nodes, home, secrets } = found
  const answering = await Promise.all(nodes.map(answers))
  return {
    running: answering.every(Boolean),
    brokers: nodes.filter((_, i) => answering[i]).map((node) => `127.0.0.1:${node.port}`),
    pid: ourPid(nodes[0]) ?? null,
    pids: nodes.map((node) => ourPid(node) ?? null),
    home,
    ...(found.secure ? { secrets } : {}),
  }
}

async function allAnswer({ nodes }) {
  return (await Promise.all(nodes.map(answers))).every(Boolean)
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

function properties({ nodes, secure, secrets }, node, passwords) {
  const replication = Math.min(3, nodes.length)
  const filled = {
    nodeId: node.id,
    port: node.port,
    controllerPort: node.port + 1,
    voters: nodes.map((each) => `${each.id}@127.0.0.1:${each.port + 1}`).join(),
    protocol: secure ? 'SASL_SSL' : 'PLAINTEXT',
    controllerProtocol: secure ? 'SSL' : 'PLAINTEXT',
    dataDirectory: join(node.home, 'data'),
    replication,
    inSync: Math.max(1, replication - 1),
    secrets,
    adminPassword: passwords.admin,
  }
  const recipes = ['server.properties', ...(secure ? ['secure.properties'] : [])]
  return recipes
    .map((name) => readFileSync(join(recipe, name), 'utf8'))
    .join('')
    .replace(/\{(\w+)\}/g, (all, name) => filled[name] ?? all)
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

async function format({ home }, passwords) {
  if (existsSync(join(home, 'data/meta.properties'))) return
  const users = Object.entries(passwords).flatMap(([name, password]) => [
    '--add-scram',
    `SCRAM-SHA-512=[name=${name},password=${password}]`,
  ])
  const args = ['format', '-t', CLUSTER_ID, '-c', join(home, 'server.properties'), ...users]
  const heap = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
  const tool = spawn('java', java(heap, 'kafka.tools.StorageTool', args))
  let said = ''
  for (const stream of [tool.stdout, tool.stderr]) stream.on('data', (text) => (said += text))
  const exit = await new Promise((resolve) => tool.once('close', resolve))
  if (exit !== 0) throw new Mishap(`formatting failed:\n${said}`)
}

async function start(node, { nodes }) {
  const logFile = join(node.home, 'broker.log')
  const log = openSync(logFile, 'w')
  // Several brokers share a small machine: they start sooner, and reach less.
  const small = ['-Xms96m', '-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const large = ['-Xms256m', '-Xmx512m', '-XX:+UseG1GC']
  const heap = [...(nodes.length > 1 ? small : large), '-XX:+ExitOnOutOfMemoryError']
  const settings = join(node.home, 'server.properties')
  const broker = spawn('java', java(heap, 'kafka.Kafka', [settings]), {
    cwd: node.home,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  broker.unref()
  writeFileSync(join(node.home, 'pid'), String(broker.pid))
  const up = async () => {
    const said = readFileSync(logFile, 'utf8')
    if (!alive(broker.pid)) throw new Mishap(`broker ${node.id} died:\n${tail(said)}`)
    return said.includes('Kafka Server started') && (await answers(node))
  }
  await until(up, START_MS_MAX, `broker ${node.id} did not start, see ${logFile}`)
}

function tail(text) {
  return text.split('\n').slice(-20).join('\n')
}

/** Process ids are used again: a pid counts as ours only while its command line names our folder. */
function ourPid({ home }) {
  const file = join(home, 'pid')
  if (!existsSync(file)) return undefined
  const pid = Number(readFileSync(file, 'utf8'))
  if (!alive(pid)) return undefined
  const { stdout } = spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], {
    encoding: 'utf8',
  })
  const ours =
    stdout === undefined || stdout === null || stdout.includes(`${home}/server.properties`)
  return ours ? pid : undefined
}

function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function answers(node) {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port: node.port })
    const end = (value) => {
      socket.destroy()
      resolve(value)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}

async function until(condition, limitMs, otherwise) {
  if (!(await within(condition, limitMs))) throw new Mishap(otherwise)
}

async function within(condition, limitMs) {
  for (let waitedMs = 0; !(await condition()); waitedMs += 100) {
    if (waitedMs >= limitMs) return false
    await sleep(100)
  }
  return true
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
