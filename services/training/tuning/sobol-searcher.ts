import { type Assignment, assign, type SearchSpace, valueAt } from './search-space.js';
import type { PastTrial, Searcher } from './searcher.js';
import { SobolSequence } from './sobol-sequence.js';

/** Values that fill the ranges evenly: trial N is point N of a scrambled Sobol sequence, one dimension a parameter. */
export class SobolSearcher implements Searcher {
  constructor(private readonly seed: number) {}

  suggest(space: SearchSpace, _: readonly PastTrial[], number: number): Assignment {
    const point = new SobolSequence(space.length, this.seed).point(number);
    return assign(space, ({ range }, i) => valueAt(range, point[i]!));
  }
}
