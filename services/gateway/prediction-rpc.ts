import { z } from 'zod';
import type { PredictResponse__Output as PredictResponse } from '../../proto/gen/millrace/v1/PredictResponse.js';
import type { Value } from '../../proto/gen/millrace/v1/Value.js';

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

export const predictRequest = z.strictObject({
  records: z.array(z.record(z.string(), value)).meta({ description: 'Raw values by column, as in the dataset.' }),
});

export const predictAnswer = z.object({
  modelVersion: z.string(),
  predictions: z.array(
    z.object({
      label: z.string().optional(),
      scores: z.array(z.object({ label: z.string(), probability: z.number() })).optional(),
      number: z.number().optional(),
    }),
  ),
});

export function toPredictRequest(model: string, { records }: z.output<typeof predictRequest>) {
  return {
    model,
    records: records.map((record) => ({
      values: Object.fromEntries(Object.entries(record).map(([column, value]) => [column, toValue(value)])),
    })),
  };
}

function toValue(plain: z.output<typeof value>): Value {
  switch (typeof plain) {
    case 'number':
      return { number: plain };
    case 'string':
      return { text: plain };
    case 'boolean':
      return { boolean: plain };
    default:
      if (plain === null) {
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
    predictions: predictions.map(({ label, scores, number }) => ({
      ...(label === '' ? {} : { label }),
      ...(scores.length === 0 ? {} : { scores: scores.map(({ label, probability }) => ({ label, probability })) }),
      ...(number === undefined ? {} : { number }),
    })),
  };
}
