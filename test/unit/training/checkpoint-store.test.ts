import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointStore } from '../../../services/training/checkpoint-store.js';
import { tempFolder } from '../../support/temp-folder.js';

describe('CheckpointStore', () => {
  it('has nothing of a job without a checkpoint', async () => {
    const store = await CheckpointStore.open(path.join(tempFolder(), 'checkpoints'));
    expect(await store.read('a')).toBeNull();
    await store.remove('a');
  });

  it('reads the newest checkpoint, every bit of it', async () => {
    const folder = path.join(tempFolder(), 'checkpoints');
    const store = await CheckpointStore.open(folder);
    await store.write('a', {
      epochsDone: 1,
      stepsDone: 0,
      epochSeconds: 0.5,
      secondsDone: 0,
      stopping: null,
      trainerState: Buffer.from([1]),
    });
    const trainerState = Uint8Array.from({ length: 256 }, (_, i) => i);
    await store.write('a', {
      epochsDone: 2,
      stepsDone: 0,
      epochSeconds: 0.5,
      secondsDone: 0,
      stopping: null,
      trainerState,
    });
    const again = await CheckpointStore.open(folder);
    expect(await again.read('a')).toEqual({
      epochsDone: 2,
      stepsDone: 0,
      epochSeconds: 0.5,
      secondsDone: 0,
      stopping: null,
      trainerState,
    });
    expect(readdirSync(path.join(folder, 'a'))).toHaveLength(1);
  });

  it('removes what jobs that have ended left behind', async () => {
    const folder = path.join(tempFolder(), 'checkpoints');
    const store = await CheckpointStore.open(folder);
    for (const job of ['a', 'b', 'c']) {
      await store.write(job, {
        epochsDone: 1,
        stepsDone: 0,
        epochSeconds: 0.5,
        secondsDone: 0,
        stopping: null,
        trainerState: Buffer.of(),
      });
    }
    await store.remove('a');
    await store.keepOnly(new Set(['c']));
    expect(readdirSync(folder)).toEqual(['c']);
  });
});
