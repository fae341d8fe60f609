import { describe, expect, it } from 'vitest';
import {
  canonicalJson,
  type PipelineDefinition,
  parseFittedPipeline,
  serialisePipeline,
} from '../../../services/pipeline/index.js';

const definition: PipelineDefinition = {
  format: 'millrace.pipeline/1',
  columns: [
    { column: 'age', type: 'float64', width: null, shape: [], steps: [{ kind: 'scale', subtract: 1, divide: 2 }] },
    { column: 'color', type: 'text', width: null, shape: [], steps: [{ kind: 'oneHot', categories: ['blue', 'red'] }] },
  ],
  label: { column: 'label', kind: 'classes', classes: ['no', 'yes'] },
  features: { count: 3, type: 'float32', scale: 1, offset: 0 },
};
const [age, color] = definition.columns as [PipelineDefinition['columns'][0], PipelineDefinition['columns'][0]];
const parse = (changed: object) => parseFittedPipeline(Buffer.from(JSON.stringify({ ...definition, ...changed })));

describe('parseFittedPipeline', () => {
  it.each([
    ['bytes that are no JSON', Buffer.from('{'), 'not JSON'],
    ['bytes that are no UTF-8', Buffer.of(0xff, 0xfe), 'not JSON'],
    ['null', Buffer.from('null'), 'format millrace.pipeline/1'],
    ['another format', Buffer.from('{"format":"millrace.pipeline/2"}'), 'received "millrace.pipeline/2"'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseFittedPipeline(bytes)).toThrow(message);
  });

  it.each<[string, object, string]>([
    ['an unknown key', { extra: 1 }, 'extra'],
    ['no column', { columns: [] }, 'columns'],
    [
      'a divisor of 0',
      { columns: [{ ...age, steps: [{ kind: 'scale', subtract: 0, divide: 0 }] }, color] },
      'must not be 0',
    ],
    ['a count that the columns do not give', { features: { ...definition.features, count: 4 } }, 'Expected 4 features'],
    ['a column of two types', { columns: [age, { ...age, type: 'int32' }, age] }, '"age" has two types'],
    [
      'a step that cannot follow',
      { columns: [age, { ...color, steps: [{ kind: 'scale', subtract: 0, divide: 1 }] }] },
      'scale, cannot follow text',
    ],
    [
      'a step after the last',
      {
        columns: [
          age,
          {
            ...age,
            steps: [
              { kind: 'oneHot', categories: [1, 2] },
              { kind: 'impute', value: 1 },
            ],
          },
        ],
      },
      'oneHot needs to be the last',
    ],
    ['bytes where there are other columns', { features: { ...definition.features, type: 'uint8' } }, 'uint8'],
    ['a scale with float32', { features: { ...definition.features, scale: 2 } }, 'scale 1'],
    ['text without categories', { columns: [age, { ...color, steps: [] }] }, 'text needs a step'],
    [
      'numbers as categories of text',
      { columns: [age, { ...color, steps: [{ kind: 'oneHot', categories: [1, 2] }] }] },
      'need the type of the values',
    ],
    [
      'a category twice',
      { columns: [age, { ...color, steps: [{ kind: 'oneHot', categories: ['a', 'a'] }] }] },
      'twice',
    ],
    ['a shape that does not make the width', { columns: [{ ...age, width: 3, shape: [2, 2] }] }, 'shape'],
    ['one class', { label: { ...definition.label, classes: ['no'] } }, 'classes'],
  ])('refuses %s', (_, changed, message) => {
    expect(() => parse(changed)).toThrow(message);
  });

  it('lays the columns out side by side', () => {
    const { columns, featureCount, label } = parse({});
    expect(columns.map(({ offset, featureNames }) => [offset, featureNames])).toEqual([
      [0, ['age']],
      [1, ['color=blue', 'color=red']],
    ]);
    expect(featureCount).toBe(3);
    expect(label).toEqual(definition.label);
  });
});

describe('serialisePipeline', () => {
  it('gives the same bytes whatever the order of the keys', () => {
    const reversed = Object.fromEntries(Object.entries(definition).reverse()) as PipelineDefinition;
    expect(serialisePipeline(reversed)).toEqual(serialisePipeline(definition));
    expect(parseFittedPipeline(serialisePipeline(definition)).definition).toEqual(definition);
  });
});

describe('canonicalJson', () => {
  it('refuses a number that JSON has no word for', () => {
    expect(() => canonicalJson({ a: Number.NaN })).toThrow('NaN');
  });

  it('sorts keys at every depth and leaves arrays as they are', () => {
    expect(canonicalJson({ b: [{ d: 1, c: 'x' }, null], a: 0.1 })).toBe('{"a":0.1,"b":[{"c":"x","d":1},null]}');
  });
});
