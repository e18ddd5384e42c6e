/** Rows of metrics that move together, as those of a machine that is well. */
import { randomFrom } from '../../training/boost.ts'

export interface NormalRows {
  readonly rowCount: number
  readonly width: number
  readonly seed: number
  /** Share of the values that are missing. */
  readonly missing?: number
}

/** float32 [rows, width]: two causes, seen by every metric in its own way, and a little noise. */
export function normalRows({ rowCount, width, seed, missing = 0 }: NormalRows): Float32Array {
  const random = randomFrom(seed)
  const bell = () => random() + random() + random() - 1.5
  const rows = new Float32Array(rowCount * width)
  for (let row = 0; row < rowCount; row++) {
    const [load, heat] = [bell(), bell()]
    for (let f = 0; f < width; f++) {
      const value = load * Math.sin(f) + heat * Math.cos(f) + 0.05 * bell() + 10 * f
      rows[row * width + f] = random() < missing ? NaN : value
    }
  }
  return rows
}
