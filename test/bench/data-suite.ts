import { flightMeasurements } from './flight-measurements.js';
import { imageMeasurements } from './image-measurements.js';
import type { Suite } from './main.js';
import { tableMeasurements } from './table-measurements.js';

/** Data on its way to training, and out to others. */
export const dataSuite: Suite = async (trials, note) => [
  ...(await tableMeasurements(trials, note)),
  ...(await imageMeasurements(trials, note)),
  ...(await flightMeasurements(trials, note)),
];
