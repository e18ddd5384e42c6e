/** Reads TypeScript just well enough to judge its shape: imports, code without comments, identifiers. */
import { readFileSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import { spawnSync } from 'node:child_process'

export const ROOT = resolve(import.meta.dirname, '../..')

export interface SourceFile {
  /** From the root, with `/`. */
  readonly path: string
  readonly text: string
}

/** Tracked files and new ones that git would take. A name without a file has just been removed. */
export function trackedFiles(): readonly string[] {
  const { stdout } = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  return stdout.split('\0').filter((path) => path !== '')
}

export function readSource(path: string): SourceFile | undefined {
  try {
    return { path, text: readFileSync(join(ROOT, path), 'utf8') }
  } catch {
    // Removed between listing and reading.
    return undefined
  }
}

export function sourcesUnder(folder: string): readonly SourceFile[] {
  return trackedFiles()
    .filter((path) => path.startsWith(`${folder}/`) && path.endsWith('.ts'))
    .map(readSource)
    .filter((source) => source !== undefined)
}

/** Comments and the insides of texts become spaces, so that only code is judged; lines stay. */
export function codeOf(text: string): string {
  const pattern =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g
  return text.replace(pattern, (match) => {
    const quote = match[0]
    if (quote === '`') return templateCode(match)
    const blank = match.replace(/[^\n]/g, ' ')
    return quote === '/' ? blank : `${quote}${blank.slice(2)}${quote}`
  })
}

/** Of a template only what stands in `${}` is code. */
function templateCode(template: string): string {
  let code = ''
  let depth = 0
  for (let i = 0; i < template.length; i++) {
    const char = template[i]
    if (depth === 0 && char === '$' && template[i + 1] === '{') {
      depth = 1
      i++
      code += '  '
      continue
    }
    if (depth > 0 && char === '{') depth++
    if (depth > 0 && char === '}') depth--
    code += depth > 0 || char === '\n' ? char : ' '
  }
  return code
}

/** Lines that hold code. */
export function lineCount(text: string): number {
  return codeOf(text)
    .split('\n')
    .filter((line) => line.trim() !== '').length
}

/** Every module a file names: static, dynamic, re-exported, type-only. */
export function importsOf(text: string): readonly string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])([^'"\n]+)\1/g
  const withoutComments = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/[^\n]*/gm, '')
  return [...withoutComments.matchAll(pattern)].map((match) => match[2])
}

/** The file a relative specifier means, from the root; undefined for a package. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return posix.normalize(posix.join(posix.dirname(from), specifier))
}
