import type { TrainingEvent__Output as TrainingEvent } from '../../proto/gen/millrace/v1/TrainingEvent.js';
import { table } from './output.js';

const barWidth = 24;

/** Draws a job's events: a live line on a terminal, and a line that stays for each epoch and state. */
export class ProgressBar {
  #epochs = 0;
  #live = false;

  constructor(
    private readonly out: NodeJS.WriteStream,
    epochs: number,
  ) {
    this.#epochs = epochs;
  }

  show(event: TrainingEvent): void {
    if (event.step) {
      const { epoch, step, stepsPerEpoch, loss, accuracy, examplesPerSecond, remainingSeconds } = event.step;
      const done = Math.round((step / stepsPerEpoch) * barWidth);
      const bar = '█'.repeat(done) + '░'.repeat(barWidth - done);
      this.#drawLive(
        `${foldOf(event.step)}${epochOf(epoch, this.#epochs)} ${bar} ${perSecond(examplesPerSecond)}  ${measures(loss, accuracy)}  ${remainingSeconds.toFixed(1)} s left`,
      );
      return;
    }
    const line = eventLine(event);
    if (line !== null && !event.checkpoint) {
      this.#drawLine(line);
    }
  }

  #drawLive(text: string): void {
    if (this.out.isTTY) {
      this.out.write(`\r\x1b[2K${text.slice(0, this.out.columns - 1)}`);
      this.#live = true;
    }
  }

  #drawLine(text: string): void {
    this.out.write(`${this.#live ? '\r\x1b[2K' : ''}${text}\n`);
    this.#live = false;
  }
}

/** An event in a line; null for one that is only of the moment. */
export function eventLine(event: TrainingEvent): string | null {
  if (event.epoch) {
    const { epoch, epochs, loss, accuracy, validationLoss, validationAccuracy, seconds, examplesPerSecond } =
      event.epoch;
    const others = Object.entries(event.epoch.validationMetrics).map(
      ([name, value]) => `  ${name} ${value.toFixed(4)}`,
    );
    const validation =
      validationLoss === undefined
        ? ''
        : `  validation ${measures(validationLoss, validationAccuracy)}${others.join('')}`;
    return `${foldOf(event.epoch)}${epochOf(epoch, epochs)}  ${seconds.toFixed(2)} s  ${perSecond(examplesPerSecond)}  ${measures(loss, accuracy)}${validation}`;
  }
  if (event.trainingEnd) {
    const { reason, epoch, steps, restoredEpoch } = event.trainingEnd;
    const why = reason.replace('REASON_', '').toLowerCase().replace('_', ' ');
    const restored = restoredEpoch === epoch ? '' : `, back to the best, epoch ${restoredEpoch}`;
    return `${foldOf(event.trainingEnd)}trained until epoch ${epoch}, step ${steps}: ended by ${why}${restored}`;
  }
  if (event.fold) {
    const { fold, folds, rowCount, metrics, trainSize, trainRowCount, trainMetrics } = event.fold;
    if (trainSize > 0) {
      const both = (name: string) => `${metrics[name]!.toFixed(4)} (${trainMetrics[name]?.toFixed(4) ?? '-'})`;
      return `size ${trainSize}  fold ${fold}/${folds} scored on ${rowCount} rows (and on its ${trainRowCount})  ${listed(metrics, both)}`;
    }
    return `fold ${fold}/${folds} scored on ${rowCount} rows  ${listed(metrics, (name) => metrics[name]!.toFixed(4))}`;
  }
  if (event.crossValidation) {
    const { folds, mean, deviation } = event.crossValidation;
    const scores = listed(mean, (name) => `${mean[name]!.toFixed(4)} ± ${deviation[name]!.toFixed(4)}`);
    return `cross-validation by ${folds} folds  ${scores}`;
  }
  if (event.learningCurve) {
    return curveLines(event.learningCurve).join('\n');
  }
  if (event.test) {
    const { loss, accuracy, rowCount } = event.test;
    return `test on ${rowCount} rows  ${measures(loss, accuracy)}`;
  }
  if (event.resumed) {
    const { epochsDone, stepsDone } = event.resumed;
    return `${foldOf(event.resumed)}resumed after epoch ${epochsDone}${stepsDone > 0 ? `, step ${stepsDone}` : ''}`;
  }
  if (event.stateChange) {
    const { state, error, modelVersion } = event.stateChange;
    return [stateWord(state), modelVersion, error?.message].filter(Boolean).join('  ');
  }
  if (event.checkpoint) {
    const { epochsDone, stepsDone, sizeBytes } = event.checkpoint;
    return `${foldOf(event.checkpoint)}checkpoint after epoch ${epochsDone}${stepsDone > 0 ? `, step ${stepsDone}` : ''}  ${(sizeBytes / 2 ** 20).toFixed(1)} MiB`;
  }
  if (event.log) {
    return `${event.log.severity === 'SEVERITY_WARNING' ? 'warning: ' : ''}${event.log.text}`;
  }
  return null;
}

/** Of the many measures, those that a line has room for. */
const foldMeasures = ['loss', 'accuracy', 'macro_f1', 'roc_auc', 'rmse', 'r2'];

function listed(measures: Record<string, number>, shown: (name: string) => string): string {
  const names = foldMeasures.filter((name) => name in measures);
  return names.map((name) => `${name} ${shown(name)}`).join('  ');
}

/** What `curveLines` shows of a learning curve. */
export interface Curve {
  points: {
    trainRowCount: number;
    train: { mean: Record<string, number> } | null;
    held: { mean: Record<string, number>; deviation: Record<string, number> } | null;
  }[];
  text: string;
  advice: string[];
}

/** A table of the scores by the number of rows, and what they say. */
export function curveLines({ points, text, advice }: Curve): string[] {
  const names = foldMeasures.filter((name) => points.every(({ held }) => held && name in held.mean));
  const rows = points.map(({ trainRowCount, train, held }) => [
    trainRowCount.toLocaleString('en-US'),
    ...names.flatMap((name) => [
      `${held!.mean[name]!.toFixed(4)} ± ${held!.deviation[name]!.toFixed(4)}`,
      train?.mean[name]?.toFixed(4) ?? '-',
    ]),
  ]);
  const head = ['TRAINING ROWS', ...names.flatMap((name) => [name.toUpperCase(), 'ON ITS OWN ROWS'])];
  return [...table([head, ...rows]), text, ...advice.map((line) => `  - ${line}`)];
}

function foldOf({ fold, trainSize }: { fold: number; trainSize: number }): string {
  const size = trainSize > 0 ? `size ${trainSize}  ` : '';
  return fold > 0 ? `${size}fold ${fold}  ` : '';
}

function epochOf(epoch: number, epochs: number): string {
  return epochs > 0 ? `epoch ${epoch}/${epochs}` : `epoch ${epoch}`;
}

/** `training` for STATE_TRAINING. */
export function stateWord(state: string): string {
  return state.replace('STATE_', '').toLowerCase();
}

function measures(loss: number, accuracy: number | undefined): string {
  return `loss ${loss.toFixed(4)}${accuracy === undefined ? '' : `  accuracy ${(accuracy * 100).toFixed(2)} %`}`;
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en-US')} examples/s`;
}
