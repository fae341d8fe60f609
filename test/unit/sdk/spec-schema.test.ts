import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
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
const compiled = new Map<SpecName, ValidateFunction>();
function compile(name: SpecName): ValidateFunction {
  const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
  const validate = compiled.get(name) ?? ajv.compile(specSchema(name));
  compiled.set(name, validate);
  return validate;
}

const examples = readdirSync(path.join(root, 'clients/examples')).map((file) => {
  const text = readFileSync(path.join(root, 'clients/examples', file), 'utf8');
  const [, name] = /\$schema=\.\.\/schemas\/(.*)\.schema\.json/.exec(text)!;
  return [file, name as SpecName, text] as const;
});

interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  const?: string;
  anyOf?: Schema[];
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | false;
  maxProperties?: number;
  required?: string[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
}
type Draw = fc.GeneratorValue;
type Mapping = Record<string, unknown>;

function resolved(schema: Schema, root: Schema): Schema {
  return schema.$ref ? root.$defs![schema.$ref.slice('#/$defs/'.length)]! : schema;
}

/** Something that a schema takes. */
function instanceOf(given: Schema, root: Schema, draw: Draw, depth: number): unknown {
  const schema = resolved(given, root);
  if (schema.anyOf) {
    return instanceOf(draw(fc.constantFrom, ...schema.anyOf), root, draw, depth);
  }
  if (schema.const !== undefined) {
    return schema.const;
  }
  switch (draw(fc.constantFrom, ...[schema.type!].flat())) {
    case 'object':
      return Object.fromEntries(
        keysOf(schema, draw).map((key) => {
          const value = schema.properties?.[key] ?? (schema.additionalProperties as Schema);
          return [key, instanceOf(value, root, draw, depth + 1)];
        }),
      );
    case 'array':
      // A block may hold blocks.
      return Array.from({ length: depth > 5 ? 0 : draw(fc.nat, 2) }, () =>
        instanceOf(schema.items!, root, draw, depth + 1),
      );
    case 'integer':
      return draw(fc.maxSafeInteger) % schema.maximum!;
    case 'number':
      return draw(fc.double, { noNaN: true, noDefaultInfinity: true });
    case 'string':
      return draw(fc.string);
    case 'boolean':
      return draw(fc.boolean);
    default:
      return null;
  }
}

function keysOf({ properties, maxProperties, required = [] }: Schema, draw: Draw): string[] {
  if (!properties) {
    return draw(fc.array, fc.string({ minLength: 1 }), { maxLength: 2 });
  }
  const names = Object.keys(properties);
  const some =
    maxProperties === 1
      ? [draw(fc.constantFrom, ...names)]
      : draw(fc.subarray, names, { maxLength: Math.min(4, names.length) });
  return [...new Set([...some, ...required])];
}

/** Where the mappings and lists of a specification are, itself first. */
function containersOf(value: unknown): Mapping[] {
  return typeof value === 'object' && value !== null
    ? [value as Mapping, ...Object.values(value).flatMap(containersOf)]
    : [];
}

const otherValues = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', 'full', 0, -1, 0.5, 2 ** 31, 2 ** 53, 1e300, [], [null], {}, [{}], { a: 1 }),
  fc.string(),
);

/** With anything in the place of one of its values. */
function withOtherValue(specification: unknown, draw: Draw): unknown {
  const copy = structuredClone(specification);
  const places = containersOf(copy).flatMap((container) =>
    Object.keys(container).map((key) => [container, key] as const),
  );
  if (places.length === 0) {
    return draw(() => otherValues);
  }
  const [container, key] = draw(fc.constantFrom, ...places);
  container[key] = draw(() => otherValues);
  return copy;
}

/** With a key that is misspelled or of somewhere else; null: the key is known there. */
function withUnknownKey(specification: unknown, schema: Schema, draw: Draw): [unknown, string | null] {
  const copy = structuredClone(specification) as Mapping;
  const name = draw(fc.constantFrom, ...Object.keys(schema.properties!));
  const key = draw(fc.constantFrom, name.slice(1), `${name}s`, `_${name}`, 'toString', 'full_batch', 'number');
  const isKnown = Object.hasOwn(schema.properties!, key);
  if (!isKnown) {
    copy[key] = draw(() => otherValues);
  }
  return [copy, isKnown ? null : key];
}

function refusalOf(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidSpecError);
    return (error as Error).message;
  }
}

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
    ['two kinds in one step', 'pipeline-fit', 'spec: { columns: [{ column: x, steps: [{ scale: {}, log: {} }] }] }'],
    ['a step of no kind', 'pipeline', '{ columns: [{ column: x, steps: [{}] }], label: { column: y, kind: number } }'],
    ['an integer that the wire would cut', 'training-spec', 'network: { layers: [{ units: 4294967297 }] }'],
    ['a search of nothing', 'tuning-spec', 'epochs: 3'],
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

  it.each(names)('%s takes and refuses what the reader does, of any specification', (name) => {
    const validate = compile(name);
    const schema = specSchema(name) as Schema;
    const check = (specification: unknown, isTaken: boolean | null) => {
      const text = JSON.stringify(specification);
      const refusal = refusalOf(() => readers[name](text));
      expect({ text, isTaken: validate(JSON.parse(text)) }).toEqual({ text, isTaken: refusal === null });
      if (isTaken !== null) {
        expect({ text, refusal: refusal === null }).toEqual({ text, refusal: isTaken });
      }
    };
    const property = fc.property(fc.gen(), (draw) => {
      const specification = instanceOf(schema, schema, draw, 0);
      check(specification, true);
      check(withOtherValue(specification, draw), null);
      const [strange, key] = withUnknownKey(specification, schema, draw);
      check(strange, key === null);
    });
    fc.assert(property, { numRuns: 100 });
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
    expect(read).toThrow(/^spec:1:\d+: (Expected|Unknown key) /);
  });
});
