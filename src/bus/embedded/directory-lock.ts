/**
 * One process per store directory. The lock file names the process and when it started, because a
 * number alone is soon another process: in a container the service is often the same one again.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { ServiceError } from '../../core/errors.ts'

const LOCK_FILE = 'foreshock.lock'
const TRIES_MAX = 5

/** Throws STORE_LOCKED while another lives; the answer gives the lock back. */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, LOCK_FILE)
  const mine = `${process.pid} ${startOf(process.pid)}`
  // Linked into place, so that nobody ever reads a half-written lock.
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, mine)
  try {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (tryLink(draft, path)) return () => rmSync(path, { force: true })
      const holder = readLock(path)
      if (holder === undefined) continue
      if (isAlive(holder)) throw locked(directory, holder)
      takeAway(path, holder)
    }
    throw locked(directory, readLock(path) ?? 'unknown')
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Removes a dead process's lock; puts it back if another was quicker and it is a living one's. */
function takeAway(path: string, holder: string): void {
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  if (readLock(aside) !== holder) tryLink(aside, path)
  rmSync(aside, { force: true })
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function isAlive(holder: string): boolean {
  const [pidText, start = ''] = holder.split(' ')
  const pid = Number(pidText)
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return start === '' || startOf(pid) === start
}

/** Start time in clock ticks since boot; empty where the system does not tell. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold spaces; the 20th field after it is the start time.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function locked(directory: string, holder: string): ServiceError {
  return new ServiceError(
    'STORE_LOCKED',
    `the store in ${directory} is in use by process ${holder.split(' ')[0]}; ` +
      'stop it or use another state directory',
  )
}
