import { z } from 'zod';
import type { StepDefinition } from '../step.js';
import { age } from './age.js';
import { bucket } from './bucket.js';
import { calendar } from './calendar.js';
import { clip } from './clip.js';
import { cyclic } from './cyclic.js';
import { decodeImage } from './decode-image.js';
import { decodeSound } from './decode-sound.js';
import { frequency } from './frequency.js';
import { hash } from './hash.js';
import { hashTfIdf } from './hash-tf-idf.js';
import { impute } from './impute.js';
import { log } from './log.js';
import { logMel } from './log-mel.js';
import { mfcc } from './mfcc.js';
import { normaliseChannels } from './normalise-channels.js';
import { normaliseText } from './normalise-text.js';
import { oneHot } from './one-hot.js';
import { ordinal } from './ordinal.js';
import { poolTime } from './pool-time.js';
import { power } from './power.js';
import { quantile } from './quantile.js';
import { robust } from './robust.js';
import { scale } from './scale.js';
import { standardise } from './standardise.js';
import { target } from './target.js';
import { tfIdf } from './tf-idf.js';

/** Every kind of step there is. Whoever checks, fits, transforms or documents steps reads this list. */
export const stepDefinitions = [
  impute,
  scale,
  standardise,
  oneHot,
  robust,
  log,
  power,
  quantile,
  clip,
  bucket,
  ordinal,
  frequency,
  hash,
  target,
  normaliseText,
  tfIdf,
  hashTfIdf,
  calendar,
  cyclic,
  age,
  decodeImage,
  normaliseChannels,
  decodeSound,
  logMel,
  mfcc,
  poolTime,
] as const;

type SpecOf<D> = D extends StepDefinition<infer S, infer _> ? S : never;

/** A step as it was asked for; null: left to the default or to the training split, or not set. */
export type StepSpec = SpecOf<(typeof stepDefinitions)[number]>;

/** Any fitted step, in its JSON form. */
export type FittedStep = z.infer<(typeof stepDefinitions)[number]['form']>;

const forms = stepDefinitions.map(({ form }) => form);
export const fittedStep = z.discriminatedUnion('kind', forms as never) as z.ZodType<FittedStep>;

const byKind = new Map<string, unknown>(stepDefinitions.map((definition) => [definition.kind, definition]));

/** Whether the transform of a training row depends on which row it is. */
export function isCrossFitted({ columns }: { columns: readonly { steps: readonly FittedStep[] }[] }): boolean {
  return columns.some(({ steps }) => steps.some((step) => definitionOf(step).isCrossFitted));
}

/** What is known of a step's kind. */
export function definitionOf({ kind }: { kind: StepSpec['kind'] }): StepDefinition<StepSpec, FittedStep> {
  return byKind.get(kind) as StepDefinition<StepSpec, FittedStep>;
}
