import { createRequire } from 'node:module';
import type { CsvRows, CsvTarget, PlainRecords } from './csv.js';
import { EngineError } from './engine-error.js';
import type { ImageForm, ImageSize, JpegOutcome } from './images.js';
import type { PredictionGraphSpec } from './prediction-graph.js';
import type {
  ElementType,
  EngineInfo,
  Examples,
  Float32Bytes,
  NetworkSpec,
  QuantizationOptions,
  TrainerOptions,
} from './spec.js';
import type { FeatureColumn, TextColumn } from './table.js';

/** What the C++ binding exports, in its own names and order of arguments. Nothing outside this folder uses it. */
export interface Addon {
  initialize(errorClass: typeof EngineError): void;
  NetworkHandle: new (spec: NetworkSpec, seed: number) => NetworkHandle;
  QuantizedNetworkHandle: new (network: NetworkHandle, options: QuantizationOptions) => QuantizedNetworkHandle;
  PredictionGraphHandle: new (spec: PredictionGraphSpec) => PredictionGraphHandle;
  TrainerHandle: new (network: NetworkHandle, options: TrainerOptions) => TrainerHandle;
  MappedArrayHandle: new (
    path: string,
    type: ElementType,
    byteOffset: number,
    length: number | null,
  ) => MappedArrayHandle;
  SharedMemoryHandle: new (key: string, offset: number, byteSize: number) => SharedMemoryHandle;
  tensorsOf(spec: NetworkSpec): TensorShape[];
  openNetwork(
    spec: NetworkSpec,
    path: string,
    offsets: Float64Array,
    preparedPath: string | null,
  ): Promise<NetworkHandle>;
  decodeJpegs(
    contents: readonly (Uint8Array | null)[],
    form: ImageForm,
    pixelsMax: number,
    pixels: Uint8Array,
  ): Promise<JpegOutcome[]>;
  resampleImage(pixels: Uint8Array, stored: ImageSize, size: ImageSize, form: ImageForm): Promise<Uint8Array>;
  scanPlainRecords(
    bytes: Uint8Array,
    from: number,
    to: number,
    delimiter: number,
    isCrLf: boolean,
    recordBytesMax: number,
    kinds: Uint8Array,
    result: Uint32Array,
  ): void;
  scanPlainRecordsAhead(
    bytes: Uint8Array,
    to: number,
    delimiter: number,
    isCrLf: boolean,
    recordBytesMax: number,
    kinds: Uint8Array,
  ): Promise<PlainRecords>;
  readCsvRecords(
    bytes: Uint8Array,
    delimiter: number,
    columns: readonly CsvTarget[],
    rows: number,
    isCrLf: boolean | null,
    recordBytesMax: number | null,
  ): Promise<CsvRows | null>;
  writeFeatures(
    columns: readonly FeatureColumn[],
    rows: Int32Array,
    target: Float32Array | null,
    rowWidth: number,
  ): Promise<boolean>;
  countTexts(texts: TextColumn, rows: Int32Array): Int32Array;
  addMoments(values: Float64Array, moments: Float64Array): void;
  availableCores(): number;
  engineInfo(): Omit<EngineInfo, 'version'>;
  measureGflops(threads: number, seconds: number, blas: boolean): Promise<number>;
}

export interface MappedArrayHandle {
  length(): number;
  close(): void;
}

export interface SharedMemoryHandle {
  /** The whole region, always the same object; the mapping lives as long as it, also after `close`. */
  buffer(): ArrayBuffer;
  expectWhole(): void;
  close(): void;
}

export interface TensorShape {
  name: string;
  shape: number[];
}

/**
 * Writes to `output`, or to a new array where that is null. Asynchronously an `input` that goes into a given output must stay
 * in place and as it is; otherwise it is copied.
 */
type Predict<Answer> = (input: Float32Bytes, rows: number, output: Float32Bytes | null) => Answer;

/** Flat arrays hold tensor by tensor, each row-major, in the order of `tensors()`. */
export interface NetworkHandle {
  parameterCount(): number;
  outputs(): number;
  tensors(): TensorShape[];
  parameters(): Float32Array;
  setParameters(flat: Float32Array): void;
  bytes(): number;
  multiplyAdds(): number;
  predict: Predict<Float32Array>;
  predictAsync: Predict<Promise<Float32Array>>;
  dispose(): void;
}

export interface QuantizedNetworkHandle {
  bytes(): number;
  multiplyAdds(): number;
  predict: Predict<Float32Array>;
  predictAsync: Predict<Promise<Float32Array>>;
  dispose(): void;
}

export interface PredictionGraphHandle {
  bytes(): number;
  multiplyAdds(): number;
  predict(inputs: Uint8Array[], rows: number): Uint8Array[];
  predictAsync(inputs: Uint8Array[], rows: number): Promise<Uint8Array[]>;
  dispose(): void;
}

export interface EpochTotals {
  step: number;
  steps: number;
  examples: number;
  loss: number;
  accuracy: number;
  seconds: number;
  learningRate: number;
}

/** Of the schedule plateau; with another one it never changes. `best` is null before the first observation. */
export interface PlateauState {
  rate: number;
  best: number | null;
  waited: number;
  cooling: number;
}

export interface OptimizerState {
  /** Moments in the optimizer's order, then the average of the weights where one is kept. */
  blocks: { name: string; values: Float32Array }[];
  plateau: PlateauState;
}

/** After `step` steps of an epoch over `rows` rows, with the sums over those seen. */
export interface EpochPosition {
  epoch: number;
  step: number;
  rows: number;
  batchRows: number;
  lossSum: number;
  correct: number;
}

export interface TrainerHandle {
  step(): number;
  threads(): number;
  trainEpoch(
    examples: Examples,
    epoch: number,
    progressIntervalMs: number,
    onProgress: ((totals: EpochTotals) => void) | null,
    check: boolean,
    maxSteps: number | null,
  ): Promise<EpochTotals>;
  cancel(): void;
  evaluate(examples: Examples): Promise<{ loss: number; accuracy: number | null; confusion: Int32Array | null }>;
  gradients(
    examples: Examples,
    training: boolean,
  ): Promise<{ loss: number; parameters: Float32Array; inputs: Float32Array }>;
  gradientNorms(examples: Examples): Promise<Float64Array>;
  learningRate(): number;
  observe(metric: number): void;
  useAveragedWeights(): void;
  optimizerState(): OptimizerState;
  position(): EpochPosition;
  setPosition(position: EpochPosition): void;
  restore(step: number, parameters: Float32Array, blocks: Float32Array[], plateau: PlateauState): void;
  dispose(): void;
}

/**
 * `#addon` and `#package` are defined by the project's package.json. This folder has one of its own (cmake-js wants it),
 * which would be asked instead if resolution started here; the same step up is right below dist/.
 */
export const parentFolder = new URL('../', import.meta.url);

function load(): Addon {
  const require = createRequire(parentFolder);
  try {
    const addon = require('#addon') as Addon;
    addon.initialize(EngineError);
    return addon;
  } catch (cause) {
    throw new Error('The native engine could not be loaded; build it with `npm run build:native`.', { cause });
  }
}

export const addon: Addon = load();
