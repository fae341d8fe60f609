import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../../services/platform/filter.js';

describe('parseFilter', () => {
  it.each([
    ['state', 'one of = != <= >= < > at character 6 but found its end'],
    ['state =', 'a word or a text in double quotes at character 8 but found its end'],
    ['= x', 'the name of a field at character 1 but found "= x"'],
    ['a = 1 b = 2', 'AND or OR at character 7 but found "b = 2"'],
    ['a = 1 and b = 2', 'AND or OR at character 7'],
    ['a = 1 AND', 'the name of a field at character 10 but found its end'],
    ['a = "x', 'a word or a text in double quotes at character 5'],
    ['a = "x\\n"', 'a word or a text in double quotes at character 5'],
    ['(a = 1)', 'the name of a field at character 1'],
    ['a ! 1', 'one of = != <= >= < > at character 3'],
    ['a = b;drop', 'AND or OR at character 6'],
  ])('refuses %j and says where', (text, message) => {
    expect(() => parseFilter(text)).toThrow(`Expected \`filter\` to have ${message}`);
  });

  it('has a limit', () => {
    const many = (count: number) => Array.from({ length: count }, () => 'a = 1').join(' OR ');
    expect(parseFilter(many(50))).toHaveLength(1);
    expect(() => parseFilter(many(51))).toThrow('at most 50 comparisons');
  });

  it('takes nothing for everything', () => {
    expect(parseFilter(' \n')).toEqual([]);
  });

  it('binds OR tighter than AND, as AIP-160 says', () => {
    const one = (field: string, value: string, operator = '=') => ({ field, operator, value });
    expect(parseFilter('a=1 OR a =2 AND labels.b-c != "x \\"y\\" AND \\\\" AND t>=2026-01-31T00:00:00+01:00')).toEqual([
      [one('a', '1'), one('a', '2')],
      [one('labels.b-c', 'x "y" AND \\', '!=')],
      [one('t', '2026-01-31T00:00:00+01:00', '>=')],
    ]);
  });
});
