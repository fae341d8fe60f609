import { z } from 'zod';
import { type MappingStep, mapNumbers } from '../step.js';
import type { ValueType } from '../values.js';

/** The JSON form of steps that come to y = (x - subtract) / divide, in float64. */
export const affineForm = <K extends string>(kind: K) =>
  z.strictObject({
    kind: z.literal(kind),
    subtract: z.number(),
    divide: z.number().refine((value) => value !== 0, 'must not be 0'),
  });

/** A division, not a product with the inverse: 255 / 255 must be 1. */
export function prepareAffine(
  { subtract, divide }: { subtract: number; divide: number },
  input: ValueType,
): MappingStep {
  const mapping = mapNumbers(input, (values) => {
    for (let i = 0; i < values.length; i++) {
      values[i] = (values[i]! - subtract) / divide;
    }
  });
  return { ...mapping, inEngine: { subtract, divide } };
}
