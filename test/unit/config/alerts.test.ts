import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/config.ts'

const load = (text: string, env = {}) => loadConfig({ text, env }).alerts

test('nobody is paged unless a receiver is named, and the secret may come from the environment', () => {
  expect(load('')).toMatchObject({ alertmanager: null, webhook: null })
  const env = { FORESHOCK_ALERTS_WEBHOOK_SECRET: 'sixteen characters' }
  expect(load('[alerts.webhook]\nurl = "http://127.0.0.1/x"', env).webhook).toEqual({
    url: 'http://127.0.0.1/x',
    secret: 'sixteen characters',
  })
})

test.each([
  { line: 'repeat = "1s"', told: '`alerts.repeat`: expected from 1m to 7d' },
  { line: 'escalate_after = "8d"', told: '`alerts.escalate_after`: expected from 1s to 7d' },
  { line: 'pages_per_minute = 0', told: '`alerts.pages_per_minute`:' },
  {
    line: '[alerts.alertmanager]\nurl = "9093"',
    told: '`alerts.alertmanager.url`: expected an http',
  },
  { line: '[alerts.webhook]\nurl = "http://h"\nsecret = "x"', told: 'at least 16 characters' },
])('$line is refused: $told', ({ line, told }) => {
  expect(() => load(`[alerts]\n${line}`)).toThrow(told)
})
