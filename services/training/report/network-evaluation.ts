import type { Network } from '../../../native/index.js';
import type { EpochMetrics } from '../job.js';
import type { JobExamples } from '../job-examples.js';
import type { FittedPipeline, LabelKind } from '../training-spec.js';
import { type ClassEvaluation, evaluateClasses } from './class-evaluation.js';
import { type ClassedRows, ClassMeasures } from './class-measures.js';
import { type Figures, type FigureTable, figuresOf } from './figure-table.js';
import { type Baseline, type Finding, findingsOf } from './findings.js';
import { evaluateLabelSets, type LabelSetEvaluation } from './label-set-evaluation.js';
import { LabelSetMeasures } from './label-set-measures.js';
import { evaluateNumber, type NumberEvaluation, NumberMeasures } from './number-evaluation.js';
import { averagedTable, evaluateNumbers, type NumbersEvaluation, type NumberTarget } from './numbers-evaluation.js';

/** How good the answers on the test split are, with figures by the names of scikit-learn. */
export type Evaluation = ClassEvaluation | NumberEvaluation | NumbersEvaluation | LabelSetEvaluation;

/** What the answers mean. */
export interface Task {
  labelKind: LabelKind;
  pipeline: Pick<FittedPipeline, 'classes' | 'numbers' | 'labelUnits'>;
  /** Of the samples that intervals come from. */
  seed: number;
}

/** Numbers that are predicted in one go. */
const predictedMax = 4_000_000;

/** @param validation for the temperature of classes; null: there are no such rows */
export async function evaluateNetwork(
  network: Network,
  { labelKind, pipeline, seed }: Task,
  test: JobExamples,
  validation: JobExamples | null,
  signal: AbortSignal,
): Promise<Evaluation> {
  const answers = await predict(network, test, signal);
  if (labelKind === 'number') {
    const [target] = numberTargets([''], pipeline, answers, test);
    return evaluateNumber(target!.answers, target!.truth, seed, signal);
  }
  if (labelKind === 'numbers') {
    return evaluateNumbers(numberTargets(pipeline.numbers ?? [], pipeline, answers, test), seed, signal);
  }
  if (labelKind === 'labels') {
    return evaluateLabelSets(answers, test.targets, pipeline.classes, seed, signal);
  }
  const held = validation && classedRows(validation, await predict(network, validation, signal));
  return evaluateClasses(classedRows(test, answers), held, pipeline.classes, seed, signal);
}

/** Figures of the answers to rows; null where the rows leave one undefined. @param names in `figureNames`; null: all */
export async function measureFigures(
  network: Network,
  { labelKind, pipeline }: Omit<Task, 'seed'>,
  examples: JobExamples,
  names: readonly string[] | null,
  signal: AbortSignal,
): Promise<Figures> {
  const answers = await predict(network, examples, signal);
  const tableOf = (): FigureTable => {
    switch (labelKind) {
      case 'number': {
        const [target] = numberTargets([''], pipeline, answers, examples);
        return new NumberMeasures(target!.answers, target!.truth).sample(null);
      }
      case 'numbers':
        return averagedTable(numberTargets(pipeline.numbers ?? [], pipeline, answers, examples));
      case 'labels':
        return new LabelSetMeasures(answers, examples.targets, pipeline.classes.length).sample(null);
      default:
        return new ClassMeasures(classedRows(examples, answers)).all();
    }
  };
  return figuresOf(tableOf(), names ?? undefined);
}

/** Answers and truths in the units of the label, one target a name. @param answers [rows, names] */
function numberTargets(
  names: readonly string[],
  pipeline: Task['pipeline'],
  answers: Float32Array,
  { targets }: JobExamples,
): NumberTarget[] {
  return names.map((name, i) => {
    const [answered, truth] = [answers, targets].map((all) => inLabelUnits(all, pipeline, i, names.length));
    return { name, answers: answered!, truth: truth! };
  });
}

/** One of several numbers of each row. @param values [rows, width] */
function inLabelUnits(
  values: ArrayLike<number>,
  { labelUnits }: Task['pipeline'],
  place: number,
  width: number,
): Float64Array {
  const { scale, offset } = labelUnits?.[place] ?? { scale: 1, offset: 0 };
  return Float64Array.from(
    { length: values.length / width },
    (_, row) => values[row * width + place]! * scale + offset,
  );
}

/** What the course of the training and the evaluation say together. */
export function findingsIn(epochs: readonly EpochMetrics[], evaluation: Evaluation | null): Finding[] {
  return findingsOf(epochs, evaluation && baselineOf(evaluation));
}

function baselineOf(evaluation: Evaluation): Baseline | null {
  if (evaluation.kind === 'classes') {
    const most = Math.max(...evaluation.classes.map(({ rowCount }) => rowCount));
    return { figure: 'accuracy', value: evaluation.figures.accuracy!, constant: most / evaluation.rowCount };
  }
  const { r2 = null } = evaluation.figures;
  return r2 === null ? null : { figure: 'R2', value: r2, constant: 0 };
}

/** A network with one output tells how probable the second of two classes is. */
function classedRows({ rows, targets }: JobExamples, answers: Float32Array): ClassedRows {
  const outputs = answers.length / rows;
  if (outputs > 1) {
    return { probabilities: { rows, classes: outputs, values: answers }, truth: targets };
  }
  const values = new Float32Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    values[2 * row] = 1 - answers[row]!;
    values[2 * row + 1] = answers[row]!;
  }
  return { probabilities: { rows, classes: 2, values }, truth: targets };
}

/** Answers to all rows, [rows, outputs], as inference gives them. */
async function predict(network: Network, { rows, features }: JobExamples, signal: AbortSignal): Promise<Float32Array> {
  const [{ columns, data, scale = 1, offset = 0 }] = features;
  const [factor, shift] = [Math.fround(scale), Math.fround(offset)];
  const step = Math.max(1, Math.floor(predictedMax / columns));
  const parts: Float32Array[] = [];
  for (let begin = 0; begin < rows; begin += step) {
    const count = Math.min(step, rows - begin);
    const input = new Float32Array(count * columns);
    for (let i = 0; i < input.length; i++) {
      // As the engine does it: a product and a sum in float32.
      input[i] = Math.fround(data[begin * columns + i]! * factor) + shift;
    }
    parts.push(await network.predictAsync(input, count));
    signal.throwIfAborted();
  }
  const answers = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    answers.set(part, end);
    end += part.length;
  }
  return answers;
}
