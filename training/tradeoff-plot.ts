/** The trade-off as an SVG: recall and precision over the rate of false alarms, which is logarithmic. */
import type { TradeoffPoint } from '../src/core/model.ts'
import type { Tradeoff } from './tradeoff.ts'

const WIDTH = 720
const HEIGHT = 440
const LEFT = 56
const RIGHT = 16
const TOP = 48
const BOTTOM = 56
const RECALL = '#1f5fa8'
const PRECISION = '#b3541e'

/** @param acting marked in the plot; `null`: nothing is. */
export function plotTradeoff(
  title: string,
  { points }: Tradeoff,
  acting: TradeoffPoint | null,
): string {
  const rates = points.map((point) => point.falseAlarmsPer1000NodeMonths).filter((rate) => rate > 0)
  const low = Math.floor(Math.log10(Math.min(1, ...rates)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(1, ...rates))))
  const x = (rate: number) =>
    LEFT + ((Math.log10(Math.max(rate, 10 ** low)) - low) / (high - low)) * (WIDTH - LEFT - RIGHT)
  const y = (ratio: number) => HEIGHT - BOTTOM - ratio * (HEIGHT - TOP - BOTTOM)
  const line = (colour: string, of: (point: TradeoffPoint) => number) => {
    const path = points
      .map((point) => `${round(x(point.falseAlarmsPer1000NodeMonths))},${round(y(of(point)))}`)
      .join(' ')
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 20, 'start', escape(title), '#222'),
    text(LEFT, 38, 'start', 'recall of failures', RECALL),
    text(LEFT + 130, 38, 'start', 'precision of alerts', PRECISION),
    ...[0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((ratio) => [
      rule(LEFT, y(ratio), WIDTH - RIGHT, y(ratio)),
      text(LEFT - 8, y(ratio) + 4, 'end', String(ratio), '#222'),
    ]),
    ...Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)).flatMap((rate) => [
      rule(x(rate), TOP, x(rate), HEIGHT - BOTTOM),
      text(x(rate), HEIGHT - BOTTOM + 18, 'middle', String(Number(rate.toPrecision(1))), '#222'),
    ]),
    text(WIDTH / 2, HEIGHT - 14, 'middle', 'false alarms per 1,000 node-months', '#222'),
    line(RECALL, ({ recall }) => recall),
    line(PRECISION, ({ precision }) => precision),
    ...(acting === null ? [] : mark(acting, x, y)),
    '</svg>',
    '',
  ].join('\n')
}

function mark(
  acting: TradeoffPoint,
  x: (rate: number) => number,
  y: (ratio: number) => number,
): readonly string[] {
  const at = round(x(acting.falseAlarmsPer1000NodeMonths))
  const dot = (ratio: number, colour: string) =>
    `<circle cx="${at}" cy="${round(y(ratio))}" r="4" fill="${colour}"/>`
  return [
    `<line x1="${at}" y1="${TOP}" x2="${at}" y2="${HEIGHT - BOTTOM}" stroke="#222" stroke-dasharray="4 3"/>`,
    dot(acting.recall, RECALL),
    dot(acting.precision, PRECISION),
    text(at + 6, TOP + 14, 'start', `act at ${acting.probability.toPrecision(3)}`, '#222'),
  ]
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#ddd"/>`
}

function text(x: number, y: number, anchor: string, what: string, colour: string): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${colour}">${what}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
