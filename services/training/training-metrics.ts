import { Counter, Gauge, Metrics } from '../platform/metrics.js';
import type { JobState } from './job-state.js';

/** What the training service counts. */
export class TrainingMetrics extends Metrics {
  readonly epochs: Counter;
  readonly examples: Counter;
  readonly examplesPerSecond: Gauge;

  constructor(countByState: () => Promise<Record<JobState, number>>) {
    super('training');
    const registers = [this.registry];
    this.epochs = new Counter({ name: 'millrace_training_epochs_total', help: 'Epochs finished.', registers });
    this.examples = new Counter({
      name: 'millrace_training_examples_total',
      help: 'Training rows of finished epochs.',
      registers,
    });
    this.examplesPerSecond = new Gauge({
      name: 'millrace_training_examples_per_second',
      help: 'Training rows a second in the running epoch; 0 when nothing is trained.',
      registers,
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
}
