import { z } from 'zod';
import { hashPlace, hashText } from '../murmur-hash.js';
import { defineStep } from '../step.js';
import { checkHashOutputs, hashOutputs } from './hash.js';
import { checkNgrams, forEachNgram, type NgramSpec, type Ngrams, ngramsForm, ngramsOf } from './ngrams.js';
import { inverseFrequency, writeWeights } from './term-weights.js';

export interface HashTfIdfSpec {
  kind: 'hashTfIdf';
  ngrams: NgramSpec | null;
  outputs: number | null;
  sublinear: boolean;
}

const form = z.strictObject({
  kind: z.literal('hashTfIdf'),
  ngrams: ngramsForm,
  /** One a feature. */
  idf: z.array(z.number()).min(1),
  sublinear: z.boolean(),
});

export const hashTfIdf = defineStep<HashTfIdfSpec, z.infer<typeof form>>({
  kind: 'hashTfIdf',
  summary: 'as tf_idf, but the hash of an n-gram picks one of a fixed number of features: no vocabulary, none unseen',
  takes: ['text'],
  form,
  gives: () => 'features',
  check({ ngrams, outputs }, _, report) {
    checkNgrams(ngrams, report);
    checkHashOutputs(outputs, report);
  },
  async fit(spec, column) {
    const ngrams = ngramsOf(spec.ngrams);
    const counts = new Float64Array(hashOutputs(spec.outputs));
    const last = new Float64Array(counts.length);
    let documents = 0;
    for await (const texts of column.texts()) {
      for (const text of texts) {
        documents++;
        forEachPlace(ngrams, text, counts.length, (place) => {
          counts[place]! += last[place] === documents ? 0 : 1;
          last[place] = documents;
        });
      }
    }
    const idf = Array.from(counts, (count) => inverseFrequency(documents, count));
    return { kind: 'hashTfIdf', ngrams, idf, sublinear: spec.sublinear };
  },
  prepare({ ngrams, idf, sublinear }) {
    return {
      output: null,
      names: idf.map((_, i) => `#${i}`),
      write({ values }, target) {
        writeWeights(values as string[], target, idf, sublinear, (text, count) =>
          forEachPlace(ngrams, text, idf.length, count),
        );
      },
    };
  },
});

function forEachPlace(ngrams: Ngrams, text: string, outputs: number, found: (place: number) => void): void {
  forEachNgram(ngrams, text, (ngram) => found(hashPlace(hashText(ngram), outputs)));
}
