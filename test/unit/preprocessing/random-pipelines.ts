import fc from 'fast-check';
import sharp from 'sharp';
import type { StepSpec } from '../../../services/pipeline/index.js';
import type { LabelSpec } from '../../../services/preprocessing/pipeline-spec.js';
import { wholeSplit } from '../../../services/preprocessing/split.js';
import { wavOf } from '../../support/wav.js';
import type { TableContent } from './table.js';

type Kind = StepSpec['kind'];
type Chains = { [K in Kind]?: fc.Arbitrary<StepSpec[]> };

const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const share = (min: number, max: number) => fc.double({ min, max, noNaN: true });
// A range of next to nothing would scale what lies beyond it out of float32.
const number = fc.double({ min: -1_000, max: 1_000, noNaN: true }).map((value) => Math.round(value * 1e6) / 1e6);
const word = fc.constantFrom('red', 'green', '', '青い', 'ﬁne Ångström', 'a b  c', '😀');
const text = fc.oneof(word, fc.string({ unit: 'grapheme', maxLength: 12 }));
const ngrams = nullable(
  fc.record({
    unit: fc.constantFrom('word', 'character', 'characterInWord', null),
    min: fc.constant(1),
    max: fc.constantFrom(1, 2, 3),
  }),
);
const quantiles = { lowerQuantile: nullable(share(0, 0.4)), upperQuantile: nullable(share(0.6, 1)) };
const one = <T extends StepSpec>(settings: { [P in keyof T]: fc.Arbitrary<T[P]> }): fc.Arbitrary<StepSpec[]> =>
  fc.record(settings).map((step) => [step as unknown as StepSpec]);
const kindIs = <K extends Kind>(kind: K) => fc.constant(kind);
const categoriesMax = fc.constant(null);

/** Steps that turn numbers into numbers, so that any number of them may follow each other. */
const mappings: Chains = {
  scale: one({ kind: kindIs('scale'), minimum: fc.constant(null), maximum: fc.constant(null) }),
  standardise: one({ kind: kindIs('standardise') }),
  robust: one({ kind: kindIs('robust'), ...quantiles }),
  power: one({ kind: kindIs('power'), lambda: nullable(share(-1, 3)) }),
  quantile: one({
    kind: kindIs('quantile'),
    output: fc.constantFrom('uniform', 'normal', null),
    quantilesMax: nullable(fc.integer({ min: 2, max: 50 })),
  }),
  clip: one({
    kind: kindIs('clip'),
    minimum: fc.constant(null),
    maximum: fc.constant(null),
    lowerQuantile: share(0, 0.4),
    upperQuantile: nullable(share(0.6, 1)),
  }),
  // What is below 0 is clipped first: the logarithm refuses it.
  log: share(0.5, 3).map((offset) => [
    { kind: 'clip', minimum: 0, maximum: null, lowerQuantile: null, upperQuantile: null },
    { kind: 'log', offset },
  ]),
};

/** Steps that end a chain and take numbers or texts. */
const encodings: Chains = {
  oneHot: one({ kind: kindIs('oneHot'), categoriesMax, unseenPlace: fc.boolean() }),
  ordinal: one({ kind: kindIs('ordinal'), categoriesMax }),
  frequency: one({ kind: kindIs('frequency'), categoriesMax }),
  hash: one({ kind: kindIs('hash'), outputs: fc.integer({ min: 1, max: 20 }), alternateSign: fc.boolean() }),
  target: one({
    kind: kindIs('target'),
    categoriesMax,
    smooth: nullable(share(0, 10)),
    folds: nullable(fc.integer({ min: 2, max: 6 })),
  }),
};
const timeZone = fc.constantFrom('', 'America/New_York', 'Australia/Lord_Howe');
const times: Chains = {
  calendar: fc
    .tuple(fc.subarray(['year', 'week', 'dayOfYear', 'weekend', 'second'] as const, { minLength: 1 }), timeZone)
    .map(([parts, zone]) => [{ kind: 'calendar', parts: [...parts], timeZone: zone }]),
  cyclic: fc
    .tuple(fc.subarray(['day', 'week', 'month', 'year'] as const, { minLength: 1 }), timeZone)
    .map(([asked, zone]) => [{ kind: 'cyclic', cycles: [...asked], period: null, timeZone: zone }]),
  age: one({
    kind: kindIs('age'),
    since: fc.constantFrom('', '2001-02-03'),
    unit: fc.constantFrom('year', 'hour', null),
  }),
};
const buckets: Chains = {
  bucket: one({
    kind: kindIs('bucket'),
    strategy: fc.constantFrom('uniform', 'quantile'),
    buckets: fc.integer({ min: 2, max: 6 }),
    edges: fc.constant<number[]>([]),
    output: fc.constantFrom('oneHot', 'index', null),
  }),
};
const normaliseText = one({
  kind: kindIs('normaliseText'),
  form: fc.constantFrom('nfc', 'nfd', 'nfkc', 'nfkd', null),
  lowercase: fc.boolean(),
  stripAccents: fc.boolean(),
  collapseSpaces: fc.boolean(),
});
const terms: Chains = {
  tfIdf: one({
    kind: kindIs('tfIdf'),
    ngrams: ngrams.map((spec) => ({ min: 1, max: 2, ...spec, unit: 'character' as const })),
    featuresMax: nullable(fc.integer({ min: 1, max: 30 })),
    documentsMin: fc.constant(null),
    sublinear: fc.boolean(),
  }),
  hashTfIdf: one({
    kind: kindIs('hashTfIdf'),
    ngrams,
    outputs: fc.integer({ min: 1, max: 30 }),
    sublinear: fc.boolean(),
  }),
};
const impute = (filling: { number: number | null; text: string | null }, missingFlag: boolean): StepSpec => ({
  kind: 'impute',
  strategy: 'constant',
  missingFlag,
  ...filling,
});

const oneOf = (...chains: Chains[]) => fc.oneof(...chains.flatMap((some) => Object.values(some)));
const maybe = (chain: fc.Arbitrary<StepSpec[]>) => fc.oneof(fc.constant<StepSpec[]>([]), chain);
/** A power of a power soon lies beyond float32, which is refused with its row, as a test of its own shows. */
const onePower = ({ kind }: StepSpec, place: number, chain: StepSpec[]) =>
  kind !== 'power' || chain.findIndex((step) => step.kind === 'power') === place;
const numberSteps = fc
  .tuple(fc.array(oneOf(mappings), { maxLength: 3 }), maybe(oneOf(encodings, buckets)), fc.boolean())
  .map(([maps, last, flag]) => [impute({ number: 1.5, text: null }, flag), ...maps.flat().filter(onePower), ...last]);
const textSteps = fc
  .tuple(maybe(normaliseText), oneOf(encodings, terms), fc.boolean())
  .map(([normalise, last, flag]) => [impute({ number: null, text: 'none at all' }, flag), ...normalise, ...last]);

const timeSteps = fc
  .tuple(oneOf(times), fc.boolean())
  .map(([last, flag]) => [impute({ number: null, text: '1999-12-31T23:59:59.999Z' }, flag), ...last]);

const files = await Promise.all(
  (['png', 'jpeg', 'webp'] as const).map((format, i) => {
    const pixels = Uint8Array.from({ length: 5 * 7 * 3 }, (_, k) => (k * k * (i + 3)) % 256);
    return sharp(pixels, { raw: { width: 5, height: 7, channels: 3 } })
      .toFormat(format)
      .toBuffer();
  }),
);
const images: Chains = {
  decodeImage: one({
    kind: kindIs('decodeImage'),
    height: fc.integer({ min: 1, max: 8 }),
    width: fc.integer({ min: 1, max: 8 }),
    colour: fc.constantFrom('rgb', 'grey', null),
    fit: fc.constantFrom('fill', 'cover', 'contain', 'crop', null),
    filter: fc.constantFrom('nearest', 'bilinear', 'bicubic', 'lanczos', null),
    shortSide: fc.constant(null),
  }),
};
const channels: Chains = {
  normaliseChannels: one({
    kind: kindIs('normaliseChannels'),
    mean: fc.constant<number[]>([]),
    deviation: fc.constant<number[]>([]),
  }),
};
const imageSteps = fc
  .tuple(oneOf(images), maybe(oneOf(channels)), fc.boolean())
  .map(([decode, normalise, flag]) => [...decode, impute({ number: 7, text: null }, flag), ...normalise]);

const sounds = [5_512, 8_000, 11_025].map((rateHz, i) =>
  wavOf(
    Float64Array.from({ length: 300 * (i + 1) }, (_, k) => Math.sin((k * k) / (500 * (i + 1))) / 2),
    rateHz,
  ),
);
const decoding: Chains = {
  decodeSound: one({
    kind: kindIs('decodeSound'),
    rateHz: fc.constantFrom(4_000, 8_000),
    seconds: fc.constantFrom(0.01, 0.05),
  }),
};
const spectra: Chains = {
  logMel: one({
    kind: kindIs('logMel'),
    fftSize: fc.constantFrom(128, 256),
    hop: nullable(fc.integer({ min: 20, max: 100 })),
    window: nullable(fc.integer({ min: 1, max: 128 })),
    mels: fc.integer({ min: 2, max: 12 }),
    minimumHz: nullable(share(0, 100)),
    maximumHz: nullable(share(1_500, 2_000)),
    rangeDecibels: nullable(share(1, 90)),
  }),
};
const cepstra: Chains = {
  mfcc: one({
    kind: kindIs('mfcc'),
    coefficients: fc.integer({ min: 1, max: 2 }),
    lifter: nullable(fc.integer({ min: 0, max: 30 })),
  }),
};
const pools: Chains = {
  poolTime: fc
    .subarray(['mean', 'deviation', 'minimum', 'maximum', 'median'] as const)
    .map((statistics) => [{ kind: 'poolTime', statistics: [...statistics] }]),
};
const bands = fc.tuple(oneOf(spectra), maybe(oneOf(cepstra))).map((steps) => steps.flat());
const soundSteps = fc
  .tuple(oneOf(decoding), maybe(bands), maybe(oneOf(pools)), maybe(oneOf(channels)), fc.boolean())
  .map(([decode, mel, pool, normalise, flag]) => [
    ...decode,
    impute({ number: 0.25, text: null }, flag),
    ...mel,
    ...pool,
    ...normalise,
  ]);

/** A record of every kind of column; whatever may be missing is so, now and then. */
const row = fc.record({
  sound: nullable(fc.constantFrom(...sounds)),
  image: nullable(fc.constantFrom(...files)),
  x: nullable(number),
  n: nullable(fc.integer({ min: -5, max: 5 })),
  flag: nullable(fc.boolean()),
  word: nullable(word),
  text: nullable(text),
  when: nullable(fc.integer({ min: -6e13, max: 2e14 })),
});
export const labels = fc.constantFrom<LabelSpec>(
  { column: 'price', kind: 'number' },
  { column: '', kind: 'numbers', columns: ['price', 'extent'], standardise: true },
  { column: 'side', kind: 'binary' },
  { column: 'tier', kind: 'classes' },
  { column: 'tags', kind: 'labels', separator: ';' },
);

/** The rows as a table, with labels and a split. */
export function contentOf(rows: readonly Record<string, unknown>[]): TableContent {
  const column = (name: string) => rows.map((one) => one[name]) as (number | string | null)[];
  return {
    image: ['binary', column('image')],
    sound: ['binary', column('sound')],
    x: ['float64', column('x')],
    n: ['int64', column('n')],
    flag: ['boolean', column('flag')],
    word: ['text', column('word')],
    text: ['text', column('text')],
    when: ['time', column('when')],
    price: ['float64', rows.map((_, i) => (i * 7) % 5)],
    extent: ['float64', rows.map((_, i) => (i * 3) % 4)],
    side: ['text', rows.map((_, i) => (i % 2 ? 'left' : 'right'))],
    tier: ['text', rows.map((_, i) => ['gold', 'iron', 'tin'][i % 3]!)],
    tags: ['text', rows.map((_, i) => ['new', 'old;large', null, 'large'][i % 4]!)],
    // The last three rows are for the test, and may hold what training never saw.
    part: ['text', rows.map((_, i) => (i < rows.length - 3 ? 'train' : 'test'))],
  };
}

/** Three to go with each row of the test split, and at least six to learn from. */
export const rows = fc.array(row, { minLength: 9, maxLength: 24 });

/** A chain of steps for every column. */
export const columnSteps = fc.record({
  ...{ x: numberSteps, n: numberSteps, flag: numberSteps },
  ...{ word: textSteps, text: textSteps, when: timeSteps, image: imageSteps, sound: soundSteps },
});

/** Images that stay bytes: they are scaled when the network reads them. */
export const byteSteps = fc
  .tuple(oneOf(images), fc.constantFrom<StepSpec[]>([], [{ kind: 'scale', minimum: 0, maximum: 255 }]))
  .map((steps) => steps.flat());

/** The kinds of steps that may be drawn. */
export const drawnKinds: string[] = [
  ...[mappings, encodings, times, buckets, terms, images, channels, decoding, spectra, cepstra, pools].flatMap(
    Object.keys,
  ),
  ...['impute', 'normaliseText'],
];

export const byPart = { ...wholeSplit, column: 'part' };
