/** One object for each place, however many nodes are there: a coordinator may hold a million nodes. */
import type { Place } from '../core/node.ts'

/** Places that are shared; when there are more, sharing begins anew. */
const PLACES_MAX = 10_000

export class SharedPlaces {
  readonly #places = new Map<string, Place>()

  share(place: Place): Place {
    const { zone, region, latitude, longitude } = place
    const key = JSON.stringify([zone, region, latitude, longitude])
    const known = this.#places.get(key)
    if (known !== undefined) return known
    if (this.#places.size === PLACES_MAX) this.#places.clear()
    this.#places.set(key, place)
    return place
  }
}
