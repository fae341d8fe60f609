import { expect, it } from 'vitest';
import { shareCores } from '../../../services/training/job-queue.js';

it.each([
  [1, 1, [1]],
  [8, 1, [8]],
  [8, 3, [3, 3, 2]],
  [4, 4, [1, 1, 1, 1]],
])('shares %s cores between %s jobs without a core left or taken twice', (cores, jobs, threads) => {
  expect(shareCores(cores, jobs)).toEqual(threads);
});
