import { defineConfig } from 'vitest/config'

const suite = (name: string, timeoutMs: number, more: object = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: 120_000,
    ...more,
  },
})

/** One project per question (see the table in ARCHITECTURE.md). Brokers are shared: one file at a time. */
export default defineConfig({
  test: {
    projects: [
      suite('tidy', 20_000),
      suite('unit', 20_000),
      suite('property', 60_000),
      suite('wasm', 60_000),
      suite('parity', 120_000),
      suite('simulation', 120_000),
      suite('contract', 120_000, { fileParallelism: false }),
      suite('integration', 300_000, { fileParallelism: false }),
      suite('heldout', 600_000, { fileParallelism: false }),
      suite('gpu', 300_000, { fileParallelism: false }),
      suite('cli', 120_000),
      suite('browser', 120_000),
    ],
  },
})
