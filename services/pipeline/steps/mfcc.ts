import { z } from 'zod';
import { defineStep } from '../step.js';
import type { ListType, ValueType } from '../values.js';
import { mapLists } from './lists.js';

export interface MfccSpec {
  kind: 'mfcc';
  coefficients: number | null;
  lifter: number | null;
}

const lifterMax = 1_000;

const form = z.strictObject({
  kind: z.literal('mfcc'),
  coefficients: z.int().positive(),
  lifter: z.int().nonnegative().max(lifterMax),
});

export const mfcc = defineStep<MfccSpec, z.infer<typeof form>>({
  kind: 'mfcc',
  summary: 'mel-frequency cepstral coefficients, the cosine transform of the bands of log_mel: [frames, coefficients]',
  takes: ['list'],
  form,
  gives: (spec, _, input) => (isSpectrogram(input) ? outputOf(input, spec.coefficients ?? 20) : 'same'),
  check({ coefficients, lifter }, input, report) {
    if (input?.kind === 'list' && !isSpectrogram(input)) {
      report.add('', `Expected \`${report.field}\` to follow log_mel.`);
      return;
    }
    const most = isSpectrogram(input) ? input.shape[1]! : Number.MAX_SAFE_INTEGER;
    const count = coefficients ?? 20;
    const isCount = Number.isInteger(count) && count >= 1 && count <= most;
    report.check(isCount, 'coefficients', `from 1 to the number of bands, ${most},`, count);
    const isLifter = lifter === null || (Number.isInteger(lifter) && lifter >= 0 && lifter <= lifterMax);
    report.check(isLifter, 'lifter', `from 0 to ${lifterMax}`, lifter);
  },
  fit: ({ coefficients, lifter }) => ({ kind: 'mfcc', coefficients: coefficients ?? 20, lifter: lifter ?? 0 }),
  prepare({ coefficients, lifter }, input) {
    if (!isSpectrogram(input) || coefficients > input.shape[1]!) {
      throw new Error(`the step mfcc needs to follow log_mel of at least ${coefficients} bands`);
    }
    const bands = input.shape[1]!;
    const basis = cosines(coefficients, bands, lifter);
    return mapLists(input, outputOf(input, coefficients), (levels, target, at) => {
      for (let from = 0, to = at; from < levels.length; from += bands, to += coefficients) {
        for (let k = 0; k < coefficients; k++) {
          let sum = 0;
          for (let i = 0; i < bands; i++) {
            sum += basis[k * bands + i]! * levels[from + i]!;
          }
          target[to + k] = sum;
        }
      }
    });
  },
});

type SpectrogramType = ListType & { shape: readonly [number, number] };

function isSpectrogram(input: ValueType | null): input is SpectrogramType {
  return input?.kind === 'list' && input.rateHz !== undefined && input.shape.length === 2;
}

function outputOf({ shape: [frames], rateHz }: SpectrogramType, coefficients: number): ListType {
  return {
    kind: 'list',
    width: frames * coefficients,
    shape: [frames, coefficients],
    rateHz: rateHz!,
    channels: coefficients,
  };
}

/** [coefficients, bands]: the orthonormal cosine transform of type 2, each coefficient weighted as `librosa.feature.mfcc` lifts it. */
function cosines(coefficients: number, bands: number, lifter: number): Float64Array {
  const basis = new Float64Array(coefficients * bands);
  for (let k = 0; k < coefficients; k++) {
    const norm = Math.sqrt((k === 0 ? 1 : 2) / bands);
    const lift = lifter > 0 ? 1 + (lifter / 2) * Math.sin((Math.PI * (k + 1)) / lifter) : 1;
    for (let i = 0; i < bands; i++) {
      basis[k * bands + i] = norm * lift * Math.cos((Math.PI * k * (2 * i + 1)) / (2 * bands));
    }
  }
  return basis;
}
