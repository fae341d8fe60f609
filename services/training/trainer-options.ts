import type { LossSpec, TrainerOptions } from '../../native/index.js';
import { augmentations } from './image-augmentation.js';
import type { TrainingSpec } from './training-spec.js';

/** What the engine is told. @param threads 0: all that the process may use */
export function trainerOptions(spec: TrainingSpec, threads: number): TrainerOptions {
  const { optimizer, schedule, regularization, clipping, averaging, batchSize, seed } = spec;
  const sampling = { type: spec.sampling };
  return {
    loss: lossOf(spec),
    optimizer,
    schedule,
    regularization,
    clipping,
    averaging,
    batchSize,
    seed,
    threads,
    sampling,
    augmentations: augmentations(spec.augmentation),
  };
}

function lossOf({ loss, labelSmoothing, huberDelta }: TrainingSpec): LossSpec {
  return {
    type: loss,
    ...(labelSmoothing > 0 ? { labelSmoothing } : {}),
    ...(huberDelta === null ? {} : { delta: huberDelta }),
  };
}

/**
 * The factor of each row's loss, [rows], from its class; null: all are 1. The rows themselves have them and not the loss, so
 * that rows of validation and test have none.
 * @param targets classes by number, or 0 and 1
 */
export function rowWeights(
  classWeights: TrainingSpec['classWeights'],
  classes: readonly string[],
  targets: Int32Array | Float32Array,
): Float32Array | null {
  if (classWeights !== 'balanced' && Object.keys(classWeights).length === 0) {
    return null;
  }
  const factors =
    classWeights === 'balanced' ? balanced(classes.length, targets) : classes.map((name) => classWeights[name] ?? 1);
  return Float32Array.from(targets, (target) => factors[target]!);
}

/** rows / (classes * rows of the class), as scikit-learn's `balanced`. */
function balanced(classCount: number, targets: Int32Array | Float32Array): number[] {
  const rows = new Array<number>(classCount).fill(0);
  for (const target of targets) {
    rows[target]!++;
  }
  return rows.map((count) => targets.length / (classCount * count));
}
