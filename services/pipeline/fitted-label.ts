import { z } from 'zod';

/** The label's JSON form. */
export const fittedLabel = z.discriminatedUnion('kind', [
  z.strictObject({ column: z.string(), kind: z.literal('classes'), classes: z.array(z.string()).min(2) }),
  z.strictObject({ column: z.string(), kind: z.literal('binary'), classes: z.array(z.string()).length(2) }),
  z.strictObject({
    column: z.string(),
    kind: z.literal('number'),
    /** The target is (label - subtract) / divide; unset: the label itself. */
    standardise: z
      .strictObject({ subtract: z.number(), divide: z.number().refine((value) => value !== 0, 'must not be 0') })
      .optional(),
  }),
]);

export type FittedLabel = z.infer<typeof fittedLabel>;
