import type { TuningEvent__Output as TuningEvent } from '../../proto/gen/millrace/v1/TuningEvent.js';
import type { TuningTrial__Output as Trial } from '../../proto/gen/millrace/v1/TuningTrial.js';
import { scalarOf } from '../sdk/index.js';
import { table } from './output.js';
import { stateWord } from './progress-bar.js';

const liveRows = 10;

/** Draws a tuning's events: on a terminal the best trials as they stand, elsewhere a line for each trial that begins or ends. */
export class Leaderboard {
  readonly #trials = new Map<number, Trial>();
  readonly #ended = new Set<number>();
  #linesDrawn = 0;

  /** @param isHigherBetter as of accuracies */
  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly isHigherBetter: boolean,
  ) {}

  show({ trial, stateChange }: TuningEvent): void {
    if (trial) {
      const isNew = !this.#trials.has(trial.number);
      this.#trials.set(trial.number, trial);
      const hasEnded = !isOpen(trial) && !this.#ended.has(trial.number);
      if (hasEnded) {
        this.#ended.add(trial.number);
      }
      if (this.out.isTTY) {
        this.#redraw();
      } else if (isNew || hasEnded) {
        this.out.write(`${trialLine(trial)}\n`);
      }
    }
    if (stateChange) {
      const { state, error, trainingJob, modelVersion } = stateChange;
      this.#linesDrawn = 0;
      const parts = [stateWord(state), trainingJob, modelVersion, error?.message];
      this.out.write(`${parts.filter(Boolean).join('  ')}\n`);
    }
  }

  #redraw(): void {
    const lines = trialTable([...this.#trials.values()].sort((a, b) => this.#compare(a, b)).slice(0, liveRows));
    const more = this.#trials.size > liveRows ? [`and ${this.#trials.size - liveRows} more`] : [];
    const back = this.#linesDrawn > 0 ? `\x1b[${this.#linesDrawn}A\x1b[0J` : '';
    const cut = [...lines, ...more].map((line) => line.slice(0, this.out.columns - 1));
    this.out.write(`${back}${cut.join('\n')}\n`);
    this.#linesDrawn = cut.length;
  }

  /** Complete trials first, then by what is compared. */
  #compare(a: Trial, b: Trial): number {
    const order = {
      ...{ STATE_COMPLETE: 0, STATE_CUT_OFF: 0, STATE_RUNNING: 1, STATE_PAUSED: 1, STATE_STOPPED: 2, STATE_FAILED: 3 },
      STATE_UNSPECIFIED: 4,
    };
    const worst = Number.MAX_VALUE;
    const score = ({ objective }: Trial) =>
      objective === undefined ? worst : this.isHigherBetter ? -objective : objective;
    return order[a.state] - order[b.state] || score(a) - score(b) || a.number - b.number;
  }
}

const isOpen = ({ state }: Trial) => state === 'STATE_RUNNING' || state === 'STATE_PAUSED';

/** Trials in columns, in the order given. */
export function trialTable(trials: readonly Trial[]): string[] {
  const rows = trials.map((trial) => [
    String(trial.number),
    stateWord(trial.state),
    objectiveText(trial),
    String(trial.epochsDone),
    valuesText(trial),
  ]);
  return table([['TRIAL', 'STATE', 'OBJECTIVE', 'EPOCHS', 'VALUES'], ...rows]);
}

function trialLine(trial: Trial): string {
  const measured = trial.objective === undefined ? '' : `  ${objectiveText(trial)} after epoch ${trial.epochsDone}`;
  const reason = trial.endReason && `  ${trial.endReason}`;
  return `trial ${trial.number} ${stateWord(trial.state)}${measured}  ${valuesText(trial)}${reason}`;
}

const objectiveText = ({ objective }: Trial) => (objective === undefined ? '' : objective.toPrecision(5));

function valuesText({ values }: Trial): string {
  return Object.entries(values)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      const scalar = scalarOf(value);
      return `${name}=${typeof scalar === 'number' && !Number.isInteger(scalar) ? scalar.toPrecision(3) : scalar}`;
    })
    .join(' ');
}
