// The status page: loads the lists once, then follows /v1/stream. No framework, no inline code, and
// text from records only ever enters the page through textContent.

const FEED_MAX = 100
const NODES_SHOWN = 15
const NODE_PAGE = 1000
const REDRAW_MS = 250

const nodes = new Map()
const feeds = { predictions: [], commands: [], decisions: [], maintenance: [], conditions: [] }
let about = { counts: {} }
let redrawing = false

void start()

async function start() {
  await loadAll()
  const stream = new EventSource('/v1/stream')
  stream.addEventListener('open', () => connection('live', 'live'))
  stream.addEventListener('error', () => connection('lost', 'connection lost, trying again'))
  stream.addEventListener('gap', () => void loadAll())
  on(stream, 'node', takeNode)
  on(stream, 'prediction', (prediction) => push('predictions', prediction))
  on(stream, 'command', takeCommand)
  on(stream, 'decision', takeDecision)
  setInterval(() => void loadAbout(), 2000)
}

function on(stream, kind, take) {
  stream.addEventListener(kind, (event) => {
    take(JSON.parse(event.data))
    redrawSoon()
  })
}

async function loadAll() {
  try {
    await Promise.all([loadAbout(), loadNodes(), ...Object.keys(feeds).map(loadFeed)])
    redrawSoon()
  } catch {
    connection('lost', 'the service does not answer')
  }
}

async function load(path) {
  const answer = await fetch(path)
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`)
  return answer.json()
}

async function loadAbout() {
  about = await load('/v1/about')
  redrawSoon()
}

async function loadNodes() {
  nodes.clear()
  let cursor = null
  do {
    const query = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = await load(`/v1/nodes?limit=${NODE_PAGE}${query}`)
    for (const node of page.items) nodes.set(node.node, node)
    cursor = page.nextCursor
  } while (cursor !== null)
}

async function loadFeed(name) {
  feeds[name] = (await load(`/v1/${name}?limit=${FEED_MAX}`)).items
}

function takeNode(node) {
  if (node.left === true) nodes.delete(node.node)
  else nodes.set(node.node, node)
}

function takeCommand(command) {
  const at = feeds.commands.findIndex((held) => held.commandId === command.commandId)
  if (at === -1) push('commands', command)
  else feeds.commands[at] = command
}

function takeDecision(entry) {
  push('decisions', entry)
  if (entry.condition !== undefined) void loadFeed('conditions').then(redrawSoon)
  if (entry.window !== undefined) void loadFeed('maintenance').then(redrawSoon)
}

function push(name, item) {
  feeds[name].unshift(item)
  if (feeds[name].length > FEED_MAX) feeds[name].pop()
}

/** Streams can carry thousands of events a second; the page is drawn four times at most. */
function redrawSoon() {
  if (redrawing) return
  redrawing = true
  setTimeout(() => {
    redrawing = false
    redraw()
  }, REDRAW_MS)
}

function redraw() {
  const { counts, mode, provider, bus, version } = about
  replace('about', Object.entries({ mode, provider: provider ?? 'none', bus, version }).map(fact))
  const silent = [...nodes.values()].filter((node) => node.liveness === 'silent').length
  const figures = {
    nodes: nodes.size,
    silent,
    predictions: counts.predictions ?? 0,
    commands: counts.commands ?? 0,
    decisions: counts.decisions ?? 0,
  }
  replace('summary', Object.entries(figures).map(figure))
  degraded(about.degraded ?? [])
  const worst = [...nodes.values()].sort((a, b) => need(b) - need(a)).slice(0, NODES_SHOWN)
  document.querySelector('#nodes tbody').replaceChildren(...worst.map(nodeRow))
  feed('predictions', predictionText)
  feed('commands', commandText)
  feed('decisions', decisionText)
  feed('maintenance', windowText)
  feed('conditions', conditionText)
}

/** The section is there only while it has something to say. */
function degraded(modes) {
  const section = document.getElementById('degraded')
  section.hidden = modes.length === 0
  const items = modes.map(({ mode, sinceMs, lost, detail }) =>
    element('li', [clock(sinceMs), element('span', [`${mode}: ${lost} (${detail})`], 'warn')]),
  )
  section.querySelector('ol').replaceChildren(...items)
}

/** Silent nodes first, then by probability, then by bad health. */
function need(node) {
  const silent = node.liveness === 'silent' ? 10 : 0
  return silent + 2 * (node.probability ?? 0) + (1 - (node.health ?? 1))
}

function nodeRow(node) {
  const liveness = { live: 'good', silent: 'bad', unknown: 'warn' }[node.liveness]
  return element('tr', [
    element('td', [node.node]),
    element('td', [node.pool ?? '']),
    element('td', [node.liveness ?? ''], liveness),
    element('td', [ratio(node.health)], 'number'),
    element('td', [ratio(node.probability)], node.probability >= 0.5 ? 'number bad' : 'number'),
  ])
}

function predictionText(prediction) {
  const { node, probability, actingPoint, top } = prediction
  const because = (top ?? []).slice(0, 3).map(reasonText)
  const text = `${node} ${ratio(probability)}`
  return {
    text: because.length === 0 ? text : `${text} because of ${because.join(', ')}`,
    tone: probability >= (actingPoint ?? 1) ? 'bad' : '',
  }
}

/** As `besideText` says it in the journal. */
function reasonText({ feature, value, expected, peerPercentile }) {
  const short = (number) => String(Number(number.toPrecision(4)))
  const beside = []
  if (expected) {
    const { low, high } = expected
    if (high === null) beside.push(`usual above ${short(low)}`)
    else beside.push(`usual ${low === high ? short(low) : `${short(low)} to ${short(high)}`}`)
  }
  if (Number.isFinite(peerPercentile)) {
    const isAbove = peerPercentile >= 0.5
    const share = Math.floor((isAbove ? peerPercentile : 1 - peerPercentile) * 100)
    beside.push(`${isAbove ? 'above' : 'below'} ${share} % of its peers`)
  }
  const shown = Number.isFinite(value) ? short(value) : 'missing'
  return `${feature} ${shown}${beside.length === 0 ? '' : ` (${beside.join(', ')})`}`
}

function commandText(command) {
  const { action, workload, node, target, state, reasons } = command
  const what = workload === null ? node : `${workload} from ${node}`
  const where = target === null ? '' : ` to ${target}`
  const tone = { verified: 'good', failed: 'bad', rejected: 'bad' }[state] ?? ''
  return { text: `${action} ${what}${where}: ${state}. ${(reasons ?? []).join(' ')}`, tone }
}

function decisionText(entry) {
  const { kind, rail, node, reasons } = entry
  const refused = rail === null || rail === undefined ? '' : ` (${rail})`
  const tone = { refusal: 'warn', outcome: 'good' }[kind] ?? ''
  return { text: `${kind}${refused} ${node ?? ''}: ${(reasons ?? []).join(' ')}`, tone }
}

function windowText(window) {
  const { state, node, zone, pool, endMs, by, reason } = window
  const of = node ?? (zone === null ? `pool ${pool}` : `zone ${zone}`)
  const end = new Date(endMs).toLocaleString()
  return {
    text: `${of} until ${end}, ${state}: ${reason} (${by})`,
    tone: state === 'running' ? 'warn' : '',
  }
}

function conditionText({ pool, name, summary }) {
  return { text: `${pool}, ${name}: ${summary}`, tone: 'bad' }
}

function feed(name, describe) {
  const items = feeds[name].map((item) => {
    const { text, tone } = describe(item)
    return element('li', [
      clock(item.startMs ?? item.sinceMs ?? item.atMs ?? item.resultAtMs),
      element('span', [text], tone),
    ])
  })
  replace(name, items.length === 0 ? [element('li', ['nothing yet'], 'empty')] : items)
}

function clock(atMs) {
  const time = element('time', [])
  if (Number.isFinite(atMs)) {
    const date = new Date(atMs)
    time.dateTime = date.toISOString()
    time.textContent = date.toLocaleTimeString()
  }
  return time
}

function fact([name, value]) {
  return element('div', [element('dt', [name]), element('dd', [String(value ?? '')])])
}

function figure([name, value]) {
  return element('li', [
    element('strong', [Number(value).toLocaleString()]),
    element('span', [name]),
  ])
}

function ratio(value) {
  return typeof value === 'number' ? value.toFixed(2) : '–'
}

function replace(id, children) {
  document.getElementById(id).replaceChildren(...children)
}

function element(tag, children, className = '') {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  made.append(...children)
  return made
}

function connection(className, text) {
  const status = document.getElementById('connection')
  status.className = className
  status.textContent = text
}
