import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Assignment, SearchSpace } from '../../../services/training/tuning/search-space.js';

/** A study of Optuna in a process of its own. */
export class OptunaStudy {
  readonly #answers: AsyncIterator<string>;

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** @param python of an environment with Optuna */
  static open(python: string, script: string): OptunaStudy {
    return new OptunaStudy(spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] }) as never);
  }

  /** Begins a new study. @returns Optuna's version */
  async begin(space: SearchSpace, seed: number): Promise<string> {
    const { version } = await this.#call({ space, seed });
    return version as string;
  }

  async suggest(): Promise<Assignment> {
    return (await this.#call({ ask: true })) as Assignment;
  }

  /** @returns whether the pruner wants the trial to end */
  async report(score: number, step: number): Promise<boolean> {
    return (await this.#call({ report: score, step })).prune === true;
  }

  /** @param score null: pruned */
  async tell(score: number | null): Promise<void> {
    await this.#call({ tell: score });
  }

  close(): void {
    this.child.stdin.end();
  }

  async #call(message: object): Promise<Record<string, unknown>> {
    this.child.stdin.write(`${JSON.stringify(message)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) {
      throw new Error('Optuna has ended');
    }
    return JSON.parse(value);
  }
}
