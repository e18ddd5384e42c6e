import { expect, test } from 'vitest'
import { createConsole, outputRecord } from '../../support/console.ts'

function told(ballot: string, state: string, voteCount: number, atMs: number, pool = 'web') {
  const record = { ballot, state, voteCount, subject: 'fences' }
  return outputRecord('journal', { kind: 'ballot', atMs, pool, ballot: record })
}

test('the newest word on each ballot is listed, whatever the order in which lines are read', async () => {
  const { app, views } = createConsole()
  views.fold(told('b1', 'open', 0, 1))
  views.fold(told('b1', 'open', 2, 5))
  views.fold(told('b1', 'open', 1, 5))
  views.fold(told('b2', 'approved', 4, 6, 'db'))
  views.fold(told('b2', 'open', 4, 6, 'db'))
  const items = async (query: string) => {
    const answer = await (await app.request(`/v1/ballots${query}`)).json()
    return (answer as { items: { ballot: string; state: string; voteCount: number }[] }).items.map(
      ({ ballot, state, voteCount }) => `${ballot} ${state} ${voteCount}`,
    )
  }
  expect(await items('')).toEqual(['b2 approved 4', 'b1 open 2'])
  expect(await items('?state=open')).toEqual(['b1 open 2'])
  expect(await items('?pool=db')).toEqual(['b2 approved 4'])
})
