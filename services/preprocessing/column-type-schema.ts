import { z } from 'zod';
import { numberTypes } from '../pipeline/index.js';
import type { ColumnType } from './column.js';

const numberType = z.enum(numberTypes);
const timestampUnit = z.enum(['second', 'millisecond', 'microsecond', 'nanosecond']);

/** A column's type as it stands in `version.json`. */
export const columnTypeSchema: z.ZodType<ColumnType> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('number'), type: numberType }),
    z.strictObject({ kind: z.literal('boolean') }),
    z.strictObject({ kind: z.literal('text'), large: z.boolean() }),
    z.strictObject({ kind: z.literal('dictionary'), index: numberType, large: z.boolean(), id: z.number() }),
    z.strictObject({ kind: z.literal('list'), type: numberType, width: z.number() }),
    z.strictObject({ kind: z.literal('binary'), large: z.boolean(), width: z.number().nullable() }),
    z.strictObject({ kind: z.literal('date'), unit: z.enum(['day', 'millisecond']) }),
    z.strictObject({ kind: z.literal('timestamp'), unit: timestampUnit, timezone: z.string() }),
    z.strictObject({ kind: z.literal('decimal'), precision: z.number(), scale: z.number() }),
    z.strictObject({ kind: z.literal('null') }),
    z.strictObject({
      kind: z.literal('nested'),
      form: z.enum(['List', 'LargeList', 'FixedSizeList']),
      width: z.number().nullable(),
      item: columnTypeSchema,
    }),
    z.strictObject({
      kind: z.literal('struct'),
      fields: z.array(z.strictObject({ name: z.string(), type: columnTypeSchema })),
    }),
  ]),
);
