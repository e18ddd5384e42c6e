/** The streams of a command, kept as text. */
import type { Io } from '../../src/commands/command.ts'

export function createIo(more: Partial<Io> = {}) {
  const written = { stdout: '', stderr: '' }
  const io: Io = {
    stdout: (text) => void (written.stdout += text),
    stderr: (text) => void (written.stderr += text),
    isTTY: false,
    env: {},
    signal: new AbortController().signal,
    nowMs: () => 0,
    ...more,
  }
  return { io, written }
}
