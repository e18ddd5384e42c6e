// Goal: the page shows what the service knows, live, in a real browser and under its own strict policy.
// Method: the real app on a free port, records folded by hand, Chromium from the system.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DegradedMode } from '../../src/core/degraded.ts'
import { loadPage } from '../../src/http/page.ts'
import { listen } from '../../src/http/server.ts'
import type { HttpServer } from '../../src/http/server.ts'
import { command, createConsole, outputRecord, result } from '../support/console.ts'

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = process.env['FORESHOCK_CHROMIUM'] ?? PATHS.find((path) => existsSync(path))

if (executablePath === undefined) {
  const message =
    'No Chromium: the test of the page is SKIPPED. Install it, or set FORESHOCK_CHROMIUM.'
  if (process.env['CI'] === 'true') throw new Error(message)
  process.stderr.write(`\n${'!'.repeat(80)}\n${message}\n${'!'.repeat(80)}\n`)
}

describe.skipIf(executablePath === undefined)('the status page', () => {
  const files = loadPage(resolve(import.meta.dirname, '../../dashboard'))
  const degraded: DegradedMode[] = []
  const about = () => ({ version: '0', bus: 'b', mode: 'observe', provider: null, degraded })
  const { app, views } = createConsole({ page: files, about })
  const complaints: string[] = []
  let server: HttpServer
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    server = await listen(app, { host: '127.0.0.1', port: 0 })
    browser = await chromium.launch({
      executablePath: executablePath!,
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    page = await browser.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
  })

  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  test('what is known at the start is there, and what happens later comes by itself', async () => {
    views.fold(outputRecord('nodes', { node: 'n-quiet', pool: 'a', liveness: 'live', health: 1 }))
    await page.goto(server.url)
    await page.getByText('live', { exact: true }).first().waitFor()
    await page.getByRole('cell', { name: 'n-quiet' }).waitFor()

    views.fold(
      outputRecord('nodes', { node: 'n-dead', pool: 'a', liveness: 'silent', health: 0.2 }),
    )
    const expected = { low: 0, high: 1, quantiles: [0.1, 0.9] }
    const top = [
      { feature: 'smart_197.value', value: 24, expected, peerPercentile: 0.995, contribution: 2 },
      { feature: 'age.hours', value: null, expected: null, peerPercentile: null, contribution: 1 },
    ]
    views.fold(outputRecord('predictions', { node: 'n-hot', atMs: 1, probability: 0.91, top }))
    views.fold(outputRecord('commands.migration', command('c1')))
    views.fold(
      outputRecord('journal', {
        kind: 'refusal',
        rail: 'cooldown',
        node: 'n-hot',
        atMs: 1,
        reasons: ['moved 2 minutes ago'],
      }),
    )
    await page
      .getByText(
        'n-hot 0.91 because of smart_197.value 24 (usual 0 to 1, above 99 % of its peers), age.hours missing',
      )
      .waitFor()
    await page.getByText('migrate w1 from n1 to n2: sent').waitFor()
    await page.getByText('refusal (cooldown) n-hot: moved 2 minutes ago').waitFor()
    // A silent node needs attention first.
    const first = page.locator('#nodes tbody tr').first()
    await first.getByText('n-dead').waitFor()

    views.fold(outputRecord('results', result('c1', 'verified', 5)))
    await page.getByText('migrate w1 from n1 to n2: verified').waitFor()
  })

  test('what is degraded is shown while it lasts, with what is lost', async () => {
    expect(await page.locator('#degraded').isVisible()).toBe(false)
    degraded.push({ mode: 'history-off', sinceMs: 1_000, lost: 'records', detail: 'ENOSPC' })
    await page.getByText('history-off: records (ENOSPC)').waitFor()
    degraded.length = 0
    await page.locator('#degraded').waitFor({ state: 'hidden' })
  })

  test('text of records stays text', async () => {
    const node = '<img src=x onerror="document.title=1">'
    views.fold(outputRecord('nodes', { node, liveness: 'silent' }))
    await page.getByRole('cell', { name: node }).waitFor()
    expect(await page.locator('#nodes img').count()).toBe(0)
    expect(await page.title()).toBe('Foreshock')
  })

  test('the page reads well in the dark and in the light', async () => {
    const ground = async (colorScheme: 'dark' | 'light') => {
      await page.emulateMedia({ colorScheme })
      return page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    }
    expect(await ground('dark')).not.toBe(await ground('light'))
    const directory = process.env['FORESHOCK_SCREENSHOTS']
    if (directory !== undefined) await page.screenshot({ path: join(directory, 'page.png') })
  })

  test('the policy that forbids inline code is sent, and nothing broke it', async () => {
    const answer = await page.request.get(server.url)
    const policy = answer.headers()['content-security-policy'] ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(complaints).toEqual([])
  })
})
