/** Bounds of what a command that reads whole topics keeps in memory. */
import { ServiceError } from '../core/errors.ts'

/** ServiceError INPUT_INVALID where one more does not fit. */
export function checkHeld(
  held: number,
  max: number,
  {
    command,
    what,
    mend,
  }: { readonly command: string; readonly what: string; readonly mend: string },
): void {
  if (held < max) return
  throw new ServiceError('INPUT_INVALID', `${command}: there are more than ${max} ${what}; ${mend}`)
}
