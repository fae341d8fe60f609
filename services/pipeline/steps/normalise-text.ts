import { z } from 'zod';
import { defineStep } from '../step.js';

const forms = ['nfc', 'nfd', 'nfkc', 'nfkd'] as const;

export interface NormaliseTextSpec {
  kind: 'normaliseText';
  form: (typeof forms)[number] | null;
  lowercase: boolean;
  stripAccents: boolean;
  collapseSpaces: boolean;
}

const form = z.strictObject({
  kind: z.literal('normaliseText'),
  form: z.enum(forms),
  lowercase: z.boolean(),
  stripAccents: z.boolean(),
  collapseSpaces: z.boolean(),
});

export const normaliseText = defineStep<NormaliseTextSpec, z.infer<typeof form>>({
  kind: 'normaliseText',
  summary: 'brings text into a Unicode normalisation form; on request small letters, no accents, single spaces',
  takes: ['text'],
  form,
  gives: () => 'text',
  fit: ({ form: asked, ...settings }) => ({ ...settings, form: asked ?? 'nfkc' }),
  prepare(settings) {
    return {
      output: { kind: 'text' },
      apply(column) {
        const { values } = column as Extract<typeof column, { kind: 'texts' }>;
        for (let i = 0; i < values.length; i++) {
          const text = values[i];
          values[i] = text === null || text === undefined ? null : normalise(text, settings);
        }
        return column;
      },
    };
  },
});

type Settings = Omit<z.infer<typeof form>, 'kind'>;

/** The form comes last, so that the others cannot undo it. */
function normalise(text: string, { form: wanted, lowercase, stripAccents, collapseSpaces }: Settings): string {
  let normal = stripAccents ? text.normalize('NFKD').replace(/\p{Mn}/gu, '') : text;
  normal = normal.normalize(wanted.toUpperCase());
  normal = lowercase ? normal.toLowerCase().normalize(wanted.toUpperCase()) : normal;
  return collapseSpaces ? normal.trim().replace(/\s+/gu, ' ') : normal;
}
