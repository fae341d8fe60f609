import { describe, expect, it } from 'vitest';
import { checkId, ResourceName } from '../../../services/platform/resource-name.js';

const versionName = new ResourceName('models/{model}/versions/{version}');

describe('ResourceName', () => {
  it.each([
    '',
    'models',
    'models/',
    'models/mnist',
    'models/mnist/versions/',
    'models/mnist/versions/0',
    'models/mnist/versions/01',
    'models/mnist/versions/-1',
    'models/mnist/versions/1.0',
    'models/mnist/versions/9007199254740993',
    'models/mnist/versions/1/',
    '/models/mnist/versions/1',
    'models/Mnist/versions/1',
    'models/../versions/1',
    'models/1st/versions/1',
    `models/${'a'.repeat(64)}/versions/1`,
    'datasets/mnist/versions/1',
    'models/mnist\n/versions/1',
  ])('does not match %j', (name) => {
    expect(versionName.match(name)).toBeNull();
    expect(() => versionName.parse(name, 'name')).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        fieldViolations: [{ field: 'name', description: expect.stringContaining(JSON.stringify(name)) }],
      }),
    );
  });

  it('gives the variables, and the name back', () => {
    const variables = versionName.parse('models/a-1/versions/12', 'name');
    expect(variables).toEqual({ model: 'a-1', version: '12' });
    expect(versionName.format(variables)).toBe('models/a-1/versions/12');
  });
});

describe('checkId', () => {
  it.each(['', '-a', '1', 'A', 'a_b', 'a b', 'ä', 'a'.repeat(64)])('refuses %j', (id) => {
    expect(() => checkId(id, 'model_id')).toThrow(expect.objectContaining({ reason: 'INVALID_FIELD' }));
  });

  it.each(['a', 'mnist', 'a-1', 'a-', 'a'.repeat(63)])('takes %j', (id) => {
    checkId(id, 'model_id');
  });
});
