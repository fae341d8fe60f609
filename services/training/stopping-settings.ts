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

export const checkpointSettings: Settings = {
  everyEpochs: integer(1, unset),
  everySteps: integer(1, unset),
  everySeconds: fromOne(unset),
  keepLast: integer(1, 1, 100),
};

export const validationSettings: Settings = { everyEpochs: integer(1, 1) };
