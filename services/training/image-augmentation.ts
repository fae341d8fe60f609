import type { Augmentation } from '../../native/index.js';
import type { Violations } from '../platform/errors.js';
import { checkSettings, type Draft, integer, type Setting, type Settings, withDefaults } from './settings.js';
import type { FittedPipeline } from './training-spec.js';

type Place = 'firstColumn' | 'height' | 'width' | 'channels';

/** Where an image stands among the features. */
export type ImagePlace = Pick<Augmentation, Place>;

/** How training images are changed, and which. */
export type ImageAugmentation = Omit<Augmentation, Place> & { images: ImagePlace[] };

/** What training reads of `pipeline.json`. */
interface Definition {
  columns?: { column: string; shape: number[]; steps: { kind: string; [setting: string]: unknown }[] }[];
}

/** The engine's limit. */
const imagesMax = 64;
const sideMax = 1_024;

function upTo(maximum: number): Setting {
  return {
    rule: `a number from 0 to ${maximum}`,
    allows: (value) => typeof value === 'number' && value >= 0 && value <= maximum,
    otherwise: 0,
  };
}

const settings: Settings = {
  flipHorizontally: upTo(1),
  flipVertically: upTo(1),
  rotationDegrees: upTo(180),
  shift: integer(0, 0, sideMax),
  cutOut: integer(0, 0, sideMax),
  noise: upTo(1_000),
};

export function checkAugmentation(given: Draft | null, violations: Violations): void {
  if (given) {
    checkSettings(settings, given, 'spec.augmentation', violations);
  }
}

/** Notes an augmentation of a pipeline without images. */
export function checkImages(given: Draft | null, pipeline: FittedPipeline, violations: Violations): void {
  if (given) {
    const count = imagePlaces(pipeline).length;
    const rule = `unset, or the features to hold 1 to ${imagesMax} images of 1 to 4 channels`;
    violations.check(count >= 1 && count <= imagesMax, 'spec.augmentation', rule, `${count} images`);
  }
}

export function resolveAugmentation(given: Draft | null, pipeline: FittedPipeline): ImageAugmentation | null {
  return given && ({ ...withDefaults(settings, given), images: imagePlaces(pipeline) } as ImageAugmentation);
}

/** As the engine takes it: once for each image. */
export function augmentations(augmentation: ImageAugmentation | null): Augmentation[] {
  const { images = [], ...changes } = augmentation ?? {};
  return images.map((place) => ({ ...place, ...changes }) as Augmentation);
}

/** Images whose pixels are features one by one, whatever scales them. */
function imagePlaces({ definition, featureNames = [] }: FittedPipeline): ImagePlace[] {
  const { columns = [] } = JSON.parse(definition) as Definition;
  const places: ImagePlace[] = [];
  let from = 0;
  for (const { column, shape, steps } of columns) {
    const decoded = steps.find(({ kind }) => kind === 'decodeImage');
    const [height, width, channels = 1] = decoded ? [decoded.height, decoded.width, decoded.channels] : shape;
    const size = Number(height) * Number(width) * Number(channels);
    const firstColumn = featureNames.indexOf(`${column}[0]`, from);
    const isWhole = firstColumn >= 0 && featureNames[firstColumn + size - 1] === `${column}[${size - 1}]`;
    if (isWhole && (channels as number) <= 4 && (decoded || shape.length === 2 || shape.length === 3)) {
      places.push({ firstColumn, height, width, channels } as ImagePlace);
      from = firstColumn + size;
    }
  }
  return places;
}
