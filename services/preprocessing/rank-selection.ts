import type { OrderedKeys } from './ordered-keys.js';

/** The keys in batches, from the start each time it is called. */
export type KeyBatches = () => AsyncIterable<OrderedKeys>;

export interface RankedKey {
  low: number;
  high: number;
  /** Keys that are smaller. */
  before: number;
}

const digitValues = 0x1_0000;
const digits = 4;
const gatheredMax = 1 << 20;

/**
 * The keys that would stand at these places (from 0) if all were sorted. Exact, with memory that does not grow with the keys:
 * a radix selection that counts 16 bits in each pass, and sorts what is left once that is at most 2^20 keys.
 *
 * @param ranks below the number of keys
 * @param firstDigits counts of the keys' first digits, where they are known: it takes a pass less
 */
export async function selectRanks(
  batches: KeyBatches,
  ranks: readonly number[],
  firstDigits: Uint32Array | null = null,
): Promise<RankedKey[]> {
  const found = new Map<number, RankedKey>();
  let ranges = ranks.length > 0 ? [new Range(0, 0, [...new Set(ranks)])] : [];
  if (firstDigits) {
    ranges[0]!.counts = firstDigits;
    ranges = ranges[0]!.narrow(0, found);
  }
  for (let digit = firstDigits ? 1 : 0; ranges.length > 0; digit++) {
    const isLast = digit > 0 && ranges.reduce((sum, { size }) => sum + size, 0) <= gatheredMax;
    const search = new RangeSearch(ranges, digit);
    for await (const keys of batches()) {
      search.push(keys, isLast);
    }
    ranges = ranges.flatMap((range) => (isLast ? range.sort(found) : range.narrow(digit, found)));
  }
  return ranks.map((rank) => found.get(rank)!);
}

/** Adds to the counts of the first 16 bits. */
export function countFirstDigits({ high }: OrderedKeys, counts: Uint32Array): void {
  for (const half of high) {
    counts[half >>> 16]!++;
  }
}

/** Keys that begin with the same digits, some of whose ranks are wanted. */
class Range {
  counts: Uint32Array = new Uint32Array(0);
  /** Once they are few: the keys themselves, lower half first. */
  gathered = new Uint32Array(0);
  gatheredCount = 0;

  constructor(
    /** The digits so far, as a number. */
    readonly prefix: number,
    /** Keys before the first of the range. */
    readonly before: number,
    readonly ranks: number[],
    /** Keys in the range; unknown of the first. */
    readonly size = 0,
  ) {}

  narrow(digit: number, found: Map<number, RankedKey>): Range[] {
    const narrower: Range[] = [];
    let before = this.before;
    for (const [value, count] of this.counts.entries()) {
      const ranks = this.ranks.filter((rank) => rank >= before && rank < before + count);
      const prefix = this.prefix * digitValues + value;
      if (ranks.length > 0 && digit === digits - 1) {
        // Too long for a float64 by now: halves.
        const [high, low] = [Math.floor(this.prefix / digitValues), (this.prefix % digitValues) * digitValues + value];
        for (const rank of ranks) {
          found.set(rank, { low, high, before });
        }
      } else if (ranks.length > 0) {
        narrower.push(new Range(prefix, before, ranks, count));
      }
      before += count;
    }
    return narrower;
  }

  sort(found: Map<number, RankedKey>): [] {
    const sorted = new BigUint64Array(this.gathered.buffer, 0, this.gatheredCount).sort();
    for (const rank of this.ranks) {
      const key = sorted[rank - this.before]!;
      const [low, high] = [Number(key & 0xffffffffn), Number(key >> 32n)];
      found.set(rank, { low, high, before: this.before + sorted.indexOf(key) });
    }
    return [];
  }
}

/** One pass over the keys. */
class RangeSearch {
  readonly #ranges = new Map<number, Range>();
  /** First digits that any of the ranges has: most keys have none of them. */
  readonly #wanted = new Uint8Array(digitValues);

  constructor(
    ranges: readonly Range[],
    private readonly digit: number,
  ) {
    for (const range of ranges) {
      this.#ranges.set(range.prefix, range);
      this.#wanted[Math.floor(range.prefix / digitValues ** (digit - 1))] = 1;
    }
  }

  push({ low, high }: OrderedKeys, gather: boolean): void {
    if (this.digit === 0) {
      countFirstDigits({ low, high }, this.#countsOf(this.#ranges.get(0)!));
      return;
    }
    for (let i = 0; i < high.length; i++) {
      const range = this.#wanted[high[i]! >>> 16] === 1 && this.#ranges.get(this.#prefix(low[i]!, high[i]!));
      if (!range) {
        continue;
      }
      if (gather) {
        add(range, low[i]!, high[i]!);
      } else {
        this.#countsOf(range)[this.#value(low[i]!, high[i]!)]!++;
      }
    }
  }

  #countsOf(range: Range): Uint32Array {
    if (range.counts.length === 0) {
      range.counts = new Uint32Array(digitValues);
    }
    return range.counts;
  }

  #prefix(low: number, high: number): number {
    return this.digit === 1 ? high >>> 16 : this.digit === 2 ? high : high * digitValues + (low >>> 16);
  }

  #value(low: number, high: number): number {
    return this.digit === 1 ? high & 0xffff : this.digit === 2 ? low >>> 16 : low & 0xffff;
  }
}

function add(range: Range, low: number, high: number): void {
  if (range.gathered.length === 0) {
    range.gathered = new Uint32Array(2 * range.size);
  }
  const at = 2 * range.gatheredCount++;
  range.gathered[at] = low;
  range.gathered[at + 1] = high;
}
