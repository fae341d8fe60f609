import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { PipelineStore, type StoredPipeline } from '../../../services/preprocessing/pipeline-store.js';
import { wholeSplit } from '../../../services/preprocessing/split.js';
import { tempFolder } from '../../support/temp-folder.js';

const now = () => 1_000;

const pipelineOf = (id: string): Omit<StoredPipeline, 'createTimeMs'> => ({
  id,
  digest: 'sha256:0',
  dataset: 'table',
  version: 1,
  datasetDigest: 'sha256:1',
  spec: { columns: [], label: null },
  split: wholeSplit,
  sampleWeight: '',
  part: null,
  definition: '{}',
  rowCounts: { train: 1, validation: 0, test: 0 },
});

describe('a pipeline store', () => {
  it('refuses to open over a damaged file, naming it', async () => {
    const folder = tempFolder();
    await (await PipelineStore.open(folder, now)).add(pipelineOf('p1'));
    writeFileSync(path.join(folder, 'pipelines/p1.json'), '{"format":');
    await expect(PipelineStore.open(folder, now)).rejects.toThrow('pipelines/p1.json is damaged');
  });

  it('says NOT_FOUND for a pipeline it does not have', async () => {
    const store = await PipelineStore.open(tempFolder(), now);
    expect(() => store.get('p1')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  it('answers two who bring the same pipeline at once with one', async () => {
    const store = await PipelineStore.open(tempFolder(), now);
    const [first, second] = await Promise.all([store.add(pipelineOf('p1')), store.add(pipelineOf('p1'))]);
    expect(second).toBe(first);
    expect(store.list()).toEqual([first]);
  });

  it('gives pipelines that come at once times of their own, and keeps their order', async () => {
    const folder = tempFolder();
    const store = await PipelineStore.open(folder, now);
    await Promise.all(['p2', 'p1', 'p3'].map((id) => store.add(pipelineOf(id))));
    expect(new Set(store.list().map(({ createTimeMs }) => createTimeMs)).size).toBe(3);
    expect((await PipelineStore.open(folder, now)).list()).toEqual(store.list());
  });
});
