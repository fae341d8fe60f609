import { expect, it } from 'vitest';
import { deploymentUpdate } from '../../../clients/sdk/deployment.js';

it('names what is to change, and nothing else', () => {
  const traffic = [{ target: 'champion', weight: 1 }];
  expect(deploymentUpdate('mnist', { traffic, batching: { rowsMax: 8, timeoutUs: undefined as never } })).toEqual({
    deployment: { name: 'models/mnist/deployment', traffic, batching: { rowsMax: 8, timeoutUs: undefined } },
    updateMask: { paths: ['traffic', 'batching.rows_max'] },
  });
});

it('takes away what is null, empty or 0', () => {
  const { updateMask } = deploymentUpdate('models/mnist', { traffic: [], shadow: null, responseCacheBytes: 0 });
  expect(updateMask).toEqual({ paths: ['traffic', 'shadow', 'response_cache_bytes'] });
});
