/** Options of a script: what is not one of them is wrong use, told in a line and answered with 2. */
import { parseArgs, type ParseArgsConfig } from 'node:util'

export function optionsOf<Options extends NonNullable<ParseArgsConfig['options']>>(
  options: Options,
): ReturnType<typeof parseArgs<{ options: Options }>>['values'] {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`)
    const what = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${what}; known: ${known.join(', ')}\n`)
    return process.exit(2)
  }
}
