import { z } from 'zod';
import { melBands } from '../sound/mel.js';
import { frameCount, LogMelSpectrogram, type SpectrogramForm } from '../sound/spectrogram.js';
import { defineStep, type SettingReport } from '../step.js';
import type { ListType, ValueType } from '../values.js';
import { mapLists } from './lists.js';

const fftSizeMin = 32;
const fftSizeMax = 8_192;
const melsMax = 512;
const itemsMax = 1_048_576;
/** Frames times their size: about a second's work. */
const workMax = 2 ** 26;

export interface LogMelSpec {
  kind: 'logMel';
  fftSize: number | null;
  hop: number | null;
  window: number | null;
  mels: number | null;
  minimumHz: number | null;
  maximumHz: number | null;
  rangeDecibels: number | null;
}

const form = z.strictObject({
  kind: z.literal('logMel'),
  fftSize: z.int().min(fftSizeMin).max(fftSizeMax).refine(isPowerOfTwo, 'must be a power of two'),
  hop: z.int().positive(),
  window: z.int().positive(),
  mels: z.int().positive().max(melsMax),
  minimumHz: z.number().nonnegative(),
  maximumHz: z.number().positive(),
  rangeDecibels: z.number().positive(),
});

type FittedLogMel = z.infer<typeof form>;

export const logMel = defineStep<LogMelSpec, FittedLogMel>({
  kind: 'logMel',
  summary: 'the power of a sound in mel bands, in decibels, frame by frame: [frames, bands], as librosa computes it',
  takes: ['list'],
  form,
  gives: (spec, _, input) => (isSound(input) ? outputOf(input, settingsOf(spec, input.rateHz)) : 'same'),
  check(spec, input, report) {
    if (input?.kind === 'list' && !isSound(input)) {
      report.add('', `Expected \`${report.field}\` to follow decode_sound.`);
    } else if (checkAlone(spec, report) && isSound(input)) {
      checkTogether(settingsOf(spec, input.rateHz), input, report);
    }
  },
  fit: (spec, { input }) => ({ kind: 'logMel', ...settingsOf(spec, (input as SoundType).rateHz) }),
  prepare({ kind: _, ...settings }, input) {
    const wrong = isSound(input) ? misfit(settings, input) : ['', 'to follow decode_sound'];
    if (!isSound(input) || wrong) {
      throw new Error(`it needs the step log_mel ${wrong![1]}`);
    }
    const spectrogram = new LogMelSpectrogram({ ...settings, rateHz: input.rateHz });
    return mapLists(input, outputOf(input, settings), (samples, target, at) => spectrogram.write(samples, target, at));
  },
});

type SoundType = ListType & { rateHz: number };
type Settings = Omit<SpectrogramForm, 'rateHz'>;

function isSound(input: ValueType | null): input is SoundType {
  return input?.kind === 'list' && input.rateHz !== undefined && input.shape.length === 1;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/** What is not set is as librosa has it. */
function settingsOf(spec: LogMelSpec, rateHz: number): Settings {
  const fftSize = spec.fftSize ?? 2_048;
  return {
    fftSize,
    hop: spec.hop ?? fftSize / 4,
    window: spec.window ?? fftSize,
    mels: spec.mels ?? 128,
    minimumHz: spec.minimumHz ?? 0,
    maximumHz: spec.maximumHz ?? rateHz / 2,
    rangeDecibels: spec.rangeDecibels ?? 80,
  };
}

function outputOf({ width: samples, rateHz }: SoundType, { hop, mels }: Settings): ListType {
  const frames = frameCount(samples, hop);
  return { kind: 'list', width: frames * mels, shape: [frames, mels], rateHz: rateHz / hop, channels: mels };
}

function checkAlone(spec: LogMelSpec, report: SettingReport): boolean {
  const fftSize = spec.fftSize ?? 2_048;
  const isSize = fftSize >= fftSizeMin && fftSize <= fftSizeMax && isPowerOfTwo(fftSize);
  const isWhole = (value: number | null, max: number) =>
    value === null || (Number.isInteger(value) && value >= 1 && value <= max);
  const sizes = `a power of two from ${fftSizeMin} to ${fftSizeMax}`;
  return [
    report.check(isSize, 'fft_size', sizes, fftSize),
    report.check(isWhole(spec.hop, fftSize), 'hop', `from 1 to fft_size, ${fftSize},`, spec.hop),
    report.check(isWhole(spec.window, fftSize), 'window', `from 1 to fft_size, ${fftSize},`, spec.window),
    report.check(isWhole(spec.mels, melsMax), 'mels', `from 1 to ${melsMax}`, spec.mels),
    report.check((spec.rangeDecibels ?? 80) > 0, 'range_decibels', 'positive', spec.rangeDecibels),
  ].every(Boolean);
}

function checkTogether(settings: Settings, input: SoundType, report: SettingReport): void {
  const wrong = misfit(settings, input);
  if (wrong) {
    const [setting, expected] = wrong;
    report.add(setting, `Expected \`${report.field}${setting && `.${setting}`}\` ${expected}.`);
  }
}

/** What does not fit together: a setting and what is expected of it; null: all does. */
function misfit(settings: Settings, input: SoundType): [setting: string, expected: string] | null {
  const { minimumHz, maximumHz, fftSize, hop, window, mels } = settings;
  const highest = input.rateHz / 2;
  if (!(minimumHz >= 0 && minimumHz < maximumHz)) {
    return ['minimum_hz', `to be at least 0 and below maximum_hz, ${maximumHz}, but received ${minimumHz}`];
  }
  if (!(maximumHz <= highest)) {
    return ['maximum_hz', `to be at most half of the rate, ${highest}, but received ${maximumHz}`];
  }
  if (hop > fftSize || window > fftSize) {
    return ['', `to have hop and window of at most fft_size, ${fftSize}, but received ${hop} and ${window}`];
  }
  const frames = frameCount(input.width, hop);
  if (frames * mels > itemsMax || frames * fftSize > workMax) {
    const received = `${frames} frames of ${mels} bands and ${fftSize} samples; take a longer hop`;
    return ['hop', `to give at most ${itemsMax} numbers, of at most ${workMax} samples, but received ${received}`];
  }
  const bands = melBands({ ...settings, rateHz: input.rateHz });
  const empty = bands.findIndex(({ weights }) => !weights.some((weight) => weight > 0));
  if (empty >= 0) {
    const received = `${mels}, of which number ${empty} lies between two; take fewer, or a larger fft_size`;
    return ['mels', `to be so few that each holds a frequency of the FFT but received ${received}`];
  }
  return null;
}
