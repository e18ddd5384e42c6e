/** Of cuda.mjs, for the test that holds it to package.json and Dockerfile.cuda. */
export declare const CUDA: {
  readonly version: string
  readonly libraries: Readonly<Record<string, string>>
  readonly driverMin: number
  readonly runtime: readonly string[]
}

export interface CudaFacts {
  readonly platform: string
  readonly onnxRuntime: string
  readonly driver: string | null
  readonly gpu: string | null
  readonly libraries: Readonly<Record<string, string | null>>
  readonly runtime: Readonly<Record<string, boolean>>
}

export interface CudaFinding {
  readonly what: string
  readonly found: string
  readonly ok: boolean
  readonly mend: string
  readonly byUs: boolean
}

export declare function judge(facts: CudaFacts): readonly CudaFinding[]
