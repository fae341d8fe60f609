import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { preparePipeline, type StepSpec, transformRecords } from '../../../services/pipeline/index.js';
import { decodeSound } from '../../../services/pipeline/sound/sound.js';
import { SoundError } from '../../../services/pipeline/sound/sound-error.js';
import { readMono, readWav } from '../../../services/pipeline/sound/wav.js';
import { fitPipeline } from '../../../services/preprocessing/fit.js';
import { wholeSplit } from '../../../services/preprocessing/split.js';
import { wavOf } from '../../support/wav.js';
import { openTable } from './table.js';

const rateHz = 8_000;
const decode = { kind: 'decodeSound' as const, rateHz, seconds: 0.1 };
const logMel = {
  ...{ kind: 'logMel' as const, fftSize: 256, hop: null, window: null, mels: 20 },
  ...{ minimumHz: null, maximumHz: null, rangeDecibels: null },
};
const mfcc = { kind: 'mfcc' as const, coefficients: 5, lifter: null };
const pool: StepSpec = { kind: 'poolTime', statistics: ['mean', 'maximum'] };
const normalise: StepSpec = { kind: 'normaliseChannels', mean: [], deviation: [] };
const split = { ...wholeSplit, column: 'part' };

const tone = (hz: number, loudness = 0.5, seconds = 0.1) =>
  Float64Array.from({ length: seconds * rateHz }, (_, i) => loudness * Math.sin((2 * Math.PI * hz * i) / rateHz));
const sound = wavOf(tone(440), rateHz);

/** The file with some bytes in another place's stead. */
function patched(change: (file: Buffer) => void): Buffer {
  const file = Buffer.from(sound);
  change(file);
  return file;
}

async function fit(files: (Uint8Array | null)[], steps: StepSpec[], parts = files.map(() => 'train')) {
  const table = await openTable(
    { sound: ['binary', files], label: ['float64', files.map((_, i) => i)], part: ['text', parts] },
    2,
  );
  try {
    const spec = { columns: [{ column: 'sound', steps }], label: { column: 'label', kind: 'number' as const } };
    const { definition } = await fitPipeline(spec, split, table, new AbortController().signal);
    return preparePipeline(definition);
  } finally {
    await table.close();
  }
}

describe('sound steps', () => {
  it.each<[string, StepSpec[], string]>([
    ['a rate that is too low', [{ ...decode, rateHz: 999 }], 'rate_hz` to be from 1000 to 192000 but received 999'],
    ['no length', [{ ...decode, seconds: 0 }], 'seconds` to be positive and at most 120 but received 0'],
    ['a length that is no number', [{ ...decode, seconds: Number.NaN }], 'seconds` to be positive and at most 120'],
    [
      'too many samples',
      [{ ...decode, rateHz: 48_000, seconds: 60 }],
      'to give 1 to 1048576 samples but 60 s at 48000',
    ],
    ['more samples than features', [{ ...decode, rateHz: 48_000, seconds: 20 }], 'at most 196608 numbers a row'],
    ['an FFT of another size', [decode, { ...logMel, fftSize: 300 }], 'fft_size` to be a power of two from 32 to 8192'],
    [
      'a hop beyond the frame',
      [decode, { ...logMel, hop: 257 }],
      'hop` to be from 1 to fft_size, 256, but received 257',
    ],
    [
      'a hop that takes too long',
      [
        { ...decode, seconds: 99 },
        { ...logMel, hop: 1 },
      ],
      'take a longer hop',
    ],
    ['bands between frequencies', [decode, { ...logMel, mels: 200 }], 'mels` to be so few that each holds a frequency'],
    ['bands above half of the rate', [decode, { ...logMel, maximumHz: 4_001 }], 'at most half of the rate, 4000, but'],
    ['a band upside down', [decode, { ...logMel, minimumHz: 900, maximumHz: 800 }], 'below maximum_hz, 800, but'],
    ['a spectrogram of a spectrogram', [decode, logMel, logMel], 'steps[2].log_mel` to follow decode_sound'],
    ['coefficients of samples', [decode, mfcc], 'steps[1].mfcc` to follow log_mel'],
    ['more coefficients than bands', [decode, logMel, { ...mfcc, coefficients: 21 }], 'bands, 20, but received 21'],
    ['to pool twice', [decode, logMel, pool, pool], 'steps[3].pool_time` to follow a step that gives a sound'],
    ['to pool the same twice', [decode, { kind: 'poolTime', statistics: ['mean', 'mean'] }], 'each once, but'],
  ])('refuse %s', async (_, steps, message) => {
    await expect(fit([sound], steps)).rejects.toThrow(message);
  });

  it.each<[string, Buffer, string]>([
    ['no sound at all', Buffer.from('<svg/>'), '6 bytes that do not begin as one'],
    ['is cut off', sound.subarray(0, 1_000), 'one of 1644 bytes that is cut off after 1000'],
    ['ends after its head', sound.subarray(0, 12), 'one of 1644 bytes that is cut off after 12'],
    ['promises too much', patched((file) => file.writeUInt32LE(0xffffffff, 4)), 'one of 4294967303 bytes'],
    ['has a chunk too long', patched((file) => file.writeUInt32LE(0xffffffff, 40)), '"data" has 4294967295 bytes'],
    ['has no data', patched((file) => file.write('dots', 36)), 'one without a chunk of data'],
    ['has no format', patched((file) => file.write('form', 12)), 'one whose data comes before its format'],
    ['has a short format', patched((file) => file.writeUInt32LE(8, 16)), 'one whose format has 8 bytes'],
    ['is compressed', patched((file) => file.writeUInt16LE(0x11, 20)), 'one of format 17 of 16 bits'],
    ['has 12 bits', patched((file) => file.writeUInt16LE(12, 34)), 'one of format 1 of 12 bits'],
    ['has no channel', patched((file) => file.writeUInt16LE(0, 22)), '1 to 64 channels but received one of 0'],
    ['has no rate', patched((file) => file.writeUInt32LE(0, 24)), 'to 192000 Hz but received one of 0 Hz'],
    ['has frames of another size', patched((file) => file.writeUInt16LE(4, 32)), 'one whose frames have 4 bytes'],
    ['ends within a sample', patched((file) => file.writeUInt32LE(1_599, 40)), 'one with 1599 bytes of sound'],
    [
      'holds NaN',
      patched((file) => {
        file.writeUInt16LE(3, 20);
        file.writeUInt16LE(4, 32);
        file.writeUInt16LE(32, 34);
        file.fill(0, 44).writeUInt32LE(0x7fc00000, 48);
      }),
      'one that has NaN in frame 1',
    ],
    ['is much smaller than its chunks', patched((file) => file.fill('LIST\0\0\0\0', 12)), 'among its first 1000'],
  ])('name row and column of a file that %s', async (_, file, message) => {
    const error = fit([sound, file], [decode, logMel, pool], ['train', 'test']);
    await expect(error).rejects.toThrow('column "sound" in row 2 is not a whole WAV file');
    await expect(fit([sound, file], [decode, logMel, normalise])).rejects.toThrow(message);
  });

  it('take no file for another, whatever its bytes', () => {
    const change = fc.record({ at: fc.nat({ max: 60 }), byte: fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff) });
    const property = fc.property(
      fc.array(change, { maxLength: 6 }),
      fc.nat({ max: sound.length }),
      (changes, length) => {
        const file = Buffer.from(sound).subarray(0, length);
        for (const { at, byte } of changes) {
          if (at < length) {
            file[at] = byte;
          }
        }
        let samples: Float64Array = new Float64Array(0);
        try {
          samples = readMono(readWav(file), 500);
        } catch (error) {
          expect(error).toBeInstanceOf(SoundError);
        }
        expect(samples.length).toBeLessThanOrEqual(500);
        expect(samples.every(Number.isFinite)).toBe(true);
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });

  it('normalise each band, and each pooled statistic, by the training split', async () => {
    const files = [0.1, 0.3, 0.9].map((loudness) => wavOf(tone(500, loudness), rateHz));
    const pipeline = await fit(files, [decode, logMel, mfcc, pool, normalise], ['train', 'train', 'test']);
    expect(pipeline.featureNames.slice(3, 7)).toEqual([
      'sound.mean[3]',
      'sound.mean[4]',
      'sound.maximum[0]',
      'sound.maximum[1]',
    ]);
    const features = await transformRecords(pipeline, [{ sound: files[0]! }, { sound: files[1]! }]);
    expect(features).toHaveLength(20);
    for (let i = 0; i < 10; i++) {
      expect(features[i]! + features[i + 10]!).toBeCloseTo(0, 5);
      expect(Math.abs(features[i]!)).toBeCloseTo(1, 5);
    }
    const frames = await fit(files, [decode, logMel, normalise]);
    expect(frames.definition.columns[0]!.steps[2]).toMatchObject({ subtract: { length: 20 } });
  });

  it('transform many files as they do each', async () => {
    const files = [300, 400, 500].map((hz) => wavOf(tone(hz), rateHz));
    // No two of this length are decoded at once.
    const pipeline = await fit(files, [{ ...decode, seconds: 70 }, { ...logMel, hop: 256 }, pool]);
    const records = files.map((file) => ({ sound: file }));
    const together = await transformRecords(pipeline, records);
    const each = await Promise.all(records.map((record) => transformRecords(pipeline, [record])));
    expect([...together]).toEqual(each.flatMap((features) => [...features]));
    const broken = [...records, { sound: sound.subarray(0, 99) }];
    await expect(transformRecords(pipeline, broken)).rejects.toThrow('`records[3].values["sound"]` to be a whole WAV');
  });
});

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
if (!hasFfmpeg) {
  console.warn('ffmpeg is not installed here: what it decodes is not tested.');
}

/** The sound in another format. */
function encoded(format: 'flac' | 'mp3' | 'ogg', samples: ArrayLike<number> = tone(440, 0.5, 1)): Buffer {
  const { stdout, stderr } = spawnSync('ffmpeg', ['-loglevel', 'error', '-i', 'pipe:0', '-f', format, 'pipe:1'], {
    input: wavOf(samples, rateHz),
  });
  expect(stderr.toString()).toBe('');
  return stdout;
}

// A process a file, which may wait for its turn.
describe('what ffmpeg decodes', { timeout: 60_000 }, () => {
  it.runIf(hasFfmpeg)('is the same sound: FLAC to the bit, MP3 and Ogg as the ear has it', async () => {
    const original = await decodeSound(wavOf(tone(440, 0.5, 1), rateHz), rateHz, rateHz);
    expect(await decodeSound(encoded('flac'), rateHz, rateHz)).toEqual(original);
    for (const format of ['mp3', 'ogg'] as const) {
      const decoded = await decodeSound(encoded(format), rateHz, rateHz);
      const power = (samples: Float64Array) => samples.reduce((sum, value) => sum + value ** 2, 0) / samples.length;
      expect(power(decoded) / power(original)).toBeCloseTo(1, 0);
    }
  });

  it.runIf(hasFfmpeg)('is refused where it is broken', async () => {
    for (const format of ['flac', 'ogg'] as const) {
      const whole = encoded(format);
      const call = decodeSound(whole.subarray(0, whole.length / 2), rateHz, rateHz);
      await expect(call).rejects.toThrow(
        `a whole ${format.toUpperCase()} file that ffmpeg decodes but received one that`,
      );
    }
    const junk = Buffer.concat([Buffer.from('ID3'), Buffer.alloc(5_000, 7)]);
    await expect(decodeSound(junk, rateHz, rateHz)).rejects.toThrow('a whole MP3 file that ffmpeg decodes');
  });

  it('says what is missing where ffmpeg is not installed', async () => {
    const { PATH } = process.env;
    onTestFinished(() => {
      process.env.PATH = PATH;
    });
    process.env.PATH = '/nowhere';
    const call = decodeSound(Buffer.from('fLaC and more'), rateHz, rateHz);
    await expect(call).rejects.toThrow('a WAV file but received one of FLAC, for which ffmpeg must be installed');
  });
});
