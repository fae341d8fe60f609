import { z } from 'zod';
import { decodeImages, type ImageFilter, type ImageFit, imageFilters, imageFits } from '../image.js';
import { defineStep, type SettingReport } from '../step.js';
import type { ListType } from '../values.js';

const sideMax = 1_024;
const itemsMax = 256 * 256 * 3;
const shortSideMax = 4_096;

export interface DecodeImageSpec {
  kind: 'decodeImage';
  height: number;
  width: number;
  colour: 'rgb' | 'grey' | null;
  fit: ImageFit | null;
  filter: ImageFilter | null;
  /** With the fit `crop` only. */
  shortSide: number | null;
}

const form = z
  .strictObject({
    kind: z.literal('decodeImage'),
    height: z.int().positive().max(sideMax),
    width: z.int().positive().max(sideMax),
    channels: z.union([z.literal(1), z.literal(3)]),
    fit: z.enum(imageFits),
    filter: z.enum(imageFilters),
    shortSide: z.int().positive().max(shortSideMax).optional(),
  })
  .refine(({ height, width, channels }) => height * width * channels <= itemsMax, `gives more than ${itemsMax} numbers`)
  .refine(({ fit, shortSide }) => fit === 'crop' || shortSide === undefined, 'has a short side without a crop');

export const decodeImage = defineStep<DecodeImageSpec, z.infer<typeof form>>({
  kind: 'decodeImage',
  summary:
    'the pixels of an image file, turned upright, resized and cropped, in colour or grey: bytes [height, width, channels]',
  takes: ['binary'],
  form,
  gives: (spec) => pixelsOf({ ...spec, channels: channelsOf(spec) }),
  check,
  fit: (spec) => ({
    kind: 'decodeImage',
    height: spec.height,
    width: spec.width,
    channels: channelsOf(spec),
    fit: spec.fit ?? 'cover',
    filter: spec.filter ?? 'bilinear',
    ...(spec.shortSide === null ? {} : { shortSide: spec.shortSide }),
  }),
  prepare({ height, width, channels, fit, filter, shortSide = 0 }) {
    const wanted = { height, width, channels, resize: { fit, filter, shortSide } };
    return {
      output: pixelsOf(wanted),
      items: 'uint8',
      async decode(contents, target) {
        const refusals = await decodeImages(contents, wanted, target);
        return refusals.map((error) => error && `${error.expected} but received ${error.received}`);
      },
    };
  },
});

function channelsOf({ colour }: DecodeImageSpec): 1 | 3 {
  return colour === 'grey' ? 1 : 3;
}

function pixelsOf({ height, width, channels }: { height: number; width: number; channels: number }): ListType {
  return { kind: 'list', width: height * width * channels, shape: [height, width, channels] };
}

function check(spec: DecodeImageSpec, _: unknown, report: SettingReport): void {
  const { height, width, shortSide } = spec;
  const isSide = (side: number, setting: string) =>
    report.check(Number.isInteger(side) && side >= 1 && side <= sideMax, setting, `from 1 to ${sideMax}`, side);
  const channels = channelsOf(spec);
  if ([isSide(height, 'height'), isSide(width, 'width')].every(Boolean) && height * width * channels > itemsMax) {
    const message = `Expected \`${report.field}\` to give at most ${itemsMax} numbers but ${height} x ${width} pixels of ${channels} are ${height * width * channels}.`;
    report.add('', message);
  }
  if (shortSide !== null && spec.fit !== 'crop') {
    const field = `${report.field}.short_side`;
    report.add('short_side', `Expected \`${field}\` only with FIT_CROP but received ${shortSide} without it.`);
  } else if (shortSide !== null) {
    const isWithin = Number.isInteger(shortSide) && shortSide >= 1 && shortSide <= shortSideMax;
    report.check(isWithin, 'short_side', `from 1 to ${shortSideMax}`, shortSide);
  }
}
