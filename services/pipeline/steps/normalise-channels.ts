import { z } from 'zod';
import { channelMoments } from '../statistics.js';
import { defineStep, mapNumbers, type SettingReport, type TrainingColumn } from '../step.js';
import type { ValueType } from '../values.js';

export interface NormaliseChannelsSpec {
  kind: 'normaliseChannels';
  /** One a channel; empty: the training split's. */
  mean: number[];
  deviation: number[];
}

const form = z.strictObject({
  kind: z.literal('normaliseChannels'),
  /** y = (x - subtract) / divide, in float64; one of each a channel. */
  subtract: z.array(z.number()).min(1),
  divide: z.array(z.number().refine((value) => value !== 0, 'must not be 0')).min(1),
});

export const normaliseChannels = defineStep<NormaliseChannelsSpec, z.infer<typeof form>>({
  kind: 'normaliseChannels',
  summary:
    'brings each channel of images, or band of sounds, to mean 0 and standard deviation 1, by given figures or the training split',
  takes: ['list'],
  form,
  gives: () => 'same',
  check,
  async fit({ mean, deviation }, column) {
    const { input } = column;
    const isGiven = mean.length > 0 && deviation.length > 0;
    const seen = isGiven ? null : await channelMoments(() => column.numbers(), channelsOf(input), widthOf(input));
    const pick = (given: number[], learned: number[]) => (given.length > 0 ? given : learned.map(usableIn(column)));
    return {
      kind: 'normaliseChannels',
      subtract: pick(mean, seen?.means ?? []),
      // A constant channel becomes 0: divided by 1, as there is nothing to divide by.
      divide: pick(deviation, seen?.deviations ?? []).map((value) => value || 1),
    };
  },
  prepare({ subtract, divide }, input) {
    const channels = channelsOf(input);
    if (subtract.length !== channels || divide.length !== channels) {
      throw new Error(`the step normaliseChannels needs figures for ${channels} channels`);
    }
    return mapNumbers(input, (values) => {
      for (let i = 0; i < values.length; i += channels) {
        for (let channel = 0; channel < channels; channel++) {
          values[i + channel] = (values[i + channel]! - subtract[channel]!) / divide[channel]!;
        }
      }
    });
  },
});

const usableIn = (column: TrainingColumn) => (value: number) => column.usable(value);

/** Of an image the last length of [height, width, channels]; one of height and width alone has one channel. */
function channelsOf(input: ValueType): number {
  return input.kind === 'list' ? (input.channels ?? (input.shape.length === 3 ? input.shape[2]! : 1)) : 1;
}

function widthOf(input: ValueType): number {
  return input.kind === 'list' ? input.width : 1;
}

function check({ mean, deviation }: NormaliseChannelsSpec, input: ValueType | null, report: SettingReport): void {
  if (input?.kind === 'list' && !input.channels && input.shape.length !== 2 && input.shape.length !== 3) {
    const message = `Expected \`${report.field}\` to follow sounds, or images of height, width and channels, but the shape is [${input.shape.join(', ')}].`;
    report.add('', message);
    return;
  }
  const channels = input ? channelsOf(input) : null;
  for (const [setting, figures] of Object.entries({ mean, deviation })) {
    const isCount = figures.length === 0 || channels === null || figures.length === channels;
    report.check(isCount, setting, `one number for each of the ${channels} channels, or none,`, figures.length);
    const wrong = figures.find((value) => !Number.isFinite(value) || (setting === 'deviation' && value <= 0));
    report.check(wrong === undefined, setting, setting === 'mean' ? 'finite' : 'positive', wrong);
  }
}
