import { Counter, Gauge, Metrics } from '../platform/metrics.js';
import type { JobState } from './job-state.js';

/** What the training service counts. */
export class TrainingMetrics extends Metrics {
  readonly epochs: Counter;
  readonly examples: Counter;
  /** Rows a second of each job in an epoch. */
  readonly #rates = new Map<string, number>();

  constructor(countByState: () => Promise<Record<JobState, number>>) {
    super('training');
    const registers = [this.registry];
    this.epochs = new Counter({ name: 'millrace_training_epochs_total', help: 'Epochs finished.', registers });
    this.examples = new Counter({
      name: 'millrace_training_examples_total',
      help: 'Training rows of finished epochs.',
      registers,
    });
    const rates = this.#rates;
    new Gauge({
      name: 'millrace_training_examples_per_second',
      help: 'Training rows a second in the running epochs of all jobs; 0 when nothing is trained.',
      registers,
      collect() {
        this.set([...rates.values()].reduce((sum, rate) => sum + rate, 0));
      },
    });
    new Gauge({
      name: 'millrace_training_jobs',
      help: 'Jobs by state.',
      labelNames: ['state'],
      registers,
      async collect() {
        for (const [state, count] of Object.entries(await countByState())) {
          this.set({ state }, count);
        }
      },
    });
  }

  /** @param rate rows a second; 0: the job trains no more */
  setRate(jobId: string, rate: number): void {
    if (rate > 0) {
      this.#rates.set(jobId, rate);
    } else {
      this.#rates.delete(jobId);
    }
  }
}
