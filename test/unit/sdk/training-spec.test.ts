import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import {
  autoTuning,
  InvalidSpecError,
  readTrainingSpec,
  readTuningSpec,
  writeTuningSpec,
} from '../../../clients/sdk/index.js';

const require = createRequire(import.meta.url);

function violationsOf(text: string): string[] {
  try {
    readTrainingSpec(text);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidSpecError);
    return (error as InvalidSpecError).fieldViolations.map(({ description }) => description);
  }
  throw new Error('the spec was accepted');
}

describe('readTrainingSpec', () => {
  it('refuses text that is not YAML', () => {
    expect(violationsOf('dataset: [')).toHaveLength(1);
  });

  it('refuses a spec that is not a mapping', () => {
    expect(violationsOf('- dataset')).toEqual(['Expected `the file` to be a mapping but received ["dataset"].']);
  });

  it('names a misspelled key with its path and the nearest right one', () => {
    const [description] = violationsOf('network: { layers: [{ units: 3, activaton: relu }] }');
    expect(description).toContain('Unknown key `network.layers[0].activaton`. Did you mean `activation`?');
  });

  it('offers no guess for a key that resembles none', () => {
    expect(violationsOf('zzzzzzzzzz: 1')[0]).toMatch(/^Unknown key `zzzzzzzzzz`\. Allowed are dataset, /);
  });

  it('does not take a name that every object has for a key', () => {
    expect(violationsOf('constructor: 1')[0]).toContain('Unknown key `constructor`');
  });

  it('reports all violations at once', () => {
    const text =
      'epochs: five\nbatch_size: 1.5\nloss: hubert\nnetwork: { layers: { units: 1 } }\npublish: { aliases: [1] }';
    expect(violationsOf(text)).toEqual([
      'Expected `epochs` to be an integer but received "five".',
      'Expected `batch_size` to be an integer, or full, but received 1.5.',
      'Expected `loss` to be one of mean_squared_error, binary_cross_entropy, categorical_cross_entropy, mean_absolute_error, huber, log_cosh, poisson but received "hubert". Did you mean `huber`?',
      'Expected `network.layers` to be a list but received {"units":1}.',
      'Expected `publish.aliases[0]` to be text but received 1.',
    ]);
  });

  it('reads words where they stand for a flag beside the key, which is no key itself', () => {
    const { batchSize, ...spec } = readTrainingSpec('batch_size: full\nclass_weights: balanced');
    expect(batchSize).toBeUndefined();
    expect(spec).toEqual({ fullBatch: true, balancedClassWeights: true });
    expect(violationsOf('full_batch: true')[0]).toContain('Unknown key `full_batch`.');
  });

  it('reads a mapping by names of any kind', () => {
    expect(readTrainingSpec('class_weights: { setosa: 2, no: 0.5 }').classWeights).toEqual({ setosa: 2, no: 0.5 });
    expect(violationsOf('class_weights: { setosa: many }')).toEqual([
      'Expected `class_weights["setosa"]` to be a number but received "many".',
    ]);
    expect(violationsOf('class_weights: 3')[0]).toContain('a mapping, or balanced, but received 3');
  });

  it('reads an empty mapping for a step without settings', () => {
    const spec = readTrainingSpec('pipeline: { columns: [{ column: age, steps: [{ standardise: }] }] }');
    expect(spec.pipeline?.columns?.[0]?.steps).toEqual([{ standardise: {} }]);
  });

  it('reads the example that comes with the project', () => {
    const spec = readTrainingSpec(readFileSync(require.resolve('#examples/mnist.yaml'), 'utf8'));
    expect(spec.loss).toBe('LOSS_CATEGORICAL_CROSS_ENTROPY');
    expect(spec.optimizer).toEqual({ adam: { learningRate: 0.001 } });
    expect(spec.network?.layers?.map(({ units, activation }) => [units, activation])).toEqual([
      [128, 'ACTIVATION_RELU'],
      [128, 'ACTIVATION_RELU'],
      [10, 'ACTIVATION_SOFTMAX'],
    ]);
    expect(spec.pipeline?.label).toEqual({ column: 'label', kind: 'KIND_CLASSES' });
  });
});

describe('readTuningSpec', () => {
  const text = readFileSync(require.resolve('#examples/mnist-tune.yaml'), 'utf8');

  it('reads what it writes', () => {
    const { spec, tune } = readTuningSpec(text);
    expect(tune.space?.batch_size).toEqual({
      choice: { options: [{ number: 32 }, { number: 64 }, { number: 128 }, { number: 256 }] },
    });
    // Zeros are left out where unset means the same.
    const written = writeTuningSpec(spec, tune);
    const again = readTuningSpec(written);
    expect(writeTuningSpec(again.spec, again.tune)).toBe(written);
    expect(again.tune.space?.['optimizer.learning_rate']).toEqual(tune.space?.['optimizer.learning_rate']);
  });

  it('reports what is wrong with the spec and with the search at once', () => {
    const read = () => readTuningSpec('{ epoch: 1, tune: { method: grid, space: { x: { choice: [[1]] } } } }');
    expect(read).toThrow(/Unknown key `epoch`.*\n.*`tune.method`.*\n.*`tune.space\["x"\].choice\[0\]` to be a number/);
  });
});

describe('autoTuning', () => {
  const spec = (label: object) => ({ dataset: 'datasets/x', pipeline: { label }, publish: { model: 'models/x' } });
  const fitted = (rows: number, classes: string[] = []) => ({ featureCount: 12, classes, trainRowCount: rows });

  it.each([
    ['KIND_CLASSES', ['a', 'b', 'c'], 'LOSS_CATEGORICAL_CROSS_ENTROPY', 3, 'ACTIVATION_SOFTMAX'],
    ['KIND_BINARY', ['a', 'b'], 'LOSS_BINARY_CROSS_ENTROPY', 1, 'ACTIVATION_SIGMOID'],
    ['KIND_LABELS', ['a', 'b', 'c'], 'LOSS_BINARY_CROSS_ENTROPY', 3, 'ACTIVATION_SIGMOID'],
    ['KIND_NUMBER', [], 'LOSS_MEAN_SQUARED_ERROR', 1, 'ACTIVATION_LINEAR'],
  ])('ends a network for a label of %s as it must', (kind, classes, loss, units, activation) => {
    const { spec: chosen } = autoTuning(spec({ column: 'y', kind }), fitted(500, classes), 60);
    expect(chosen.loss).toBe(loss);
    expect(chosen.network?.layers?.at(-1)).toEqual({ units, activation });
  });

  it('takes larger networks and batches, and fewer epochs, for more rows', () => {
    const of = (rows: number) => autoTuning(spec({ column: 'y', kind: 'KIND_NUMBER' }), fitted(rows), 60);
    const [few, many] = [of(500), of(5_000_000)];
    expect(few.tune.space?.['network.width']?.integer?.high).toBeLessThan(
      Number(many.tune.space?.['network.width']?.integer?.low) + 1,
    );
    expect(few.spec.epochs).toBeGreaterThan(many.spec.epochs!);
    expect(of(10).spec.batchSize).toBe(8);
    expect(of(5).spec.batchSize).toBe(5);
    expect(many.tune.seconds).toBe(60);
  });

  it('leaves what the spec says as it is, and does not search it', () => {
    const given = { ...spec({ column: 'y', kind: 'KIND_NUMBER' }), optimizer: { sgd: {} }, batchSize: 7, epochs: 3 };
    const { spec: chosen, tune, reasons } = autoTuning(given, fitted(500), 60);
    expect(chosen).toMatchObject({ optimizer: { sgd: {} }, batchSize: 7, epochs: 3 });
    expect(Object.keys(tune.space ?? {}).every((name) => name.startsWith('network.'))).toBe(true);
    expect(reasons.join(' ')).not.toMatch(/AdamW|Batches/);
  });
});
