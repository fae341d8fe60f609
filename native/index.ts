import { createRequire } from 'node:module';
import { addon, parentFolder } from './addon.js';
import type { EngineInfo } from './spec.js';

export {
  type CsvForm,
  type CsvRows,
  type CsvTarget,
  readCsvRecords,
  readPlainCsvRecords,
  scanPlainRecords,
  scanPlainRecordsAhead,
} from './csv.js';
export { EngineError, type EngineErrorCode } from './engine-error.js';
export {
  decodeJpegs,
  type ImageFilter,
  type ImageFit,
  type ImageForm,
  type ImageSize,
  type JpegOutcome,
  resampleImage,
} from './images.js';
export { MappedArray } from './mapped-array.js';
export { Network } from './network.js';
export {
  type ArithmeticOperation,
  type GraphDatatype,
  type GraphStep,
  PredictionGraph,
  type PredictionGraphSpec,
} from './prediction-graph.js';
export { QuantizedNetwork } from './quantized-network.js';
export { readSafetensors, type Tensor, type TensorFile, writeSafetensors } from './safetensors.js';
export { SharedMemory, type SharedMemoryRegion } from './shared-memory.js';
export * from './spec.js';
export {
  type CategoryColumn,
  countTexts,
  type FeatureColumn,
  Moments,
  type NumberColumn,
  type TextColumn,
  writeFeatures,
} from './table.js';
export { type EpochOptions, Trainer } from './trainer.js';

const { version } = createRequire(parentFolder)('#package') as { version: string };

/** Loads the BLAS library on the first call, which takes some milliseconds. */
export function engineInfo(): EngineInfo {
  return { version, ...addon.engineInfo() };
}

/**
 * Processors that this process may really use: what its scheduling affinity and its control group's CPU quota leave, rounded
 * up; at least 1. Read anew at each call.
 */
export function availableCores(): number {
  return addon.availableCores();
}

/** The engine's own speed on a large dense product; `threads` 0 takes all that the process may use. */
export async function measureGflops(options: { threads: number; seconds: number }): Promise<number> {
  return addon.measureGflops(options.threads, options.seconds, false);
}

/** The same product through the machine's BLAS, on one thread; 0 where none could be loaded. */
export async function measureBlasGflops(options: { seconds: number }): Promise<number> {
  return addon.measureGflops(1, options.seconds, true);
}
