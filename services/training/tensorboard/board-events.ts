import type { KeptEvent, OfFold } from '../job.js';
import type { BoardEvent } from './event-record.js';

type OwnRun = 'train' | 'validation';

/** The run of a job that points are shown under. */
export type BoardRun =
  | OwnRun
  | 'test'
  | 'cross_validation'
  | `learning_curve/${'train' | 'held'}`
  | `${string}fold_${number}/${OwnRun}`;

export interface BoardEntry {
  run: BoardRun;
  event: BoardEvent;
}

/**
 * What a job's events are on TensorBoard, under the names that Keras's callback gives them. Points lie at the step of the
 * optimizer, counted over all epochs, so that all of a job's curves share one axis.
 */
export class BoardEvents {
  #stepsPerEpoch = 0;
  #lastStep = 0;

  /** Entries of the job's next event. */
  next({ timeMs, happening }: KeptEvent): BoardEntry[] {
    const wallTimeSeconds = timeMs / 1_000;
    const point = (run: BoardRun, step: number, values: Record<string, number | null>): BoardEntry[] => {
      const scalars = Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== null);
      this.#lastStep = step;
      return scalars.length === 0
        ? []
        : [{ run, event: { wallTimeSeconds, step, scalars: Object.fromEntries(scalars) } }];
    };
    switch (happening.kind) {
      case 'step': {
        const { epoch, step, stepsPerEpoch, loss, accuracy, learningRate, examplesPerSecond } = happening;
        return point(runOf('train', happening), (epoch - 1) * stepsPerEpoch + step, {
          ...{ batch_loss: loss, batch_accuracy: accuracy, batch_learning_rate: learningRate },
          batch_examples_per_second: examplesPerSecond,
        });
      }
      case 'epoch': {
        const { epoch, steps, loss, accuracy, learningRate, gradientNorm, weightNorm, examplesPerSecond } = happening;
        const { validationLoss, validationAccuracy, validationMetrics = {} } = happening;
        const others = Object.entries(validationMetrics).map(([name, value]) => [`epoch_${name}`, value]);
        this.#stepsPerEpoch = steps;
        return [
          ...point(runOf('train', happening), epoch * steps, {
            ...{ epoch_loss: loss, epoch_accuracy: accuracy, epoch_learning_rate: learningRate },
            ...{ epoch_gradient_norm: gradientNorm, epoch_weight_norm: weightNorm },
            epoch_examples_per_second: examplesPerSecond,
          }),
          ...point(runOf('validation', happening), epoch * steps, {
            ...{ epoch_loss: validationLoss, epoch_accuracy: validationAccuracy },
            ...Object.fromEntries(others),
          }),
        ];
      }
      case 'fold': {
        if (happening.trainSize) {
          return [];
        }
        const scores = Object.entries(happening.metrics).map(([name, value]) => [`fold_${name}`, value]);
        return point('cross_validation', happening.fold, Object.fromEntries(scores));
      }
      case 'learningCurve':
        // The axis is the number of rows.
        return happening.points.flatMap(({ trainRowCount, train, held }) => [
          ...point('learning_curve/train', trainRowCount, train.mean),
          ...point('learning_curve/held', trainRowCount, held.mean),
        ]);
      case 'test':
        return point('test', this.#lastStep, { epoch_loss: happening.loss, epoch_accuracy: happening.accuracy });
      case 'resumed': {
        // What comes again replaces what was there.
        const restartStep = happening.epochsDone * this.#stepsPerEpoch + happening.stepsDone + 1;
        const runs = (['train', 'validation'] as const).map((run) => runOf(run, happening));
        return runs.map((run) => ({ run, event: { wallTimeSeconds, restartStep } }));
      }
      default:
        return [];
    }
  }
}

function runOf(run: OwnRun, { fold, trainSize }: OfFold): BoardRun {
  return fold ? `${trainSize ? `size_${trainSize}_` : ''}fold_${fold}/${run}` : run;
}
