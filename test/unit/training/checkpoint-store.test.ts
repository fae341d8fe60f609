import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { CheckpointClock, type CheckpointRule } from '../../../services/training/checkpoint-rule.js';
import { type Checkpoint, CheckpointStore } from '../../../services/training/checkpoint-store.js';
import { tempFolder } from '../../support/temp-folder.js';

describe('CheckpointStore', () => {
  let folder: string;
  let store: CheckpointStore;

  beforeEach(async () => {
    folder = path.join(tempFolder(), 'checkpoints');
    store = await CheckpointStore.open(folder);
  });

  const checkpoint = (epochsDone: number, changes: Partial<Checkpoint> = {}): Checkpoint => ({
    ...{ epochsDone, stepsDone: 0, epochSeconds: 0.5, secondsDone: 0, stopping: null },
    ...{ retriesDone: 0, needs: [], fold: 0, scores: [], trainerState: Buffer.from([1]) },
    ...changes,
  });

  it('has nothing of a job without a checkpoint', async () => {
    expect(await store.read('a')).toBeNull();
    expect(await store.readEpoch('a', 0, 1)).toBeNull();
    await store.remove('a');
  });

  it('says which checkpoint is damaged', async () => {
    await store.write('a', checkpoint(1), 1);
    writeFileSync(path.join(folder, 'a/1.checkpoint'), Buffer.from([200, 0, 0, 0, 123]));
    await expect(store.read('a')).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: expect.stringContaining('1.ch'),
    });
  });

  it('reads the newest checkpoint, every bit of it', async () => {
    await store.write('a', checkpoint(1), 1);
    const second = checkpoint(2, { trainerState: Uint8Array.from({ length: 256 }, (_, i) => i) });
    await store.write('a', second, 1);
    const again = await CheckpointStore.open(folder);
    expect(await again.read('a')).toEqual(second);
    expect(readdirSync(path.join(folder, 'a'))).toHaveLength(1);
  });

  it('keeps as many of the newest as it is told, and goes on from the one of an earlier release', async () => {
    await store.write('a', checkpoint(0), 1);
    renameSync(path.join(folder, 'a/1.checkpoint'), path.join(folder, 'a/newest.checkpoint'));
    expect(await store.read('a')).toMatchObject({ epochsDone: 0 });
    for (let epoch = 1; epoch <= 11; epoch++) {
      await store.write('a', checkpoint(epoch), 3);
    }
    const names = await store.names('a');
    const kept = await Promise.all(names.map(async (name) => (await store.read('a', name))?.epochsDone));
    expect(kept).toEqual([11, 10, 9]);
    await store.write('a', checkpoint(12), 1);
    expect(await store.names('a')).toHaveLength(1);
  });

  it('keeps nothing for a checkpoint that is damaged', async () => {
    await store.write('a', checkpoint(1), 3);
    writeFileSync(path.join(folder, 'a/1.checkpoint'), Buffer.alloc(3, 255));
    await store.write('a', checkpoint(2, { needs: [2] }), 3);
    writeFileSync(path.join(folder, 'a/2.checkpoint'), Buffer.from([255, 255, 255, 255, 1, 2]));
    await store.writeEpoch('a', checkpoint(2));
    await store.writeEpoch('a', checkpoint(3));
    await store.write('a', checkpoint(3, { needs: [3] }), 3);
    await store.keepNeeded('a');
    expect(await store.readEpoch('a', 0, 2)).toBeNull();
    expect(await store.readEpoch('a', 0, 3)).not.toBeNull();
  });

  it('keeps the epochs that one of the newest needs, and no others', async () => {
    for (const epoch of [1, 2, 3]) {
      await store.writeEpoch('a', checkpoint(epoch, { needs: [epoch] }));
    }
    await store.write('a', checkpoint(2, { needs: [2] }), 2);
    await store.write('a', checkpoint(3, { needs: [3] }), 2);
    await store.keepNeeded('a');
    expect(await store.readEpoch('a', 0, 1)).toBeNull();
    expect(await store.readEpoch('a', 0, 2)).toMatchObject({ epochsDone: 2 });
    await store.write('a', checkpoint(4, { needs: [3] }), 1);
    await store.keepNeeded('a');
    expect(await store.readEpoch('a', 0, 2)).toBeNull();
    expect(await store.readEpoch('a', 0, 3)).toMatchObject({ epochsDone: 3 });
  });

  it('removes what jobs that have ended left behind', async () => {
    for (const job of ['a', 'b', 'c']) {
      await store.write(job, checkpoint(1), 1);
    }
    await store.remove('a');
    await store.keepOnly(new Set(['c']));
    expect(readdirSync(folder)).toEqual(['c']);
  });
});

describe('CheckpointClock', () => {
  let time = 0;
  const clock = (rule: Partial<CheckpointRule>) => new CheckpointClock({ keepLast: 1, ...rule }, () => time);
  const dueAfter = (rule: Partial<CheckpointRule>) =>
    [1, 2, 3, 4].filter((epochs) => clock(rule).isDue({ epochs, steps: 10 * epochs }));

  it('goes by epochs', () => {
    expect(dueAfter({ everyEpochs: 2 })).toEqual([2, 4]);
    expect(clock({ everyEpochs: 2 }).stepsLeft(0)).toBeNull();
    expect(clock({ everyEpochs: 2 }).millisecondsLeft()).toBeNull();
  });

  it('goes by steps, over the ends of epochs', () => {
    expect(dueAfter({ everySteps: 15 })).toEqual([3]);
    expect([0, 14, 15, 40].map((steps) => clock({ everySteps: 15 }).stepsLeft(steps))).toEqual([15, 1, 15, 5]);
  });

  it('goes by the time since the last one', () => {
    const seconds = clock({ everySeconds: 2 });
    time += 1_500;
    expect(seconds.millisecondsLeft()).toBe(500);
    expect(seconds.isDue({ epochs: 1, steps: 1 })).toBe(false);
    time += 700;
    expect(seconds.millisecondsLeft()).toBe(0);
    expect(seconds.isDue({ epochs: 1, steps: 1 })).toBe(true);
    seconds.restart();
    expect(seconds.millisecondsLeft()).toBe(2_000);
  });
});
