import { metricNames } from './contract-names.js';
import { choice, flag, fromOne, integer, notNegative, openFraction, type Settings, unset } from './settings.js';

export const earlyStoppingSettings: Settings = {
  metric: choice(metricNames, unset),
  patience: integer(1, 10),
  minimumDelta: notNegative(0),
  restoreBest: flag(true),
};

export const divergenceSettings: Settings = {
  retries: integer(1, 3, 100),
  learningRateFactor: openFraction(0.1),
};

/** What is left out follows from the label and the spec. */
export const crossValidationSettings: Settings = {
  folds: integer(2, 5, 100),
  stratified: { rule: 'true or false', allows: (value) => typeof value === 'boolean', otherwise: unset },
  seed: integer(0, unset),
};

const isShare = (value: unknown) => typeof value === 'number' && value > 0 && value <= 1;
const areGrowing = (values: unknown[]) => values.every((value, i) => i === 0 || value! > values[i - 1]!);

/** As `crossValidationSettings`, for each size. */
export const learningCurveSettings: Settings = {
  trainSizes: {
    rule: '2 to 20 shares above 0 and up to 1, each larger than the one before',
    allows: (value) =>
      Array.isArray(value) && value.length >= 2 && value.length <= 20 && value.every(isShare) && areGrowing(value),
    otherwise: [0.1, 0.325, 0.55, 0.775, 1],
  },
  ...crossValidationSettings,
};

export const checkpointSettings: Settings = {
  everyEpochs: integer(1, unset),
  everySteps: integer(1, unset),
  everySeconds: fromOne(unset),
  keepLast: integer(1, 1, 100),
};

export const validationSettings: Settings = { everyEpochs: integer(1, 1) };
