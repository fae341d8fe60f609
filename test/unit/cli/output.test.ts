import { describe, expect, it } from 'vitest';
import { drawImage, sideBySide } from '../../../clients/cli/digit-drawing.js';
import { CommandError, explain, table, toJson } from '../../../clients/cli/output.js';
import { parseRecord, versionedName } from '../../../clients/cli/predict-command.js';
import { curveLines } from '../../../clients/cli/progress-bar.js';
import { planLines } from '../../../clients/cli/training-plan.js';
import { readTrainingSpec } from '../../../clients/sdk/index.js';
import type { TrainingPlan__Output } from '../../../proto/gen/millrace/v1/TrainingPlan.js';
import { RpcError } from '../../../proto/index.js';

const at = { host: '127.0.0.1', portBase: 8000 };

describe('explain', () => {
  it('tells how to start a mesh that does not answer', () => {
    const error = new RpcError('UNAVAILABLE', 'no connection', { reason: '', fieldViolations: [] });
    expect(explain(error, at)).toBe(
      'No answer from the mesh at 127.0.0.1, port base 8000 (no connection). Start it with: millrace up',
    );
  });

  it('leaves out what grpc-js says about itself', () => {
    const words =
      'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:8003. Resolution note: ';
    const error = new RpcError('UNAVAILABLE', words, { reason: '', fieldViolations: [] });
    expect(explain(error, at)).toContain('port base 8000 (connect ECONNREFUSED 127.0.0.1:8003). Start it');
  });

  it('does not take a service that is not ready for one that is not there', () => {
    const error = new RpcError('UNAVAILABLE', 'being loaded', { reason: 'MODEL_NOT_READY', fieldViolations: [] });
    expect(explain(error, at)).toBe('being loaded');
  });

  it('gives each of several violations a line', () => {
    const fieldViolations = [
      { field: 'a', description: 'A is wrong.' },
      { field: 'b', description: 'B is wrong.' },
    ];
    expect(explain(new RpcError('INVALID_ARGUMENT', 'both', { reason: '', fieldViolations }), at)).toBe(
      'A is wrong.\nB is wrong.',
    );
  });

  it('shows where an error that nobody foresaw came from', () => {
    expect(explain(new TypeError('x is undefined'), at)).toContain('output.test.ts');
  });
});

describe('curveLines', () => {
  it('shows scores by the number of rows, then what they say', () => {
    const point = (trainRowCount: number, accuracy: number) => ({
      ...{ trainRowCount, train: { mean: { accuracy: 1, log_loss: 0 } } },
      held: { mean: { accuracy, log_loss: 1 }, deviation: { accuracy: 0.01, log_loss: 1 } },
    });
    const points = [point(120, 0.5), point(1_200, 0.75)];
    expect(curveLines({ points, text: 'More rows would help.', advice: ['Collect more.'] })).toEqual([
      'TRAINING ROWS  ACCURACY         ON ITS OWN ROWS',
      '120            0.5000 ± 0.0100  1.0000',
      '1,200          0.7500 ± 0.0100  1.0000',
      'More rows would help.',
      '  - Collect more.',
    ]);
  });
});

describe('toJson', () => {
  it('leaves out what only the protobuf library needs', () => {
    expect(toJson({ accuracy: 0.9, _accuracy: 'accuracy', steps: [{ minimum: 0, _minimum: 'minimum' }] })).toBe(
      '{"accuracy":0.9,"steps":[{"minimum":0}]}',
    );
  });
});

describe('versionedName', () => {
  it.each(['', ':1', 'mnist:', 'mnist:1:2'])('refuses %j', (model) => {
    expect(() => versionedName(model)).toThrow(`but received ${JSON.stringify(model)}.`);
  });

  it.each([
    ['mnist', 'models/mnist'],
    ['models/mnist', 'models/mnist'],
    ['mnist:3', 'models/mnist/versions/3'],
    ['mnist:champion', 'models/mnist/aliases/champion'],
  ])('reads %s as %s', (model, name) => {
    expect(versionedName(model)).toBe(name);
  });
});

describe('parseRecord', () => {
  it('refuses text that is not JSON', () => {
    expect(() => parseRecord('{age}')).toThrow(CommandError);
  });

  it('refuses a list', () => {
    expect(() => parseRecord('[1]')).toThrow('Expected --record to be a JSON object of values by column name.');
  });

  it('refuses a nested value and names its column', () => {
    expect(() => parseRecord('{"age": {"years": 3}}')).toThrow('Expected `age` in --record');
  });

  it('reads every kind of value', () => {
    expect(parseRecord('{"a": 1.5, "b": "x", "c": true, "d": null, "e": [1, 2]}').values).toEqual({
      a: { number: 1.5 },
      b: { text: 'x' },
      c: { boolean: true },
      d: {},
      e: { numbers: { values: [1, 2] } },
    });
  });
});

describe('drawing', () => {
  it('puts two rows of pixels into one line', () => {
    const pixels = Uint8Array.from([255, 0, 255, 0, 0, 255, 255, 0]);
    expect(drawImage(pixels, 4, 2)).toEqual(['▀▄█ ']);
  });

  it('draws the last row of an odd height', () => {
    expect(drawImage(Uint8Array.from([0, 0, 255]), 1, 3)).toEqual([' ', '▀']);
  });

  it('stands drawings side by side', () => {
    expect(
      sideBySide(
        [
          ['ab', 'cd'],
          ['ef', 'gh'],
        ],
        '|',
      ),
    ).toEqual(['ab|ef', 'cd|gh']);
  });

  it('aligns columns', () => {
    expect(
      table([
        ['A', 'LONG'],
        ['wide', 'x'],
      ]),
    ).toEqual(['A     LONG', 'wide  x']);
  });
});

describe('planLines', () => {
  const plan = {
    spec: readTrainingSpec('dataset: datasets/a/versions/2\nbatch_size: full\nloss: huber\nseed: 0'),
    layers: [{ place: '0', kind: 'dense', outputs: 1_000, parameterCount: 13_000 }],
    featureNames: Array.from({ length: 12 }, (_, i) => `f${i}`),
    classes: [],
    ...{ trainRowCount: 1_200, validationRowCount: 10, testRowCount: 0 },
    ...{ parameterCount: 13_000, stepsPerEpoch: 1, steps: 0, memoryBytes: 3 * 2 ** 19 },
  } as unknown as TrainingPlan__Output;

  it('prints a spec that can be trained as it stands, with figures in comments', () => {
    expect(planLines(plan).join('\n')).toBe(`dataset: datasets/a/versions/2
loss: huber
batch_size: full
# rows        1,200 training, 10 validation, 0 test
# features    12: f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 2 more
# parameters  13,000
# steps       1 an epoch
# memory      about 1.5 MiB
# LAYER  KIND   OUTPUTS  PARAMETERS
# 0      dense  1,000    13,000`);
  });

  it('tells classes, steps in all where there is an end of them, and little memory', () => {
    const lines = planLines({ ...plan, classes: ['no', 'yes'], steps: 5_000, memoryBytes: 1_025 });
    expect(lines).toContain('# memory      about 2 KiB');
    const spec = readTrainingSpec(
      'cross_validation: { folds: 4 }\nlearning_curve: { train_sizes: [0.5, 1], folds: 3 }',
    ) as TrainingPlan__Output['spec'];
    expect(planLines({ ...plan, spec })).toContain(
      '# folds       4, each a training more, on the training rows without it',
    );
    expect(planLines({ ...plan, spec })).toContain('# curve       2 sizes of 3 folds each, each a training more');
    expect(lines).toContain('# classes     2: no, yes');
    expect(lines).toContain('# steps       1 an epoch, 5,000 in all');
  });

  it('keeps names with line breaks within their comment', () => {
    expect(planLines({ ...plan, featureNames: ['a\nb'] })).toContain('# features    1: a\\nb');
  });
});
