/** What watchers and the inference thread say to each other; each request has one answer of its id. */
import type { ErrorCode } from '../core/errors.ts'
import type { ProviderChoice } from '../core/model.ts'
import type { GpuProvider } from './gpu-model.ts'
import type { EncodedRows, KeySlot } from './row-keys.ts'

export type InferenceRequest =
  | {
      readonly id: number
      readonly kind: 'open'
      readonly directory: string
      readonly provider: ProviderChoice
    }
  /** The rows' memory is moved, not copied. */
  | {
      readonly id: number
      readonly kind: 'run'
      readonly model: number
      readonly rows: EncodedRows
      readonly rowCount: number
    }
  | { readonly id: number; readonly kind: 'close'; readonly model: number }

export interface OpenedOnGpu {
  readonly model: number
  readonly provider: GpuProvider
  readonly slots: readonly KeySlot[] | null
}

export interface Refusal {
  readonly provider: string
  readonly reason: string
}

export type InferenceAnswer =
  /** `opened` null: the CPU is as good, for the reasons given. */
  | {
      readonly id: number
      readonly kind: 'opened'
      readonly opened: OpenedOnGpu | null
      readonly refusals: readonly Refusal[]
    }
  | {
      readonly id: number
      readonly kind: 'scores'
      readonly probability: Float32Array<ArrayBuffer>
      readonly margin: Float32Array<ArrayBuffer>
    }
  | { readonly id: number; readonly kind: 'closed' }
  | {
      readonly id: number
      readonly kind: 'failed'
      readonly message: string
      readonly code: ErrorCode | null
    }
