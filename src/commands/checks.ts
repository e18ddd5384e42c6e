/** `foreshock probe --checks FILE`: the services that a node looks at, as TOML, each a `[[check]]`. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type Check, CHECKS_MAX } from '../agent/prober.ts'
import type { NodeId } from '../core/ids.ts'
import { checked, invalid, parseToml } from '../config/toml.ts'

/** Of Docker; Podman's is told by `podman info`. */
const SOCKET = '/var/run/docker.sock'
const PORT_MAX = 65_535

const name = z.string().min(1).max(128)

const address = z.string().transform((text, context) => {
  const at = text.lastIndexOf(':')
  const [host, port] = [text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), Number(text.slice(at + 1))]
  if (at > 0 && host !== '' && Number.isInteger(port) && port >= 1 && port <= PORT_MAX) {
    return { host, port }
  }
  context.addIssue({
    code: 'custom',
    message: `"${text}" is no address; write HOST:PORT, such as "127.0.0.1:5432"`,
  })
  return z.NEVER
})

const url = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    error: ({ input }) => `"${String(input)}" is no http or https address`,
  })

const CheckTable = z.strictObject({
  service: name,
  about: name.optional(),
  priority: z.enum(['critical', 'normal', 'low']).optional(),
  tcp: address.optional(),
  url: url.optional(),
  container: name.optional(),
  socket: z.string().min(1).optional(),
})
type CheckTable = z.output<typeof CheckTable>

const ChecksFile = z.strictObject({ check: z.array(CheckTable).min(1).max(CHECKS_MAX) })

/**
 * The checks of a file; a service runs on `node` where nothing else is said.
 * @throws ServiceError CONFIG_INVALID with one line for each mistake, or where the file cannot be read.
 */
export function loadChecks(file: string, node: NodeId): readonly Check[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalid(`${file}: cannot be read; name a file with [[check]] tables`, cause)
  }
  const { check } = checked(ChecksFile, parseToml(text, file), file)
  return check.map((table, i) => ({
    about: (table.about ?? node) as NodeId,
    service: table.service,
    priority: table.priority ?? 'normal',
    how: howOf(table, `${file}: \`check.${i}\``),
  }))
}

function howOf({ tcp, url: page, container, socket }: CheckTable, where: string): Check['how'] {
  const given = [tcp, page, container].filter((one) => one !== undefined)
  if (given.length !== 1) {
    throw invalid(`${where}: give one of tcp, url and container, and only one`)
  }
  if (socket !== undefined && container === undefined) {
    throw invalid(`${where}: socket is for a container; leave it out`)
  }
  if (tcp !== undefined) return { probe: 'tcp', ...tcp }
  if (page !== undefined) return { probe: 'http', url: page }
  return { probe: 'container', container: container!, socket: socket ?? SOCKET }
}
