import { z } from 'zod';
import type { PredictResponse__Output as PredictResponse } from '../../proto/gen/millrace/v1/PredictResponse.js';
import type { Record } from '../../proto/gen/millrace/v1/Record.js';
import type { Value } from '../../proto/gen/millrace/v1/Value.js';
import { invalidField, quote } from '../platform/errors.js';

const numbers = z.array(z.number());

/** `millrace.v1.Value` as JSON has it by itself, or as proto3 maps it. */
const value = z.union([
  z.null().meta({ description: 'The value is missing.' }),
  z.number(),
  z.string().meta({ description: 'Text or a category.' }),
  z.boolean(),
  numbers,
  z.strictObject({ number: z.number() }),
  z.strictObject({ text: z.string() }),
  z.strictObject({ boolean: z.boolean() }),
  z.strictObject({ content: z.base64().meta({ description: 'An image: its pixels, or a PNG or JPEG file.' }) }),
  z.strictObject({ numbers: z.strictObject({ values: numbers }) }),
]);

const records = z.array(z.record(z.string(), value)).meta({ description: 'Raw values by column, as in the dataset.' });

export const predictRequest = z.strictObject({
  // Checked value by value up to the first that is wrong: there may be millions.
  records: z.unknown().meta(z.toJSONSchema(records, { io: 'input' })),
});

export const predictAnswer = z.object({
  modelVersion: z.string(),
  predictions: z.array(
    z.object({
      label: z.string().optional(),
      scores: z.array(z.object({ label: z.string(), probability: z.number() })).optional(),
      number: z.number().optional(),
      labels: z
        .array(z.string())
        .optional()
        .meta({ description: 'Where a record may be of several classes: those that it is of.' }),
      numbers: z
        .array(z.object({ name: z.string(), value: z.number() }))
        .optional()
        .meta({ description: 'Where the label is several numbers: each of them.' }),
    }),
  ),
});

export function toPredictRequest(model: string, { records }: z.output<typeof predictRequest>) {
  if (!Array.isArray(records)) {
    throw invalidField('records', `Expected \`records\` to be an array but received ${quote(records)}.`);
  }
  return { model, records: records.map((record, i) => toRecord(record, `records[${i}]`)) };
}

function toRecord(record: unknown, field: string): Record {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    const description = `Expected \`${field}\` to be an object of values by column but received ${quote(record)}.`;
    throw invalidField(field, description);
  }
  const values = Object.entries(record).map(([column, value]) => [column, toValue(value, `${field}.${column}`)]);
  return { values: Object.fromEntries(values) };
}

function toValue(given: unknown, field: string): Value {
  const { success, data: plain } = value.safeParse(given);
  if (!success) {
    const description = `Expected \`${field}\` to be null, a number, text, true, false, a list of numbers or {"content": BASE64} but received ${quote(given)}.`;
    throw invalidField(field, description);
  }
  switch (typeof plain) {
    case 'number':
      return { number: plain };
    case 'string':
      return { text: plain };
    case 'boolean':
      return { boolean: plain };
    default:
      if (plain === null || plain === undefined) {
        return {};
      }
      if (Array.isArray(plain)) {
        return { numbers: { values: plain } };
      }
      return 'content' in plain ? { content: Buffer.from(plain.content, 'base64') } : plain;
  }
}

/** As proto3 maps it: what is empty is left out. */
export function fromPredictResponse({ modelVersion, predictions }: PredictResponse) {
  return {
    modelVersion,
    predictions: predictions.map(({ label, scores, number, labels, numbers }) => ({
      ...(label === '' ? {} : { label }),
      ...(scores.length === 0 ? {} : { scores: scores.map(({ label, probability }) => ({ label, probability })) }),
      ...(number === undefined ? {} : { number }),
      ...(numbers.length === 0 ? {} : { numbers: numbers.map(({ name, value }) => ({ name, value })) }),
      // None may be the answer too: a record of no class.
      ...(label === '' && scores.length > 0 ? { labels } : {}),
    })),
  };
}
