import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Millrace } from '../../clients/sdk/index.js';
import { languagePieces, scriptOf } from '../support/languages.js';
import { millrace, mnistFolder, root, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';
import { seededRandom, type ToneKind, tone, toneKinds, toneRateHz } from '../support/tones.js';
import { wavOf } from '../support/wav.js';

const folder = tempFolder();
let mesh: TestMesh;
let client: Millrace;
beforeAll(async () => {
  mesh = await TestMesh.start(tempFolder());
  client = new Millrace({ portBase: mesh.portBase });
}, 60_000);
afterAll(async () => {
  client?.close();
  await mesh?.stop();
});

interface Digit {
  file: string;
  label: string;
}

/** The first digits of MNIST. */
function digitsOf(part: 'train' | 'test'): { pixels(i: number): Uint8Array; labels: Uint8Array } {
  const prefix = path.join(mnistFolder, part === 'train' ? 'train' : 't10k');
  const pixels = readFileSync(`${prefix}-images-idx3-ubyte`).subarray(16);
  const labels = readFileSync(`${prefix}-labels-idx1-ubyte`).subarray(8);
  return { pixels: (i) => pixels.subarray(i * 784, (i + 1) * 784), labels };
}

async function writePicture(file: string, pixels: Uint8Array): Promise<void> {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(
    file,
    await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
      .png()
      .toBuffer(),
  );
}

/** Writes the first digits of MNIST as PNG files into a folder a class. */
async function writeDigits(part: 'train' | 'test', count: number): Promise<Digit[]> {
  const { pixels, labels } = digitsOf(part);
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const label = String(labels[i]);
      const file = path.join(folder, 'digits', part, label, `${i}.png`);
      await writePicture(file, pixels(i));
      return { file, label };
    }),
  );
}

async function succeed(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await millrace(...args, `--port-base=${mesh.portBase}`);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** Trains as the example spec says. What is asked next is answered by the version that comes of it. */
async function train(example: string): Promise<void> {
  await succeed('train', '-f', path.join(root, 'clients/examples', `${example}.yaml`), '--follow');
}

/** Share of the answers that are right. */
function shareRight(answers: readonly unknown[], labels: readonly string[]): number {
  expect(answers).toHaveLength(labels.length);
  return answers.filter((answer, i) => answer === labels[i]).length / labels.length;
}

async function ask(model: string, records: { values: Record<string, object> }[]): Promise<string[]> {
  const { predictions } = await client.prediction.predict({ model, records });
  return predictions.map(({ label }) => label as string);
}

describe('digits as PNG files in class folders', () => {
  it('are imported, trained on and recognised when they are sent as files', { timeout: 120_000 }, async () => {
    await writeDigits('train', 1_600);
    const digits = await writeDigits('test', 200);
    await succeed('data', 'import', 'digits', path.join(folder, 'digits'));
    await train('mnist-png');
    const { pipelines } = await client.preprocessing.listPipelines({});
    expect(pipelines[0]).toMatchObject({ featureType: 'FEATURE_TYPE_UINT8', featureCount: 784 });
    const records = digits.map(({ file }) => ({ values: { image: { content: readFileSync(file) } } }));
    const labels = digits.map(({ label }) => label);
    const answers = await ask('models/digits', records);
    // What is served is not changed at random.
    expect(await client.prediction.predict({ model: 'models/digits', records })).toEqual(
      await client.prediction.predict({ model: 'models/digits', records }),
    );
    // The most frequent digit makes up an eighth of these.
    expect(shareRight(answers, labels)).toBeGreaterThan(0.85);
    const place = answers.findIndex((answer, i) => answer === labels[i]);
    const printed = await succeed('predict', 'digits', '--file', digits[place]!.file, '--json');
    expect(JSON.parse(printed).predictions[0].label).toBe(labels[place]);
    const broken = records[0]!.values.image.content.subarray(0, 100);
    const call = ask('models/digits', [{ values: { image: { content: broken } } }]);
    await expect(call).rejects.toThrow('`records[0].values["image"]` to be a whole PNG');
  });
});

interface Parcel {
  file: string;
  weight: number | null;
  material: string;
  shelf: string;
  /** What the picture says, and what the row says. */
  halves: [string, string];
}

/** The shelf of a parcel depends on the digit on its picture and, by a limit of its material, on its weight; some weights are not known. */
async function writeParcels(part: 'train' | 'test', count: number): Promise<Parcel[]> {
  const random = seededRandom(part === 'train' ? 3 : 4);
  const { pixels, labels } = digitsOf(part);
  const places = [...labels.keys()].filter((i) => labels[i]! < 4).slice(0, count);
  return Promise.all(
    places.map(async (place) => {
      const file = path.join('labels', part, `${place}.png`);
      await writePicture(path.join(folder, 'parcels', file), pixels(place));
      const material = ['paper', 'wood', 'glass'][Math.floor(random() * 3)]!;
      const limit = { paper: 10, wood: 14, glass: 6 }[material]!;
      const exact = random() * 2 * limit;
      const halves: [string, string] = [labels[place]! < 2 ? 'lower' : 'upper', exact > limit ? 'left' : 'right'];
      const weight = random() < 0.05 ? null : Math.round(exact * 100) / 100;
      return { file, weight, material, shelf: halves.join(' '), halves };
    }),
  );
}

/** Share of the parcels that are right for someone who knows one half of each perfectly, and guesses the likeliest other half. */
function byHalf(parcels: readonly Parcel[], half: 0 | 1): number {
  const right = ['lower', 'upper', 'left', 'right'].map((known) => {
    const shelves = parcels.filter(({ halves }) => halves[half] === known).map(({ shelf }) => shelf);
    return Math.max(0, ...[...new Set(shelves)].map((shelf) => shelves.filter((one) => one === shelf).length));
  });
  return right.reduce((sum, count) => sum + count, 0) / parcels.length;
}

describe('a picture and a row of a table', () => {
  it('are imported together, trained on as one and recognised by both', { timeout: 120_000 }, async () => {
    const [train1, parcels] = [await writeParcels('train', 600), await writeParcels('test', 200)];
    const lines = [
      ...train1.map((one) => [one, 'train'] as const),
      ...parcels.map((one) => [one, 'test'] as const),
    ].map(([{ file, weight, material, shelf }, part]) => [file, weight ?? '', material, shelf, part].join());
    const table = ['file_name,weight,material,shelf,split', ...lines].join('\n');
    writeFileSync(path.join(folder, 'parcels', 'parcels.csv'), table);
    await succeed('data', 'import', 'parcels', path.join(folder, 'parcels'));
    await train('parcels');
    const records = parcels.map(({ file, weight, material }) => {
      const image = { content: readFileSync(path.join(folder, 'parcels', file)) };
      return { values: { image, weight: weight === null ? {} : { number: weight }, material: { text: material } } };
    });
    const shelves = parcels.map(({ shelf }) => shelf);
    const answers = await ask('models/parcels', records);
    // Knowing all about the picture or all about the row is right in little more than half.
    expect(byHalf(parcels, 0)).toBeLessThan(0.6);
    expect(byHalf(parcels, 1)).toBeLessThan(0.6);
    expect(shareRight(answers, shelves)).toBeGreaterThan(0.8);
    const { file, weight, material } = parcels.find((parcel) => parcel.weight !== null)!;
    const place = parcels.findIndex((parcel) => parcel.file === file);
    const picture = path.join(folder, 'parcels', file);
    const record = JSON.stringify({ weight, material });
    const printed = await succeed('predict', 'parcels', '--record', record, '--file', picture, '--json');
    expect(JSON.parse(printed).predictions[0].label).toBe(answers[place]);
    const call = ask('models/parcels', [{ values: { image: records[0]!.values.image, weight: {} } }]);
    await expect(call).rejects.toThrow('`records[0].values["material"]`');
  });
});

const [species, gaps] = ['Species', 'Beak Length (mm)'] as const;
type Penguin = Record<string, string | number | null> & { [species]: string };

describe('a table with categories and missing values', () => {
  it('is imported as it is, trained on, and its rows are recognised with what they lack', {
    timeout: 60_000,
  }, async () => {
    const file = path.join(root, 'node_modules/vega-datasets/data/penguins.json');
    const penguins = JSON.parse(readFileSync(file, 'utf8')) as Penguin[];
    expect(penguins.filter((penguin) => penguin[gaps] === null)).toHaveLength(2);
    await succeed('data', 'import', 'penguins', file);
    await train('penguins');
    const labels = penguins.map((penguin) => penguin[species]);
    const mostFrequent = shareRight(
      labels.map(() => 'Adelie'),
      labels,
    );
    expect(mostFrequent).toBeCloseTo(0.44, 2);
    // Of the rows that were not trained on, and of all as they are sent.
    const { metrics } = await client.registry.getModelVersion({ name: 'models/penguins/versions/1' });
    expect(metrics.test_accuracy).toBeGreaterThan(0.95);
    const records = penguins.map(({ [species]: _, ...known }) => ({ values: valuesOf(known) }));
    const answers = await ask('models/penguins', records);
    expect(shareRight(answers, labels)).toBeGreaterThan(0.95);
    const place = penguins.findIndex((penguin) => penguin[gaps] === null);
    const record = JSON.stringify({ ...penguins[place], [species]: undefined });
    const printed = await succeed('predict', 'penguins', '--record', record, '--json');
    expect(JSON.parse(printed).predictions[0].label).toBe(answers[place]);
    const { [gaps]: _, ...values } = records[0]!.values;
    await expect(ask('models/penguins', [{ values }])).rejects.toThrow('`records[0].values["Beak Length (mm)"]`');
  });
});

/** As a record has them; null: the value is missing. */
function valuesOf(row: Record<string, string | number | null>): Record<string, object> {
  const entries = Object.entries(row).map(([name, value]) => [
    name,
    value === null ? {} : typeof value === 'string' ? { text: value } : { number: value },
  ]);
  return Object.fromEntries(entries);
}

interface Tone {
  file: string;
  kind: ToneKind;
  /** Root of the mean square. */
  loudness: number;
}

/** Writes so many sounds of each kind as WAV files into a folder a kind. */
function writeTones(part: 'train' | 'test', countEach: number): Tone[] {
  const random = seededRandom(part === 'train' ? 1 : 2);
  return Array.from({ length: countEach * toneKinds.length }, (_, i) => {
    const kind = toneKinds[i % toneKinds.length]!;
    const file = path.join(folder, 'tones', part, kind, `${i}.wav`);
    const samples = tone(kind, random);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, wavOf(samples, toneRateHz));
    return { file, kind, loudness: Math.sqrt(samples.reduce((sum, value) => sum + value ** 2, 0) / samples.length) };
  });
}

/** The kind whose mean loudness is nearest: all that can be said without looking at the form of a sound. */
function byLoudness(known: Tone[], { loudness }: Tone): ToneKind {
  const distances = toneKinds.map((kind) => {
    const those = known.filter((sound) => sound.kind === kind);
    return Math.abs(loudness - those.reduce((sum, sound) => sum + sound.loudness, 0) / those.length);
  });
  return toneKinds[distances.indexOf(Math.min(...distances))]!;
}

describe('sounds as WAV files in class folders', () => {
  it('are imported, trained on and told apart when they are sent as files', { timeout: 120_000 }, async () => {
    const known = writeTones('train', 60);
    const sounds = writeTones('test', 40);
    await succeed('data', 'import', 'tones', path.join(folder, 'tones'));
    await train('tones');
    const records = sounds.map(({ file }) => ({ values: { sound: { content: readFileSync(file) } } }));
    const kinds = sounds.map(({ kind }) => kind);
    const baseline = shareRight(
      sounds.map((sound) => byLoudness(known, sound)),
      kinds,
    );
    // Each kind makes up a quarter of these.
    expect(baseline).toBeGreaterThan(0.25);
    expect(baseline).toBeLessThan(0.55);
    expect(shareRight(await ask('models/tones', records), kinds)).toBeGreaterThan(0.9);
    const printed = await succeed('predict', 'tones', '--file', sounds[0]!.file, '--json');
    expect(toneKinds).toContain(JSON.parse(printed).predictions[0].label);
    const broken = records[0]!.values.sound.content.subarray(0, 100);
    const call = ask('models/tones', [{ values: { sound: { content: broken } } }]);
    await expect(call).rejects.toThrow('`records[0].values["sound"]` to be a whole WAV file');
  });
});

describe('pieces of text in twelve languages', () => {
  it('are imported, trained on and told apart when they are sent as text', { timeout: 120_000 }, async () => {
    const pieces = languagePieces();
    const file = path.join(folder, 'languages.jsonl');
    writeFileSync(file, pieces.map((piece) => JSON.stringify(piece)).join('\n'));
    await succeed('data', 'import', 'languages', file);
    await train('languages');
    const asked = pieces.filter(({ split }) => split === 'test');
    const languages = asked.map(({ language }) => language);
    const records = asked.map(({ text }) => ({ values: { text: { text } } }));
    const answers = await ask('models/languages', records);
    // Who knows no more than the script that a piece is written in.
    const scripts = asked.map(({ text }) => ({ latin: 'dan', han: 'yue', kana: 'jpn' })[scriptOf(text)]);
    expect(shareRight(scripts, languages)).toBeLessThan(0.3);
    expect(shareRight(answers, languages)).toBeGreaterThan(0.75);
    // Of two languages in Han characters, half could be guessed.
    for (const language of ['cmn_hans', 'yue', 'jpn']) {
      const places = languages.flatMap((one, i) => (one === language ? [i] : []));
      expect(
        shareRight(
          places.map((i) => answers[i]),
          places.map(() => language),
        ),
      ).toBeGreaterThan(0.6);
    }
  });
});
