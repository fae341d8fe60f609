import { randomKey } from '../pipeline/index.js';
import type { Shares } from './controlled-rounding.js';
import { type SplitAssignment, test, train, validation } from './split.js';

/** The stratum of each row; one of one stratum needs no list. */
export type Strata = Uint8Array | Uint16Array | Uint32Array | null;

/**
 * Draws validation and test rows from the training rows of each stratum, at random: those with the smallest keys go to the
 * test, the next to validation; of equal keys, the earlier row comes first. Memory grows with the square root of the rows.
 */
export function drawRows(assignment: SplitAssignment, seed: number, shares: readonly Shares[], strata: Strata): void {
  const forTest = findCuts(
    assignment,
    seed,
    strata,
    shares.map((share) => ({ size: sizeOf(share), count: share[test]! })),
  );
  const forBoth = findCuts(
    assignment,
    seed,
    strata,
    shares.map((share) => ({ size: sizeOf(share), count: share[test]! + share[validation]! })),
  );
  for (let row = 0; row < assignment.length; row++) {
    if (assignment[row] === train) {
      const stratum = strata ? strata[row]! : 0;
      const key = randomKey(seed, row);
      const isTest = forTest[stratum]!.takes(key);
      const isTaken = forBoth[stratum]!.takes(key);
      assignment[row] = isTest ? test : isTaken ? validation : train;
    }
  }
}

const sizeOf = (share: Shares) => share[train] + share[validation] + share[test];

/** Finds, for each stratum, where the `count` smallest keys of its `size` rows end. */
function findCuts(
  assignment: SplitAssignment,
  seed: number,
  strata: Strata,
  wanted: readonly { size: number; count: number }[],
): Cut[] {
  const cuts = wanted.map(({ size, count }) => new Cut(size, count));
  while (cuts.some((cut) => !cut.isFound)) {
    for (let row = 0; row < assignment.length; row++) {
      if (assignment[row] === train) {
        cuts[strata ? strata[row]! : 0]!.see(randomKey(seed, row));
      }
    }
    for (const cut of cuts) {
      cut.conclude();
    }
  }
  return cuts;
}

const keyMax = 2 ** 53;

/**
 * The limit below which the `count` smallest of `size` random keys lie. As the keys are spread evenly, only those near
 * count / size of their range are kept and sorted; if the limit is not among them, more are, in another turn.
 */
class Cut {
  #limit = Number.NEGATIVE_INFINITY;
  #atLimit = 0;
  #below = 0;
  #near: number[] = [];
  #deviations = 6;
  #from = 0;
  #to = 0;
  isFound: boolean;

  constructor(
    private readonly size: number,
    private readonly count: number,
  ) {
    this.isFound = count === 0;
    this.#widen();
  }

  /** The standard deviation of a share of evenly spread keys, so many times. */
  #widen(): void {
    const share = this.count / this.size;
    const width = this.#deviations * Math.sqrt((share * (1 - share)) / this.size) + this.#deviations ** 2 / this.size;
    this.#from = (share - width) * keyMax;
    this.#to = (share + width) * keyMax;
    this.#deviations *= 8;
    this.#below = 0;
    this.#near = [];
  }

  see(key: number): void {
    if (!this.isFound) {
      if (key < this.#from) {
        this.#below++;
      } else if (key <= this.#to) {
        this.#near.push(key);
      }
    }
  }

  conclude(): void {
    if (this.isFound) {
      return;
    }
    const place = this.count - 1 - this.#below;
    if (place < 0 || place >= this.#near.length) {
      this.#widen();
      return;
    }
    const sorted = Float64Array.from(this.#near).sort();
    this.#limit = sorted[place]!;
    this.#atLimit = place + 1 - sorted.indexOf(this.#limit);
    this.#near = [];
    this.isFound = true;
  }

  /** Whether the row with this key is among the smallest. Asked once for each row, in order. */
  takes(key: number): boolean {
    return key < this.#limit || (key === this.#limit && this.#atLimit-- > 0);
  }
}
