/** `--action-cost` and `--failure-cost`: what acting, and not having acted, are worth to an operator. */
import { ServiceError } from '../core/errors.ts'
import type { Costs } from '../core/policy.ts'
import type { Arguments } from './command.ts'

/** `null`: not asked for. ServiceError USAGE when only one of the two is given. */
export function costsOf(args: Arguments): Costs | null {
  const action = args.number('action-cost', 0, true)
  const failure = args.number('failure-cost', 0, true)
  if (action === undefined && failure === undefined) return null
  if (action === undefined || failure === undefined) {
    throw new ServiceError('USAGE', '--action-cost and --failure-cost belong together: give both')
  }
  return { action, failure }
}
