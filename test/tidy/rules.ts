/** The rules on the shape of the code, each a function from a file to what it breaks. */
import { codeOf, importsOf, lineCount, resolveImport } from './source.ts'
import type { SourceFile } from './source.ts'

export const LINES_MAX = 400

/** ARCHITECTURE.md, "Folders and imports". A folder may always import itself. */
export const LAYERS: Readonly<Record<string, readonly string[] | 'everything'>> = {
  core: [],
  alerts: ['core', 'resilience'],
  ingest: ['core'],
  state: ['core'],
  predict: ['core', 'resilience'],
  detect: ['core'],
  decide: ['core'],
  recover: ['core'],
  config: ['core', 'detect'],
  bus: ['core'],
  store: ['core', 'alerts', 'resilience'],
  agent: ['core', 'resilience'],
  fleet: ['core'],
  resilience: ['core'],
  http: ['core', 'store', 'alerts'],
  pipeline: ['core', 'ingest', 'state', 'predict', 'detect', 'decide', 'recover', 'resilience'],
  training: ['core', 'ingest', 'state', 'detect', 'predict'],
  simulate: [
    'core',
    'config',
    'agent',
    'decide',
    'detect',
    'fleet',
    'ingest',
    'pipeline',
    'predict',
    'state',
    'bus/simulated',
  ],
  commands: 'everything',
  main: 'everything',
}

/** Folders whose results are functions of records: time and chance come in as values. */
const PURE = ['core', 'alerts', 'decide', 'detect', 'recover', 'fleet']

const BANNED_CODE: readonly (readonly [RegExp, string])[] = [
  [/(?::|<|\bas)\s*any\b|\bany\[\]|,\s*any>/, 'any: say what it is, or unknown'],
  [/^\s*(?:export\s+)?(?:const\s+|declare\s+)*enum\s/m, 'enum: use a union of strings'],
  [/^\s*(?:export\s+)?(?:declare\s+)?namespace\s/m, 'namespace: use a module'],
  [/\bexport\s+default\b/, 'export default: give it a name'],
  [/constructor\([^)]*\b(?:private|public|protected)\s/, 'parameter property: write the field'],
  [/@ts-(?:ignore|nocheck)/, 'a switched-off type check'],
]

const BANNED_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(?:TODO|FIXME|XXX|HACK)\b/, 'a note to do later: do it, or open an issue'],
  [/@ts-(?:ignore|nocheck)/, 'a switched-off type check'],
]

const BANNED_NAMES =
  /(?:^|\/)(?:utils?|helpers?|common|misc|types|index)\.(?:ts|mjs)$|\/(?:utils?|helpers?|common|misc)\//

/** The area of a file: its folder under src, or `training` for the folder beside it. */
export function areaOf(path: string): string | undefined {
  const [top, folder] = path.split('/')
  if (top === 'training') return 'training'
  if (top !== 'src') return undefined
  return folder === 'main.ts' ? 'main' : folder
}

/** Imports that the table does not allow. */
export function layerProblems({ path, text }: SourceFile): readonly string[] {
  const area = areaOf(path)
  if (area === undefined) return []
  const allowed = LAYERS[area]
  if (allowed === undefined) return [`${path}: folder ${area} is not in the import table`]
  return importsOf(text).flatMap((specifier) => {
    const target = resolveImport(path, specifier)
    if (target === undefined) {
      return area === 'core' ? [`${path}: core imports nothing, not even ${specifier}`] : []
    }
    const targetArea = areaOf(target)
    if (targetArea === area || allowed === 'everything') return []
    if (targetArea === undefined) return [`${path}: imports ${target}, which is no source`]
    const inFolder = allowed.some(
      (name) => targetArea === name || target.startsWith(`src/${name}/`),
    )
    return inFolder ? [] : [`${path}: ${area} may not import ${targetArea} (${specifier})`]
  })
}

export function sizeProblems({ path, text }: SourceFile): readonly string[] {
  const count = lineCount(text)
  return count > LINES_MAX ? [`${path}: ${count} lines of code, ${LINES_MAX} at most`] : []
}

export function wordProblems({ path, text }: SourceFile): readonly string[] {
  const code = codeOf(text)
  const problems: string[] = []
  for (const [pattern, because] of BANNED_CODE) {
    if (pattern.test(code)) problems.push(`${path}: ${because}`)
  }
  for (const [pattern, because] of BANNED_TEXT) {
    if (pattern.test(text)) problems.push(`${path}: ${because}`)
  }
  if (BANNED_NAMES.test(path)) problems.push(`${path}: the file name says nothing`)
  return problems
}

/** Clocks, chance and environment where they may not be read. */
export function impurityProblems({ path, text }: SourceFile): readonly string[] {
  const area = areaOf(path)
  if (area === undefined) return []
  const code = codeOf(text)
  const problems: string[] = []
  if (area !== 'main' && /\bprocess\.env\b/.test(code)) {
    problems.push(`${path}: only main.ts reads process.env`)
  }
  const impure = /\bDate\.now\b|\bMath\.random\b|\bperformance\.now\b|\bnew Date\(\s*\)/.exec(code)
  if (PURE.includes(area) && impure !== null) {
    problems.push(`${path}: ${impure[0]}; time and chance are passed in`)
  }
  return problems
}

/** What ties a file to one machine or one mirror. The patterns are split so as not to match here. */
export function portabilityProblems({ path, text }: SourceFile): readonly string[] {
  const patterns: readonly (readonly [RegExp, string])[] = [
    [/https?:\/\/(?:registry\.|[\w.-]*(?:artifactory|nexus|verdaccio))[^\s"']*/, 'a registry'],
    [/(?<![\w.])\/(?:home|Users|root|work)\/[\w.-]+/, "a path of somebody's machine"],
  ]
  return patterns.flatMap(([pattern, what]) => {
    const found = pattern.exec(text)
    return found === null ? [] : [`${path}: ${what}: ${found[0]}`]
  })
}
