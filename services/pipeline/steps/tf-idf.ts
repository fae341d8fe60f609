import { z } from 'zod';
import { defineStep, type TrainingColumn } from '../step.js';
import { ascending } from '../values.js';
import { checkNgrams, forEachNgram, type NgramSpec, type Ngrams, ngramsForm, ngramsOf } from './ngrams.js';
import { inverseFrequency, writeWeights } from './term-weights.js';

const featuresDefault = 10_000;
const featuresLimit = 65_536;
const distinctMax = 5_000_000;

export interface TfIdfSpec {
  kind: 'tfIdf';
  ngrams: NgramSpec | null;
  featuresMax: number | null;
  documentsMin: number | null;
  sublinear: boolean;
}

const form = z.strictObject({
  kind: z.literal('tfIdf'),
  ngrams: ngramsForm,
  /** Sorted by UTF-16 code unit, none twice. */
  vocabulary: z.array(z.string()).min(1),
  /** One an n-gram of the vocabulary. */
  idf: z.array(z.number()),
  sublinear: z.boolean(),
});

export const tfIdf = defineStep<TfIdfSpec, z.infer<typeof form>>({
  kind: 'tfIdf',
  summary: 'one feature an n-gram of words or characters, weighted by how rare it is; others are left out',
  takes: ['text'],
  form,
  gives: () => 'features',
  check({ ngrams, featuresMax, documentsMin }, _, report) {
    checkNgrams(ngrams, report);
    const isCount = (value: number | null, max: number) =>
      value === null || (Number.isInteger(value) && value >= 1 && value <= max);
    report.check(isCount(featuresMax, featuresLimit), 'features_max', `from 1 to ${featuresLimit}`, featuresMax);
    report.check(isCount(documentsMin, 2 ** 31), 'documents_min', 'at least 1', documentsMin);
  },
  async fit(spec, column) {
    const ngrams = ngramsOf(spec.ngrams);
    const { documents, terms } = await countTerms(ngrams, column);
    const frequent = [...terms].filter(([, { documents: count }]) => count >= (spec.documentsMin ?? 1));
    frequent.sort(([a, { total: totalA }], [b, { total: totalB }]) => totalB - totalA || ascending(a, b));
    const kept = frequent.slice(0, spec.featuresMax ?? featuresDefault).sort(([a], [b]) => ascending(a, b));
    if (kept.length === 0) {
      const message = `Expected column ${JSON.stringify(column.name)} to have an n-gram in at least ${spec.documentsMin ?? 1} texts of the training split but it has none.`;
      throw column.refusal('', message);
    }
    return {
      kind: 'tfIdf',
      ngrams,
      vocabulary: kept.map(([term]) => term),
      idf: kept.map(([, { documents: count }]) => inverseFrequency(documents, count)),
      sublinear: spec.sublinear,
    };
  },
  prepare({ ngrams, vocabulary, idf, sublinear }) {
    const places = new Map(vocabulary.map((term, place) => [term, place]));
    if (places.size !== vocabulary.length || idf.length !== vocabulary.length) {
      throw new Error('each n-gram needs to stand once in the vocabulary, with its weight');
    }
    return {
      output: null,
      names: vocabulary.map((term) => `:${term}`),
      write({ values }, target) {
        writeWeights(values as string[], target, idf, sublinear, (text, count) =>
          forEachNgram(ngrams, text, (term) => {
            const place = places.get(term);
            if (place !== undefined) {
              count(place);
            }
          }),
        );
      },
    };
  },
});

/** In how many texts each n-gram is, and how often in all. */
async function countTerms(ngrams: Ngrams, column: TrainingColumn) {
  const terms = new Map<string, { documents: number; total: number; last: number }>();
  let documents = 0;
  for await (const texts of column.texts()) {
    for (const text of texts) {
      documents++;
      forEachNgram(ngrams, text, (term) => {
        let counts = terms.get(term);
        if (!counts) {
          counts = { documents: 0, total: 0, last: 0 };
          terms.set(term, counts);
        }
        counts.total++;
        counts.documents += counts.last === documents ? 0 : 1;
        counts.last = documents;
      });
      if (terms.size > distinctMax) {
        const message = `Expected column ${JSON.stringify(column.name)} to have at most ${distinctMax} different n-grams but it has more. Take shorter ones, or the step hash_tf_idf.`;
        throw column.refusal('ngrams', message);
      }
    }
  }
  return { documents, terms };
}
