import { randomKey } from '../../pipeline/index.js';
import { generator } from '../report/resampling.js';
import { type Assignment, assign, type SearchSpace, valueAt } from './search-space.js';
import type { PastTrial, Searcher } from './searcher.js';

/** Values drawn evenly from the ranges, each trial by itself. */
export class RandomSearcher implements Searcher {
  constructor(private readonly seed: number) {}

  suggest(space: SearchSpace, _: readonly PastTrial[], number: number): Assignment {
    const random = generator(randomKey(this.seed, number));
    return assign(space, ({ range }) => valueAt(range, random()));
  }
}
