import type { EpochPosition, OptimizerState, PlateauState, TensorShape } from './addon.js';
import { invalidArgument } from './engine-error.js';
import { expectNoOthers, fromTensors, toTensors } from './parameter-tensors.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import { differences, type OptimizationOptions } from './trainer-options.js';

const format = 'millrace.trainer.3';

/** A checkpoint: flat arrays in the order of the network's tensors. */
export interface TrainerState {
  step: number;
  position: EpochPosition;
  parameters: Float32Array;
  /** By the names in `OptimizerState`, in that order. */
  blocks: Float32Array[];
  plateau: PlateauState;
}

/** Weights under their own names, moments as `optimizer.firstMoment.layers.0.kernel`, the average as `average. ...`. */
export function writeTrainerState(
  shapes: TensorShape[],
  options: OptimizationOptions,
  state: Omit<TrainerState, 'blocks'> & OptimizerState,
): Uint8Array {
  const { step, position, parameters, blocks, plateau } = state;
  const tensors = toTensors(shapes, parameters, '');
  for (const { name, values } of blocks) {
    for (const [full, tensor] of toTensors(shapes, values, `${name}.`)) tensors.set(full, tensor);
  }
  // JavaScript writes a number so that it reads as the same bits.
  return writeSafetensors(tensors, {
    format,
    step: String(step),
    position: JSON.stringify(position),
    options: JSON.stringify(options),
    plateau: JSON.stringify(plateau),
  });
}

/**
 * Refuses what is no checkpoint, and one of other options by naming the differences.
 * @param otherRates takes one of other learning rates too; where a plateau has brought them down, it stays as far down
 */
export function readTrainerState(
  shapes: TensorShape[],
  options: OptimizationOptions,
  blockNames: string[],
  bytes: Uint8Array,
  otherRates: boolean,
): TrainerState {
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata.format !== format || !/^\d{1,15}$/.test(metadata.step ?? '')) {
    throw invalidArgument(
      '__metadata__',
      `Expected a checkpoint (${format}) but received ${JSON.stringify(metadata).slice(0, 500)}.`,
    );
  }
  const found = parsed(metadata, 'options') as OptimizationOptions;
  const differing = otherRates ? differences(withoutRates(found), withoutRates(options)) : differences(found, options);
  if (differing.length > 0) {
    throw invalidArgument(
      '__metadata__',
      `Expected a checkpoint of a trainer with the same options, but in it ${differing.join('; ')}.`,
    );
  }
  const plateau = parsed(metadata, 'plateau') as PlateauState;
  const prefixes = blockNames.map((name) => `${name}.`);
  expectNoOthers(shapes, tensors, ['', ...prefixes]);
  return {
    step: Number(metadata.step),
    position: parsed(metadata, 'position') as EpochPosition,
    parameters: fromTensors(shapes, tensors, ''),
    blocks: prefixes.map((prefix) => fromTensors(shapes, tensors, prefix)),
    plateau: otherRates ? { ...plateau, rate: plateau.rate * (rateOf(options) / rateOf(found)) } : plateau,
  };
}

const rates = ['learningRate', 'maximumRate', 'endRate', 'minimumRate'];

function withoutRates(options: OptimizationOptions): unknown {
  return JSON.parse(JSON.stringify(options, (name, value) => (rates.includes(name) ? undefined : value)));
}

function rateOf({ optimizer }: OptimizationOptions): number {
  return optimizer.learningRate ?? Number.NaN;
}

function parsed(metadata: Record<string, string>, key: string): unknown {
  try {
    return JSON.parse(metadata[key] ?? '');
  } catch (cause) {
    throw invalidArgument(key, `Expected \`${key}\` in the checkpoint to be JSON: ${String(cause)}`);
  }
}
