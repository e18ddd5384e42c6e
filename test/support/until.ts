/** Waits for a condition, not for a time: it asks until the answer is there, or fails with what it waits for. */
const POLL_MS = 50

export async function until<Value>(
  what: string,
  limitMs: number,
  ask: () => Value | undefined | false | Promise<Value | undefined | false>,
): Promise<Value> {
  const deadlineMs = performance.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > deadlineMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
