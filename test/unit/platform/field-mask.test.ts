import { expect, it } from 'vitest';
import { Violations } from '../../../services/platform/errors.js';
import { applyMask, type MaskFields } from '../../../services/platform/field-mask.js';

const fields: MaskFields = { sizes: true, inner: { maxRows: true, name: true }, other: true };
const current = { sizes: [1, 2], inner: { maxRows: 3, name: 'a' }, other: 4 };
const given = { sizes: [9], inner: { maxRows: 8, name: '' }, other: 0 };

function merged(...paths: string[]) {
  const violations = new Violations();
  const result = applyMask(current, given, paths, fields, violations);
  violations.throwIfAny();
  return result;
}

it.each([
  '',
  'none',
  'innerName',
  'inner.none',
  'inner.',
  'sizes.length',
  'sizes.0',
  'inner.name.length',
  '__proto__',
  'constructor',
  '*.name',
  'inner.*',
])('refuses the path %j, and says what may be named', (path) => {
  expect(() => merged('other', path)).toThrow(
    `Expected \`update_mask\` to name fields (sizes, inner, inner.max_rows, inner.name, other) or * but received "${path}".`,
  );
});

it('changes nothing without paths', () => {
  expect(merged()).toEqual(current);
});

it('takes what the paths name, and nothing else', () => {
  expect(merged('sizes')).toEqual({ ...current, sizes: [9] });
  expect(merged('inner.max_rows')).toEqual({ ...current, inner: { maxRows: 8, name: 'a' } });
  expect(merged('inner')).toEqual({ ...current, inner: given.inner });
  expect(merged('*')).toEqual(given);
});

it('shares nothing with what it was given', () => {
  const result = merged('sizes');
  result.sizes.push(1);
  result.inner.maxRows = 0;
  expect(given.sizes).toEqual([9]);
  expect(current.inner.maxRows).toBe(3);
});
