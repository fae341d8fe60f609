import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import {
  autoTuning,
  InvalidSpecError,
  pipelineFields,
  RpcError,
  readPipelineFit,
  readTrainingSpec,
  readTuningSpec,
  SpecText,
  trainingFields,
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

describe('SpecText', () => {
  const refusalOf = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidSpecError);
      return (error as Error).message.split('\n');
    }
    throw new Error('nothing was refused');
  };
  const places = (lines: string[]) => lines.map((line) => /^bad\.yaml:\d+:\d+: .{0,40}/.exec(line)?.[0]);

  it('names the line and the column of everything that is wrong, in the order of the file', () => {
    const text = [
      '# A comment, and an empty line before the spec.',
      '',
      'loss: hubert',
      'network:',
      '  layers:',
      '    - { units: 3, activaton: relu }',
      '    - units: many',
      'publish:',
      '  aliases:',
      '    - candidate',
      '    - 1',
      'class_weights: { setosa: heavy }',
      'epoch: 3',
    ].join('\n');
    expect(places(refusalOf(() => readTrainingSpec(new SpecText(text, 'bad.yaml'))))).toEqual([
      'bad.yaml:3:1: Expected `loss` to be one of mean_square',
      'bad.yaml:6:19: Unknown key `network.layers[0].activaton',
      'bad.yaml:7:7: Expected `network.layers[1].units` to be',
      'bad.yaml:11:7: Expected `publish.aliases[1]` to be text',
      'bad.yaml:12:18: Expected `class_weights["setosa"]` to be',
      'bad.yaml:13:1: Unknown key `epoch`. Did you mean `epoch',
    ]);
  });

  it('names them of JSON as of YAML, and of what is neither', () => {
    const json = '{\n  "loss": "huber",\n  "epochs": "three"\n}\n';
    expect(places(refusalOf(() => readTrainingSpec(new SpecText(json, 'bad.yaml'))))).toEqual([
      'bad.yaml:3:3: Expected `epochs` to be an integer but r',
    ]);
    const twice = 'epochs: 1\nseed: 1\nepochs: 2\n';
    expect(places(refusalOf(() => new SpecText(twice, 'bad.yaml')))).toEqual(['bad.yaml:3:1: Map keys must be unique']);
    expect(refusalOf(() => new SpecText('a: [1,\n'))[0]).toMatch(/^spec:\d+:\d+: /);
    expect(refusalOf(() => readTrainingSpec(''))).toEqual([
      'spec:1:1: Expected `the file` to be a mapping but received null.',
    ]);
  });

  it('finds fields behind aliases and names with dots and quotes', () => {
    const text = 'network:\n  layers:\n    - &wide\n      units: 3\n    - *wide\nclass_weights:\n  "a.b[\\"0\\"]": 1\n';
    const source = new SpecText(text);
    expect(source.locate('network.layers[1].units')).toEqual({ line: 4, column: 7 });
    expect(source.locate('network.layers[1]')).toEqual({ line: 5, column: 7 });
    expect(source.locate(`class_weights[${JSON.stringify('a.b["0"]')}]`)).toEqual({ line: 7, column: 3 });
  });

  describe('where some of it cannot be read', () => {
    const text = [
      'dataste: datasets/a',
      'epochs: many',
      'network: { layers: [{ units: few }, { units: 3, activaton: relu }] }',
      'publish: { model: m, aliases: [a, 1, b] }',
      'seed: -1',
    ].join('\n');
    const source = new SpecText(text, 'bad.yaml');
    const read = () => readTrainingSpec(source);
    const refusing = (...names: string[]) => {
      const fieldViolations = names.map((field) => ({ field, description: `\`${field}\` is wrong.` }));
      return () =>
        Promise.reject(new RpcError('INVALID_ARGUMENT', 'wrong', { reason: 'INVALID_FIELD', fieldViolations }));
    };
    const unread = [
      'bad.yaml:1:1: Unknown key `dataste`. Did you mean `data',
      'bad.yaml:2:1: Expected `epochs` to be an integer but re',
      'bad.yaml:3:23: Expected `network.layers[0].units` to be ',
      'bad.yaml:3:49: Unknown key `network.layers[1].activaton`',
      'bad.yaml:4:35: Expected `publish.aliases[1]` to be text ',
    ];
    const places = (error: Error) =>
      error.message.split('\n').map((line) => /^bad\.yaml:\d+:\d+: .{0,41}/.exec(line)?.[0]);
    const told = (check: (readable: object) => Promise<unknown>) =>
      source.reading(trainingFields, read, check).catch(places);

    it('has the service look at the rest, and tells both in the order of the file', async () => {
      let given: object | null = null;
      const check = (readable: object) => {
        given = readable;
        return refusing('spec.seed', 'spec.publish.model', 'spec.network.layers[1].units')();
      };
      expect(await told(check)).toEqual([
        ...unread.slice(0, 3),
        'bad.yaml:3:39: `network.layers[1].units` is wrong.',
        ...unread.slice(3, 4),
        'bad.yaml:4:12: `publish.model` is wrong.',
        ...unread.slice(4),
        'bad.yaml:5:1: `seed` is wrong.',
      ]);
      expect(given).toEqual({
        network: { layers: [{}, { units: 3 }] },
        publish: { model: 'm', aliases: [] },
        seed: -1,
      });
    });

    it('does not tell what may follow from what could not be read', async () => {
      const check = refusing(
        'spec.dataset',
        'spec.epochs',
        'spec.network',
        'spec.network.layers[0]',
        'spec.publish.aliases[1]',
      );
      expect(await told(check)).toEqual(unread);
    });

    it('tells what it knows when no service answers, or it finds nothing', async () => {
      expect(await told(() => Promise.reject(new Error('lost')))).toEqual(unread);
      expect(await told(() => Promise.resolve())).toEqual(unread);
      await expect(source.reading(trainingFields, () => ({ seed: 1 }), refusing('spec.seed'))).resolves.toEqual({
        seed: 1,
      });
    });
  });

  it('tells what services refuse with the lines of the file, under its names', async () => {
    const refused = async (source: SpecText, fields: Record<string, string>, names: string[]) => {
      const fieldViolations = names.map((field) => ({ field, description: `\`${field}\` is wrong.` }));
      const error = new RpcError('INVALID_ARGUMENT', 'wrong', { reason: 'INVALID_FIELD', fieldViolations });
      const told = source.telling(fields, () => Promise.reject(error));
      return told.catch((refusal: Error) => (refusal === error ? 'as it came' : refusal.message.split('\n')));
    };
    const training =
      'dataset: datasets/a\npipeline:\n  columns:\n    - column: x\nbatch_size: full\ntune:\n  space:\n    seed: {}\n';
    const source = new SpecText(training, 'a.yaml');
    expect(
      await refused(source, trainingFields, [
        'owner',
        'spec.full_batch',
        'spec.pipeline.columns[0].steps[2].power',
        'spec.epochs',
        'tune.space["seed"]',
      ]),
    ).toEqual([
      // What is not there is told where it would be.
      'a.yaml:1:1: `epochs` is wrong.',
      'a.yaml:4:7: `pipeline.columns[0].steps[2].power` is wrong.',
      'a.yaml:5:1: `full_batch` is wrong.',
      'a.yaml:8:5: `tune.space["seed"]` is wrong.',
      '`owner` is wrong.',
    ]);
    expect(await refused(source, trainingFields, ['owner'])).toBe('as it came');
    expect(await refused(source, pipelineFields(source), ['spec.columns[0].column', 'split.seed'])).toEqual([
      'a.yaml:1:1: `split.seed` is wrong.',
      'a.yaml:4:7: `pipeline.columns[0].column` is wrong.',
    ]);
    const alone = new SpecText('columns: []\nlabel: { column: y }\n', 'b.yaml');
    expect(readPipelineFit(alone).spec).toEqual({ columns: [], label: { column: 'y' } });
    expect(await refused(alone, pipelineFields(alone), ['spec.label.kind'])).toEqual([
      'b.yaml:2:1: `label.kind` is wrong.',
    ]);
    await expect(source.telling(trainingFields, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
    await expect(source.telling(trainingFields, () => Promise.resolve(3))).resolves.toBe(3);
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
