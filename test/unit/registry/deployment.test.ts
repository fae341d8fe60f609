import { describe, expect, it } from 'vitest';
import { Violations } from '../../../services/platform/errors.js';
import {
  type BatchingSettings,
  checkDeployment,
  type Deployment,
  defaultDeployment,
} from '../../../services/registry/deployment.js';

/** Fields that are refused, without `deployment.` before them. */
function refused(more: Partial<Deployment>): string[] {
  const violations = new Violations();
  checkDeployment({ ...defaultDeployment(), ...more }, violations);
  try {
    violations.throwIfAny();
    return [];
  } catch (error) {
    const { fieldViolations } = error as { fieldViolations: { field: string }[] };
    return fieldViolations.map(({ field }) => field.replace(/^deployment\./, ''));
  }
}

const refusedBatching = (more: Partial<BatchingSettings>) =>
  refused({ batching: { ...defaultDeployment().batching, ...more } });

describe('checkDeployment', () => {
  it.each(['', '0', '-1', '1.5', '01', 'Champion', 'a b', '1'.repeat(16)])('refuses the target %j', (target) => {
    expect(refused({ traffic: [{ target, weight: 1 }], shadow: { target, fraction: 1 } })).toEqual([
      'traffic[0].target',
      'shadow.target',
    ]);
  });

  it.each([0, -1, 1.5, 10_001, Number.NaN])('refuses the weight %d', (weight) => {
    expect(refused({ traffic: [{ target: 'a', weight }] })).toEqual(['traffic[0].weight']);
  });

  it.each([0, -0.5, 1.01, Number.NaN, Number.POSITIVE_INFINITY])('refuses the fraction %d', (fraction) => {
    expect(refused({ shadow: { target: 'a', fraction } })).toEqual(['shadow.fraction']);
  });

  it('refuses a target that comes twice, and more than 32', () => {
    const traffic = [1, 2, 3].map(() => ({ target: 'a', weight: 1 }));
    expect(refused({ traffic })).toEqual(['traffic[1].target', 'traffic[2].target']);
    expect(refused({ traffic: Array.from({ length: 33 }, (_, i) => ({ target: `a${i}`, weight: 1 })) })).toEqual([
      'traffic',
    ]);
  });

  it.each<[string, Partial<BatchingSettings>]>([
    ['rows_max', { rowsMax: -1 }],
    ['rows_max', { rowsMax: 10_000_001 }],
    ['preferred_rows', { preferredRows: Array.from({ length: 33 }, (_, i) => i + 1) }],
    ['preferred_rows[0]', { preferredRows: [0] }],
    ['preferred_rows[1]', { preferredRows: [8, 8] }],
    ['preferred_rows[1]', { rowsMax: 8, preferredRows: [8, 9] }],
    ['queue_delay_us_max', { queueDelayUsMax: 10_000_001 }],
    ['queue_requests_max', { queueRequestsMax: -1 }],
    ['priority_levels', { priorityLevels: 33 }],
    ['default_priority', { priorityLevels: 3, defaultPriority: 0 }],
    ['default_priority', { priorityLevels: 3, defaultPriority: 4 }],
    ['default_priority', { defaultPriority: 1 }],
    ['timeout_us', { timeoutUs: Number.MAX_SAFE_INTEGER + 1 }],
  ])('refuses %s in %j', (field, batching) => {
    expect(refusedBatching(batching)).toEqual([`batching.${field}`]);
  });

  it.each([-1, 0.5, 1024 ** 4 + 1])('refuses %d bytes of cached answers', (responseCacheBytes) => {
    expect(refused({ responseCacheBytes })).toEqual(['response_cache_bytes']);
  });

  it('takes the defaults, and the most of everything', () => {
    expect(refused({})).toEqual([]);
    const batching = {
      rowsMax: 10_000_000,
      preferredRows: [1, 10_000_000],
      queueDelayUsMax: 10_000_000,
      queueRequestsMax: 100_000,
      priorityLevels: 32,
      defaultPriority: 32,
      timeoutUs: 3_600_000_000,
      timeoutOverride: true,
    };
    const traffic = [
      { target: '1', weight: 1 },
      { target: 'candidate', weight: 10_000 },
    ];
    const shadow = { target: '123456789012345', fraction: 1 };
    expect(refused({ traffic, shadow, batching, responseCacheBytes: 1024 ** 4 })).toEqual([]);
  });
});
