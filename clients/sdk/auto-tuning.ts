import type { Pipeline } from '../../proto/gen/millrace/v1/Pipeline.js';
import type { SearchRange } from '../../proto/gen/millrace/v1/SearchRange.js';
import type { SplitSpec } from '../../proto/gen/millrace/v1/SplitSpec.js';
import type { TrainingSpec } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import type { TuneSpec } from '../../proto/gen/millrace/v1/TuneSpec.js';

/** A spec that has been filled in, what is searched of it, and why it is so. */
export interface AutoTuning {
  spec: TrainingSpec;
  tune: TuneSpec;
  /** Whole sentences. */
  reasons: string[];
}

/** What is learned from, as a fitted pipeline tells it. */
type Fitted = Pick<Pipeline, 'featureCount' | 'classes' | 'trainRowCount'>;

const defaultSplit: SplitSpec = { validationFraction: 0.2, testFraction: 0.1, seed: 1 };

/** Bounds by the rows to train on: few rows want small networks, small batches and many epochs. */
const sizes = [
  { rowsBelow: 2_000, depth: 2, width: [8, 64], batch: 16, epochs: 81 },
  { rowsBelow: 50_000, depth: 3, width: [32, 256], batch: 64, epochs: 40 },
  { rowsBelow: 1_000_000, depth: 4, width: [64, 512], batch: 256, epochs: 20 },
  { rowsBelow: Number.POSITIVE_INFINITY, depth: 4, width: [128, 1_024], batch: 1_024, epochs: 9 },
] as const;

/** A spec must leave rows for validation: one that says nothing of it keeps a fifth for that and a tenth for the test. */
export function withAutoSplit(spec: TrainingSpec): TrainingSpec {
  return { ...spec, split: spec.split ?? defaultSplit };
}

/**
 * Fills in what a spec leaves open - loss, network, optimizer, schedule, batch size and epochs - by what there is to learn from, and
 * says what of it is to be searched. Whatever the spec says stays as it is, and is not searched.
 * @param spec with dataset, pipeline, split and publish
 * @param seconds for the whole
 */
export function autoTuning(spec: TrainingSpec, fitted: Fitted, seconds: number): AutoTuning {
  const rows = Number(fitted.trainRowCount);
  const size = sizes.find(({ rowsBelow }) => rows < rowsBelow)!;
  const space: Record<string, SearchRange> = {};
  const reasons: string[] = [];
  const count = (value: number, word: string) => `${value.toLocaleString('en-US')} ${word}${value === 1 ? '' : 's'}`;
  const filled: TrainingSpec = { ...spec };
  const answer = answerOf(spec, fitted);
  if (!spec.loss) {
    filled.loss = answer.loss;
    reasons.push(`Loss ${short(answer.loss)}, for ${answer.what}.`);
  }
  if (!spec.network?.layers?.length) {
    const [low, high] = size.width;
    const [hidden, last] = [{ units: low, activation: 'ACTIVATION_RELU' } as const, answer.last];
    filled.network = { layers: [hidden, { dropout: { rate: 0 } }, last] };
    space['network.depth'] = { integer: { low: 1, high: size.depth } };
    space['network.width'] = { integer: { low, high, log: true } };
    space['network.layers[0].activation'] = {
      choice: { options: ['relu', 'gelu', 'tanh'].map((text) => ({ text })) },
    };
    space['network.layers[1].dropout.rate'] = { uniform: { low: 0, high: 0.5 } };
    const features = count(fitted.featureCount ?? 0, 'feature');
    reasons.push(
      `1 to ${size.depth} layers of ${low} to ${high} units with dropout, for ${count(rows, 'row')} of ${features}.`,
    );
  }
  if (!spec.optimizer) {
    filled.optimizer = { adamw: {} };
    space['optimizer.learning_rate'] = { logUniform: { low: 1e-4, high: 3e-2 } };
    space['optimizer.weight_decay'] = { logUniform: { low: 1e-5, high: 1e-1 } };
    reasons.push('AdamW with learning rate and weight decay to be found: it does well on most tables.');
  }
  if (!spec.schedule) {
    filled.schedule = { cosine: {} };
    reasons.push('The learning rate falls along a cosine, so that the last epochs settle.');
  }
  if (!spec.batchSize && !spec.fullBatch) {
    const batches = [size.batch / 2, size.batch, size.batch * 2].filter((batch) => batch <= rows);
    filled.batchSize = batches[0] ?? rows;
    if (batches.length > 1) {
      space.batch_size = { choice: { options: batches.map((number) => ({ number })) } };
    }
    const named = batches.length > 0 ? batches.join(', ') : String(rows);
    reasons.push(`Batches of ${named} rows: hundreds of steps an epoch, where there are rows for it.`);
  }
  if (!spec.epochs && !spec.steps && !spec.seconds) {
    filled.epochs = size.epochs;
    reasons.push(`At most ${size.epochs} epochs.`);
  }
  if (!spec.earlyStopping) {
    filled.earlyStopping = { patience: Math.max(5, Math.ceil(size.epochs / 4)) };
    reasons.push('Training ends when the validation loss gets no better, and goes back to the best epoch.');
  }
  const named = Object.keys(space);
  reasons.push(`Searched for ${seconds} s by TPE, trials cut short by ASHA: ${named.join(', ')}.`);
  return { spec: filled, tune: { space, seconds, seed: 1 }, reasons };
}

/** What the last layer and the loss must be for a label. */
function answerOf({ pipeline }: TrainingSpec, { classes = [] }: Fitted) {
  const kind = pipeline?.label?.kind;
  switch (kind) {
    case 'KIND_CLASSES':
      return {
        what: `a label of ${classes.length} classes`,
        loss: 'LOSS_CATEGORICAL_CROSS_ENTROPY',
        last: { units: classes.length, activation: 'ACTIVATION_SOFTMAX' },
      } as const;
    case 'KIND_BINARY':
    case 'KIND_LABELS':
      return {
        what: kind === 'KIND_BINARY' ? 'a label of two classes' : `any of ${classes.length} labels`,
        loss: 'LOSS_BINARY_CROSS_ENTROPY',
        last: { units: kind === 'KIND_BINARY' ? 1 : classes.length, activation: 'ACTIVATION_SIGMOID' },
      } as const;
    default:
      return {
        what: 'a label of numbers',
        loss: 'LOSS_MEAN_SQUARED_ERROR',
        last: { units: pipeline?.label?.columns?.length || 1, activation: 'ACTIVATION_LINEAR' },
      } as const;
  }
}

const short = (name: string) => name.slice('LOSS_'.length).toLowerCase();
