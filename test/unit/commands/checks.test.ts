// Goal: a file of checks says what a node looks at, and each mistake in it is named with its mend.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadChecks } from '../../../src/commands/checks.ts'
import type { NodeId } from '../../../src/core/ids.ts'

const directory = mkdtempSync(join(tmpdir(), 'foreshock-checks-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function load(text: string) {
  const file = join(directory, 'checks.toml')
  writeFileSync(file, text)
  return loadChecks(file, 'n1' as NodeId)
}

test('each kind of check, with what may be left out', () => {
  const checks = load(`
[[check]]
service = "web"
url = "http://127.0.0.1:8080/healthz"
[[check]]
service = "db"
about = "n2"
priority = "critical"
tcp = "[::1]:5432"
[[check]]
service = "cache"
container = "redis"
`)
  expect(checks).toEqual([
    {
      about: 'n1',
      service: 'web',
      priority: 'normal',
      how: { probe: 'http', url: 'http://127.0.0.1:8080/healthz' },
    },
    {
      about: 'n2',
      service: 'db',
      priority: 'critical',
      how: { probe: 'tcp', host: '::1', port: 5432 },
    },
    {
      about: 'n1',
      service: 'cache',
      priority: 'normal',
      how: { probe: 'container', container: 'redis', socket: '/var/run/docker.sock' },
    },
  ])
})

test.each<[what: string, text: string, message: RegExp]>([
  ['no check', '', /`check`: /],
  ['no service', '[[check]]\nurl = "http://a/"', /`check\.0\.service`: /],
  ['nothing to ask', '[[check]]\nservice = "a"', /`check\.0`: give one of tcp, url and container/],
  [
    'two things to ask',
    '[[check]]\nservice = "a"\nurl = "http://a/"\ntcp = "a:1"',
    /give one of tcp, url and container, and only one/,
  ],
  [
    'no port',
    '[[check]]\nservice = "a"\ntcp = "host"',
    /`check\.0\.tcp`: "host" is no address; write HOST:PORT/,
  ],
  ['a port too high', '[[check]]\nservice = "a"\ntcp = "host:70000"', /"host:70000" is no address/],
  [
    'another scheme',
    '[[check]]\nservice = "a"\nurl = "ftp://a/"',
    /"ftp:\/\/a\/" is no http or https address/,
  ],
  [
    'a key misspelt',
    '[[check]]\nservic = "a"\ntcp = "a:1"',
    /unknown key `check\.0\.servic`; did you mean `check\.0\.service`\?/,
  ],
  [
    'a socket of nothing',
    '[[check]]\nservice = "a"\ntcp = "a:1"\nsocket = "/s"',
    /socket is for a container; leave it out/,
  ],
  ['no TOML', '[[check]\n', /line 1, column/],
])('%s is told', (_, text, message) => {
  expect(() => load(text)).toThrow(message)
})

test('a file that is not there is told', () => {
  expect(() => loadChecks(join(directory, 'none.toml'), 'n1' as NodeId)).toThrow(
    /none\.toml: cannot be read; name a file with \[\[check\]\] tables/,
  )
})
