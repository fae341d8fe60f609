import { z } from 'zod';
import { hashPlace, hashText } from '../murmur-hash.js';
import { defineStep, type SettingReport } from '../step.js';

const outputsDefault = 256;
const outputsLimit = 65_536;

export interface HashSpec {
  kind: 'hash';
  outputs: number | null;
  alternateSign: boolean;
}

const form = z.strictObject({
  kind: z.literal('hash'),
  outputs: z.int().positive().max(outputsLimit),
  /** Whether half of the categories give -1. */
  alternateSign: z.boolean(),
});

export const hash = defineStep<HashSpec, z.infer<typeof form>>({
  kind: 'hash',
  summary: 'a fixed number of features, of which the hash of a category picks one; knows no unseen ones',
  takes: ['number', 'text'],
  form,
  gives: () => 'features',
  check: ({ outputs }, _, report) => checkHashOutputs(outputs, report),
  fit: ({ outputs, alternateSign }) => ({ kind: 'hash', outputs: hashOutputs(outputs), alternateSign }),
  prepare({ outputs, alternateSign }) {
    return {
      output: null,
      names: Array.from({ length: outputs }, (_, i) => `#${i}`),
      write({ values }, { values: target, rowWidth, offset }) {
        for (let i = 0; i < values.length; i++) {
          const code = hashText(String(values[i]));
          target[i * rowWidth + offset + hashPlace(code, outputs)] = alternateSign && code < 0 ? -1 : 1;
        }
      },
    };
  },
});

export function checkHashOutputs(outputs: number | null, report: SettingReport): void {
  const isAllowed = outputs === null || (Number.isInteger(outputs) && outputs >= 1 && outputs <= outputsLimit);
  report.check(isAllowed, 'outputs', `from 1 to ${outputsLimit}`, outputs);
}

export function hashOutputs(outputs: number | null): number {
  return outputs ?? outputsDefault;
}
