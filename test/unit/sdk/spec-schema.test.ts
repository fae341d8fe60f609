import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  InvalidSpecError,
  readPipelineFit,
  readTrainingSpec,
  readTuningSpec,
  type SpecName,
  specMessages,
  specSchema,
} from '../../../clients/sdk/index.js';
import { root } from '../../support/mesh.js';

const readers = {
  'training-spec': readTrainingSpec,
  'tuning-spec': readTuningSpec,
  'pipeline-fit': readPipelineFit,
  pipeline: readPipelineFit,
};
const names = Object.keys(specMessages) as SpecName[];
const compile = (name: SpecName) => new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(specSchema(name));

const examples = readdirSync(path.join(root, 'clients/examples')).map((file) => {
  const text = readFileSync(path.join(root, 'clients/examples', file), 'utf8');
  const [, name] = /\$schema=\.\.\/schemas\/(.*)\.schema\.json/.exec(text)!;
  return [file, name as SpecName, text] as const;
});

describe('the schemas of specifications', () => {
  it.each(names)('%s is published as the contract has it (else: millrace schema NAME > FILE)', (name) => {
    const file = path.join(root, 'clients/schemas', `${name}.schema.json`);
    expect(readFileSync(file, 'utf8')).toBe(`${JSON.stringify(specSchema(name), null, 2)}\n`);
  });

  it.each(examples)('take the example %s, as the reader does', (_, name, text) => {
    const validate = compile(name);
    expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
    expect(readers[name](text)).toBeDefined();
  });

  it.each<[string, SpecName, string]>([
    ['a misspelled key', 'pipeline-fit', 'spec: { columns: [{ colum: x }] }'],
    ['a step that there is not', 'pipeline-fit', 'spec: { columns: [{ column: x, steps: [{ standardize: }] }] }'],
    [
      'a setting that there is not',
      'pipeline-fit',
      'spec: { columns: [{ column: x, steps: [{ log: { base: 2 } }] }] }',
    ],
    ['another value of an enum', 'pipeline-fit', 'spec: { label: { column: x, kind: many } }'],
    ['a misspelled key of a pipeline alone', 'pipeline', 'columns: [{ colum: x }]'],
    ['a pipeline alone whose columns are misspelled', 'pipeline', '{ colums: [], label: { column: y, kind: number } }'],
    ['a text for a number', 'training-spec', 'epochs: five'],
    ['a list for a value to choose', 'tuning-spec', 'tune: { space: { optimizer: { choice: [[adam]] } } }'],
    ['one value to choose from', 'tuning-spec', 'tune: { space: { optimizer: { choice: adam } } }'],
    ['a misspelled range', 'tuning-spec', 'tune: { space: { batch_size: { integr: { low: 1 } } } }'],
    ['a fraction for an integer', 'training-spec', 'epochs: 1.5'],
  ])('refuse %s, as the reader does', (_, name, text) => {
    expect(compile(name)(parse(text))).toBe(false);
    expect(() => readers[name](text)).toThrow(InvalidSpecError);
  });

  it('refuse two kinds in one step, which the reader leaves to the service', () => {
    const text = 'spec: { columns: [{ column: x, steps: [{ scale: {}, standardise: {} }] }] }';
    expect(compile('pipeline-fit')(parse(text))).toBe(false);
  });

  it('have a pipeline written alone, with what it is fitted on, or within a training spec', () => {
    const pipeline = 'columns: [{ column: x, steps: [{ scale: {} }] }], label: { column: y, kind: number }';
    const spec = readPipelineFit(`{ ${pipeline} }`).spec;
    expect(spec).toMatchObject({ columns: [{ column: 'x' }], label: { column: 'y', kind: 'KIND_NUMBER' } });
    const rest = 'dataset: datasets/a, split: { test_fraction: 0.5 }';
    const whole = readPipelineFit(`{ ${rest}, spec: { ${pipeline} } }`);
    expect(whole).toMatchObject({ dataset: 'datasets/a', spec, split: { testFraction: 0.5 } });
    expect(readPipelineFit(`{ ${rest}, pipeline: { ${pipeline} }, epochs: 3 }`)).toEqual(whole);
  });

  it.each(['', '[]', 'x', '3', '{ dataset: datasets/a, columns: [] }'])('refuse %j as a pipeline in words', (text) => {
    const read = () => readPipelineFit(text);
    expect(read).toThrow(InvalidSpecError);
    expect(read).toThrow(/^(Expected|Unknown key) /);
  });
});
