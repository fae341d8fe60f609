import type { OptimizerSpec } from '../../native/index.js';
import type { FittedPipeline } from './training-spec.js';

/** Numbers that an optimizer keeps for each parameter. */
function optimizerNumbers(optimizer: OptimizerSpec): number {
  switch (optimizer.type) {
    case 'gradientDescent':
      return 0;
    case 'sgd':
      return optimizer.momentum ? 1 : 0;
    case 'adam':
    case 'adamW':
      return optimizer.amsgrad ? 3 : 2;
    case 'rmsprop':
      return 1 + (optimizer.momentum ? 1 : 0) + (optimizer.centered ? 1 : 0);
    case 'adadelta':
      return 2;
    case 'adagrad':
    case 'lion':
      return 1;
  }
}

/** Memory of a network while it is trained, bytes: weights, gradient, what the optimizer keeps, the average. */
export function networkBytes(parameters: number, optimizer: OptimizerSpec, isAveraged: boolean): number {
  const numbers = 2 + optimizerNumbers(optimizer) + (isAveraged ? 1 : 0);
  return parameters * numbers * Float32Array.BYTES_PER_ELEMENT;
}

/** Memory of the rows of training and validation as they are held, bytes. @param targetCount of a row */
export function rowsBytes({ rowCounts, featureCount, featureType }: FittedPipeline, targetCount: number): number {
  const featureBytes = featureCount * (featureType === 'uint8' ? 1 : Float32Array.BYTES_PER_ELEMENT);
  return (rowCounts.train + rowCounts.validation) * (featureBytes + targetCount * Float32Array.BYTES_PER_ELEMENT);
}
