import { z } from 'zod';
import type { SettingReport } from '../step.js';

const lengthLimit = 10;

export interface NgramSpec {
  unit: 'word' | 'character' | 'characterInWord' | null;
  min: number | null;
  max: number | null;
}

/** What is counted in a text: runs of `min` to `max` units. */
export const ngramsForm = z.strictObject({
  unit: z.enum(['word', 'character', 'characterInWord']),
  min: z.int().positive(),
  max: z.int().positive().max(lengthLimit),
});

export type Ngrams = z.infer<typeof ngramsForm>;

export function checkNgrams(spec: NgramSpec | null, report: SettingReport): void {
  const isLength = (value: number | null, name: string) =>
    value === null ||
    report.check(
      Number.isInteger(value) && value >= 1 && value <= lengthLimit,
      `ngrams.${name}`,
      `from 1 to ${lengthLimit}`,
      value,
    );
  const minOk = isLength(spec?.min ?? null, 'min');
  const maxOk = isLength(spec?.max ?? null, 'max');
  if (minOk && maxOk && spec && spec.max !== null) {
    const min = spec.min ?? 1;
    report.check(spec.max >= min, 'ngrams.max', `at least \`ngrams.min\`, ${min},`, spec.max);
  }
}

/** Single words, where nothing is said. */
export function ngramsOf(spec: NgramSpec | null): Ngrams {
  const min = spec?.min ?? 1;
  return { unit: spec?.unit ?? 'word', min, max: spec?.max ?? min };
}

/** Calls `found` with each n-gram of a text, as often as it occurs. The rules are those of scikit-learn's vectorizers. */
export function forEachNgram({ unit, min, max }: Ngrams, text: string, found: (ngram: string) => void): void {
  switch (unit) {
    case 'word':
      runs(text.match(words) ?? [], min, max, ' ', found);
      return;
    case 'character':
      runs([...text.replace(spaces, ' ')], min, max, '', found);
      return;
    case 'characterInWord':
      for (const word of text.split(/\s+/u)) {
        if (word !== '') {
          const characters = [' ', ...word, ' '];
          // A word that is shorter than the run is a run of its own, once.
          const longest = Math.max(min, Math.min(max, characters.length));
          runs(characters, Math.min(min, characters.length), Math.min(longest, characters.length), '', found);
        }
      }
  }
}

/** Two letters, digits or underscores and more: what is shorter says little, as scikit-learn has it. */
const words = /[\p{L}\p{N}_]{2,}/gu;
const spaces = /\s\s+/gu;

function runs(
  units: readonly string[],
  min: number,
  max: number,
  separator: string,
  found: (ngram: string) => void,
): void {
  for (let length = min; length <= Math.min(max, units.length); length++) {
    for (let from = 0; from + length <= units.length; from++) {
      found(length === 1 ? units[from]! : units.slice(from, from + length).join(separator));
    }
  }
}
