import { describe, expect, test } from 'vitest';
import { type Activation, type Examples, type Loss, type NetworkSpec, Trainer } from '../../native/index.js';
import { networkWith, noise, specOf } from './build-network.js';

const rows = 3;
const inputs = 4;
const hiddenUnits = 5;
const outputs = 3;
const shapes = [inputs * hiddenUnits, hiddenUnits, hiddenUnits * outputs, outputs];
const names = ['layers.0.kernel', 'layers.0.bias', 'layers.1.kernel', 'layers.1.bias'];

// Central differences in float32: the loss has an error of about 1e-7, so a step of 2^-7 leaves 1e-5 of rounding, and
// the third derivative, of size 1, adds the square of the step, 6e-5.
const step = 2 ** -7;
const tolerance = 4e-4;

const activations: Activation[] = ['linear', 'sigmoid', 'tanh', 'relu', 'softmax'];
const cases = activations.flatMap((hidden): { hidden: Activation; output: Activation; loss: Loss }[] => [
  ...activations.map((output) => ({ hidden, output, loss: 'meanSquaredError' as const })),
  { hidden, output: 'sigmoid', loss: 'binaryCrossEntropy' },
  { hidden, output: 'softmax', loss: 'categoricalCrossEntropy' },
]);

function targetsOf(loss: Loss): Examples['targets'] {
  if (loss === 'categoricalCrossEntropy') return Int32Array.from([2, 0, 1]);
  const random = noise(rows * outputs, 5);
  return loss === 'binaryCrossEntropy' ? random.map((value) => (value > 0 ? 1 : 0)) : random;
}

async function lossOf(spec: NetworkSpec, parameters: number[][], examples: Examples, loss: Loss) {
  const network = networkWith(spec, parameters);
  const options = { batchSize: 'full', seed: 0, threads: 1 } as const;
  const trainer = new Trainer(network, { loss, optimizer: { type: 'gradientDescent', learningRate: 1 }, ...options });
  const gradients = await trainer.gradients(examples);
  trainer.dispose();
  network.dispose();
  return gradients;
}

describe('gradients agree with finite differences', () => {
  test.each(cases)('$hidden, then $output with $loss', async ({ hidden, output, loss }) => {
    const spec = specOf(inputs, `${hiddenUnits} ${hidden}`, `${outputs} ${output}`);
    // Large biases and small kernels keep ReLU's logits away from its corner, where differences mean nothing.
    const parameters = shapes.map((size, index) =>
      [...noise(size, 11 + index)].map((value) =>
        size === shapes[1] || size === shapes[3] ? Math.sign(value) + value : value / 8,
      ),
    );
    const features = noise(rows * inputs, 3).map((value) => value / 2);
    const examples = { rows, features, scale: 1, offset: 0, targets: targetsOf(loss) };
    const gradients = await lossOf(spec, parameters, examples, loss);
    for (const [tensor, name] of names.entries()) {
      for (let index = 0; index < shapes[tensor]!; index += 1) {
        const moved = async (by: number) => {
          const changed = parameters.map((values) => [...values]);
          changed[tensor]![index]! += by;
          return (await lossOf(spec, changed, examples, loss)).loss;
        };
        const difference = ((await moved(step)) - (await moved(-step))) / (2 * step);
        expect(Math.abs(gradients.parameters[name]![index]! - difference), `${name} ${index}`).toBeLessThan(tolerance);
      }
    }
    for (let index = 0; index < features.length; index += 1) {
      const moved = async (by: number) => {
        const changed = features.slice();
        changed[index]! += by;
        return (await lossOf(spec, parameters, { ...examples, features: changed }, loss)).loss;
      };
      const difference = ((await moved(step)) - (await moved(-step))) / (2 * step);
      expect(Math.abs(gradients.inputs[index]! - difference), `input ${index}`).toBeLessThan(tolerance);
    }
  });
});
