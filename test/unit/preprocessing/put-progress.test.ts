import { expect, it } from 'vitest';
import { PutProgress } from '../../../services/preprocessing/put-progress.js';

it('hands on what comes, also while it is waited for, until it is closed', async () => {
  const progress = new PutProgress();
  progress.push({ batch: 1, rowCount: 10 });
  const read: number[] = [];
  const reading = (async () => {
    for await (const { batch } of progress) {
      read.push(batch);
    }
  })();
  await new Promise((resolve) => setImmediate(resolve));
  progress.push({ batch: 2, rowCount: 20 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(read).toEqual([1, 2]);
  progress.push({ batch: 3, rowCount: 30 });
  progress.close();
  await reading;
  expect(read).toEqual([1, 2, 3]);
});

it('leaves out the oldest where nobody reads', async () => {
  const progress = new PutProgress();
  for (let batch = 1; batch <= 2_500; batch++) {
    progress.push({ batch, rowCount: batch * 10 });
  }
  progress.close();
  const read: number[] = [];
  for await (const { batch } of progress) {
    read.push(batch);
  }
  expect(read.length).toBe(1_000);
  expect([read[0], read.at(-1)]).toEqual([1_501, 2_500]);
});
