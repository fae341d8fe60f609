import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../services/platform/blob-store.js';
import { checkNewVersion, manifestDigest } from '../../../services/registry/manifest.js';
import type { NewModelVersion } from '../../../services/registry/model.js';

const a = digestOf('a');
const b = digestOf('b');

function version(more: Partial<NewModelVersion>): NewModelVersion {
  const nothing = { lineage: null, metrics: {}, aliases: [], condition: null, requestId: '' };
  return { artifacts: [{ path: 'a', digest: a }], ...nothing, ...more };
}

/** Fields that are refused. */
function refused(more: Partial<NewModelVersion>): string[] {
  try {
    checkNewVersion(version(more));
    return [];
  } catch (error) {
    return (error as { fieldViolations: { field: string }[] }).fieldViolations.map(({ field }) => field);
  }
}

describe('manifestDigest', () => {
  it('is over sorted lines, whatever the order of the artifacts', () => {
    const artifacts = [
      { path: 'b', digest: b },
      { path: 'B', digest: a },
      { path: 'a.json', digest: a },
    ];
    expect(manifestDigest(artifacts)).toBe(digestOf(`B ${a}\na.json ${a}\nb ${b}\n`));
    expect(manifestDigest([...artifacts].reverse())).toBe(manifestDigest(artifacts));
  });

  it('tells paths and digests apart', () => {
    expect(manifestDigest([{ path: 'a', digest: a }])).not.toBe(manifestDigest([{ path: 'a', digest: b }]));
    expect(manifestDigest([{ path: 'a', digest: a }])).not.toBe(manifestDigest([{ path: 'b', digest: a }]));
  });
});

describe('checkNewVersion', () => {
  it.each(['', '.', '..', 'a/b', '/a', '../a', 'a b', 'ä', 'a\n', 'a\0', 'x'.repeat(101)])(
    'refuses the path %j',
    (path) => {
      expect(refused({ artifacts: [{ path, digest: a }] })).toEqual(['model_version.artifacts[0].path']);
    },
  );

  it('refuses no artifacts, and more than 1,000', () => {
    const many = Array.from({ length: 1_001 }, (_, i) => ({ path: `f${i}`, digest: a }));
    expect(refused({ artifacts: [] })).toEqual(['model_version.artifacts']);
    expect(refused({ artifacts: many })).toEqual(['model_version.artifacts']);
    expect(refused({ artifacts: many.slice(1) })).toEqual([]);
  });

  it('refuses a path that comes twice, also with the same digest', () => {
    const twice = [1, 2, 3].map(() => ({ path: 'a', digest: a }));
    expect(refused({ artifacts: twice })).toEqual([
      'model_version.artifacts[1].path',
      'model_version.artifacts[2].path',
    ]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('refuses the metric %d', (value) => {
    expect(refused({ metrics: { loss: value } })).toEqual(['model_version.metrics["loss"]']);
  });

  it('refuses a number in the spec that JSON cannot hold, however deep', () => {
    const lineage = {
      trainingJob: '',
      datasetVersion: '',
      datasetDigest: '',
      pipelineDigest: '',
      spec: { network: { layers: [{ rate: Number.NaN }] } },
      engineVersion: '',
      instructionSet: '',
    };
    expect(refused({ lineage })).toEqual(['model_version.lineage.spec']);
    expect(refused({ lineage: { ...lineage, spec: null } })).toEqual([]);
  });

  it('takes what is right', () => {
    const artifacts = [
      { path: 'model.safetensors', digest: a },
      { path: '.hidden_-A9', digest: a },
    ];
    expect(refused({ artifacts, metrics: { loss: 0.5 }, aliases: ['champion'], requestId: 'x'.repeat(100) })).toEqual(
      [],
    );
  });
});
