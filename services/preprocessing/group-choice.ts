/** Rows up to which all ways of adding up groups are tried. */
const triedRowsMax = 100_000;
/** Rows that are left to be added up exactly, once the first groups are drawn. */
const leftRows = 1_000;
const stepsMax = 50_000_000;

/**
 * Chooses groups that hold `target` rows together: exactly, where their sizes allow it and the search comes to an end, else
 * as nearly as was found. Most are drawn in order; the last fill what is left.
 *
 * @param order the groups that may be chosen, by index into `sizes`, in random order
 * @returns at least one group, unless `target` is 0 or there is none
 */
export function chooseGroups(sizes: Uint32Array, order: readonly number[], target: number): number[] {
  const largest = order.reduce((max, group) => Math.max(max, sizes[group]!), 0);
  let best: number[] = [];
  let bestError = Number.POSITIVE_INFINITY;
  for (const left of [Math.max(leftRows, 4 * largest), triedRowsMax]) {
    const chosen = target > 0 ? drawThenFill(sizes, order, target, Math.min(left, triedRowsMax)) : [];
    const error = Math.abs(chosen.reduce((sum, group) => sum + sizes[group]!, 0) - target);
    if (error < bestError) {
      [best, bestError] = [chosen, error];
    }
    if (bestError === 0) {
      break;
    }
  }
  return best;
}

function drawThenFill(sizes: Uint32Array, order: readonly number[], target: number, left: number): number[] {
  const drawn: number[] = [];
  const others: number[] = [];
  let open = target;
  for (const group of order) {
    if (open - sizes[group]! >= left) {
      drawn.push(group);
      open -= sizes[group]!;
    } else {
      others.push(group);
    }
  }
  return [...drawn, ...fill(sizes, others, open, drawn.length === 0)];
}

/** Groups whose sizes add up to `target` or nearest to it: a bounded knapsack over the sizes that there are. */
function fill(sizes: Uint32Array, order: readonly number[], target: number, atLeastOne: boolean): number[] {
  if (order.length === 0 || target === 0) {
    return [];
  }
  const bySize = new Map<number, number[]>();
  for (const group of order) {
    const same = bySize.get(sizes[group]!);
    if (same) {
      same.push(group);
    } else {
      bySize.set(sizes[group]!, [group]);
    }
  }
  const smallest = Math.min(...bySize.keys());
  // Above the target no more than what is missing to it without a group.
  const most = Math.max(smallest, Math.min(2 * target, target + Math.max(0, ...bySize.keys())));
  const sums = new Sums(most);
  for (const [size, groups] of bySize) {
    if (sums.isReached(target) || sums.steps > stepsMax) {
      break;
    }
    sums.add(size, groups.length);
  }
  const chosen: number[] = [];
  for (const [size, count] of sums.partsOf(sums.nearest(target, atLeastOne ? 1 : 0))) {
    chosen.push(...bySize.get(size)!.slice(0, count));
  }
  return chosen;
}

/** Which sums parts can add up to, and how. */
class Sums {
  /** The part that a sum was first reached with, 0: not reached; and how many of it. */
  readonly #part: Uint32Array;
  readonly #count: Uint32Array;
  steps = 0;

  constructor(private readonly most: number) {
    this.#part = new Uint32Array(most + 1);
    this.#count = new Uint32Array(most + 1);
  }

  isReached(sum: number): boolean {
    return sum === 0 || this.#part[sum] !== 0;
  }

  add(part: number, countMax: number): void {
    for (let sum = part; sum <= this.most; sum++) {
      const before = sum - part;
      if (this.isReached(sum) || !this.isReached(before)) {
        continue;
      }
      const count = this.#part[before] === part ? this.#count[before]! + 1 : 1;
      if (count <= countMax) {
        this.#part[sum] = part;
        this.#count[sum] = count;
      }
    }
    this.steps += this.most;
  }

  /** Of two that are as near, the smaller. */
  nearest(target: number, least: number): number {
    for (let distance = 0; distance <= this.most; distance++) {
      for (const sum of [target - distance, target + distance]) {
        if (sum >= least && sum <= this.most && this.isReached(sum)) {
          return sum;
        }
      }
    }
    return 0;
  }

  *partsOf(sum: number): Generator<[part: number, count: number]> {
    let rest = sum;
    while (rest > 0) {
      const [part, count] = [this.#part[rest]!, this.#count[rest]!];
      yield [part, count];
      rest -= part * count;
    }
  }
}
