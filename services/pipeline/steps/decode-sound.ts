import { z } from 'zod';
import { decodeSound as decode } from '../sound/sound.js';
import { SoundError } from '../sound/sound-error.js';
import { rateHzMax, rateHzMin } from '../sound/wav.js';
import { defineStep, type SettingReport } from '../step.js';
import type { ListType } from '../values.js';

const secondsMax = 120;
const samplesMax = 1_048_576;

export interface DecodeSoundSpec {
  kind: 'decodeSound';
  rateHz: number;
  seconds: number;
}

const form = z.strictObject({
  kind: z.literal('decodeSound'),
  rateHz: z.int().min(rateHzMin).max(rateHzMax),
  samples: z.int().positive().max(samplesMax),
});

export const decodeSound = defineStep<DecodeSoundSpec, z.infer<typeof form>>({
  kind: 'decodeSound',
  summary:
    'the samples of a sound file: the mean of its channels, resampled, cut or filled up with silence to one length',
  takes: ['binary'],
  form,
  gives: (spec) => soundOf(spec.rateHz, samplesOf(spec)),
  check,
  fit: (spec) => ({ kind: 'decodeSound', rateHz: spec.rateHz, samples: samplesOf(spec) }),
  prepare: ({ rateHz, samples }) => ({
    output: soundOf(rateHz, samples),
    items: 'float64',
    async decode(contents, target) {
      const answers: (string | null)[] = [];
      for (const [i, content] of contents.entries()) {
        answers.push(content && (await decodeOne(content, target.subarray(i * samples, (i + 1) * samples))));
      }
      return answers;

      async function decodeOne(content: Uint8Array, place: Float64Array): Promise<string | null> {
        try {
          place.set(await decode(content, rateHz, samples));
          return null;
        } catch (error) {
          if (error instanceof SoundError) {
            return `${error.expected} but received ${error.received}`;
          }
          throw error;
        }
      }
    },
  }),
});

function samplesOf({ rateHz, seconds }: DecodeSoundSpec): number {
  return Math.round(rateHz * seconds);
}

function soundOf(rateHz: number, samples: number): ListType {
  return { kind: 'list', width: samples, shape: [samples], rateHz, channels: 1 };
}

function check(spec: DecodeSoundSpec, _: unknown, report: SettingReport): void {
  const { rateHz, seconds } = spec;
  const isRate = Number.isInteger(rateHz) && rateHz >= rateHzMin && rateHz <= rateHzMax;
  report.check(isRate, 'rate_hz', `from ${rateHzMin} to ${rateHzMax}`, rateHz);
  const isSeconds = seconds > 0 && seconds <= secondsMax;
  report.check(isSeconds, 'seconds', `positive and at most ${secondsMax}`, seconds);
  const samples = samplesOf(spec);
  if (isRate && isSeconds && (samples < 1 || samples > samplesMax)) {
    const message = `Expected \`${report.field}\` to give 1 to ${samplesMax} samples but ${seconds} s at ${rateHz} Hz are ${samples}.`;
    report.add('', message);
  }
}
