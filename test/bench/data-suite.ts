import { flightMeasurements } from './flight-measurements.js';
import type { Suite } from './main.js';

/** Data on its way to training, and out to others. */
export const dataSuite: Suite = async (trials, note) => [...(await flightMeasurements(trials, note))];
