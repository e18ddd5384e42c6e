/** Latency that two places cannot beat, where nobody has measured it. */
import type { Place } from '../core/node.ts'

const EARTH_KM = 6_371
/** Light in fibre goes 200 km in a millisecond, and there is a way back. */
const KM_PER_MS = 100

/** There and back along the great circle (haversine), ms; null where a place has no coordinates. */
export function latencyMsByPlace(a: Place | null, b: Place | null): number | null {
  if (a === null || b === null) return null
  const [latA, lonA, latB, lonB] = [a.latitude, a.longitude, b.latitude, b.longitude]
  if (latA === null || lonA === null || latB === null || lonB === null) return null
  const [north, east] = [radians(latB - latA) / 2, radians(lonB - lonA) / 2]
  const half =
    Math.sin(north) ** 2 + Math.cos(radians(latA)) * Math.cos(radians(latB)) * Math.sin(east) ** 2
  return (2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(half)))) / KM_PER_MS
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
