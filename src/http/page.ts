/** The status page: the files of `dashboard/`, read once, served under a policy without inline code. */
import { readFileSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { Hono } from 'hono'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface PageFile {
  readonly type: string
  readonly text: string
}

/** File name → file. Only the kinds of file a page is made of. */
export function loadPage(directory: string): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of readdirSync(directory)) {
    const type = TYPES[extname(name)]
    if (type !== undefined) {
      files.set(name, { type, text: readFileSync(join(directory, name), 'utf8') })
    }
  }
  return files
}

export function pageRoutes(files: ReadonlyMap<string, PageFile>): Hono {
  const routes = new Hono()
  for (const [name, { type, text }] of files) {
    routes.get(name === 'index.html' ? '/' : `/${name}`, (c) =>
      c.body(text, 200, {
        'content-type': type,
        'content-security-policy': POLICY,
        'cache-control': 'no-cache',
      }),
    )
  }
  return routes
}
