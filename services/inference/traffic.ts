import { routingHash, spreadBits } from './routing-hash.js';

const range = 2 ** 32;
/** The golden ratio's fraction of 2^32: of all steps, the one whose multiples lie apart most evenly (Knuth 1998, 6.4). */
export const goldenStep = 0x9e3779b9;
/** The fraction of the square root of 2: choices made by it are independent of those by the golden ratio (Weyl 1916). */
export const rootStep = 0x6a09e667;

/** Numbers from 0 to 1 that fill the interval evenly, however few are taken: a share of a hundred is right to one or two. */
export class EvenSpread {
  #position: number;

  /** @param start from 0 to 1; processes that begin apart do not all begin with the same choice */
  constructor(
    start: number,
    private readonly step = goldenStep,
  ) {
    this.#position = Math.floor(start * range) >>> 0;
  }

  next(): number {
    this.#position = (this.#position + this.step) >>> 0;
    return this.#position / range;
  }
}

/** A target whose version can answer now. */
export interface ReadyTarget<Version> {
  /** As the deployment names it: keys stay with the name when an alias moves. */
  target: string;
  weight: number;
  version: Version;
}

/** Shares requests out among versions by weight. Made anew with every change; choosing changes only the spread. */
export class TrafficSplit<Version> {
  readonly #targets: readonly (ReadyTarget<Version> & { hash: number })[];
  readonly #weights: number;

  /** @param targets at least one, each weight above 0 */
  constructor(
    targets: readonly ReadyTarget<Version>[],
    private readonly spread: EvenSpread,
  ) {
    this.#targets = targets.map((target) => ({ ...target, hash: routingHash(target.target) }));
    this.#weights = targets.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** @param key what must stay with one target; empty: nothing */
  choose(key: string): Version {
    return key === '' ? this.#chooseEvenly() : this.#chooseFor(key);
  }

  #chooseEvenly(): Version {
    let left = this.spread.next() * this.#weights;
    for (const { weight, version } of this.#targets) {
      left -= weight;
      if (left < 0) {
        return version;
      }
    }
    return this.#targets.at(-1)!.version;
  }

  /**
   * Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): each target draws an exponentially distributed time from the key,
   * the faster the heavier it is, and the first wins. So no key moves to a target whose weight fell, or away from one whose weight
   * rose, in whatever order they are named; and the keys of a target that goes away are shared out by the weights of the rest.
   */
  #chooseFor(key: string): Version {
    const keyHash = routingHash(key);
    let first = this.#targets[0]!;
    let shortest = Number.POSITIVE_INFINITY;
    for (const target of this.#targets) {
      const draw = (spreadBits(keyHash ^ target.hash) + 0.5) / range;
      const time = -Math.log(draw) / target.weight;
      if (time < shortest) {
        shortest = time;
        first = target;
      }
    }
    return first.version;
  }
}
