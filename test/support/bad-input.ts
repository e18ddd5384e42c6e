/** Every kind of bad input that is answered with a message of its own, and the suite with its row. */
export const BAD_INPUTS = {
  'unknown configuration key': 'test/cli/bad-input.test.ts',
  'unreachable broker': 'test/cli/bad-input.test.ts',
  'missing topics': 'test/cli/bad-input.test.ts',
  'wrong partition count': 'test/cli/bad-input.test.ts',
  'corrupt model': 'test/cli/bad-input.test.ts',
  'model of other features': 'test/cli/bad-input.test.ts',
  'empty data folder': 'test/cli/bad-input.test.ts',
  'port in use': 'test/cli/bad-input.test.ts',
  'second process on one embedded store': 'test/cli/bad-input.test.ts',
  'broker that goes away': 'test/integration/bad-input.test.ts',
  'wrong Arrow types': 'test/integration/bad-input.test.ts',
  'schema mismatch': 'test/integration/bad-input.test.ts',
  '10 MB message': 'test/integration/bad-input.test.ts',
  '64 KB node id': 'test/integration/bad-input.test.ts',
  'time stamp in the future': 'test/integration/bad-input.test.ts',
  'time stamp in the past': 'test/integration/bad-input.test.ts',
} as const

export type BadInput = keyof typeof BAD_INPUTS
