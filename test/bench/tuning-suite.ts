import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { PastTrial } from '../../services/training/tuning/searcher.js';
import { MedianStopping } from '../../services/training/tuning/stop-rules.js';
import { TpeSearcher } from '../../services/training/tuning/tpe-searcher.js';
import { root } from '../support/mesh.js';
import type { Suite } from './main.js';
import { environmentOf } from './peers.js';
import { median, summarise } from './trial.js';
import { OptunaStudy } from './tuning/optuna.js';
import { Problem, space, type Table } from './tuning/problem.js';

const datasets = ['wine', 'breast_cancer', 'digits'];
const seeds = Array.from({ length: 20 }, (_, seed) => seed);
const trialsMax = 40;
/** What is to be reached: what Optuna's best has come to after so many trials, in the median of the seeds. */
const targetTrials = 25;

const script = path.join(root, 'test/bench/tuning/optuna_peer.py');

/** Trials until a search reaches a validation loss, beside Optuna on the same networks trained by the same engine. */
export const tuningSuite: Suite = async (_, note) => {
  const peer = environmentOf('optuna');
  if ('missing' in peer) {
    note(`tuning is not measured: ${peer.missing} (pip install optuna scikit-learn)`);
    return [];
  }
  const measurements = [];
  const study = OptunaStudy.open(peer.python, script);
  try {
    for (const name of datasets) {
      const options = { encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
      const table = JSON.parse(execFileSync(peer.python, [script, 'data', name], options)) as Table;
      const problem = new Problem(table);
      const theirs: number[][] = [];
      const ours: number[][] = [];
      for (const seed of seeds) {
        theirs.push(await searchOfOptuna(study, problem, seed));
        ours.push(await searchOfOurs(problem, seed));
      }
      const target = median(theirs.map((bests) => bests[targetTrials - 1]!));
      const figures = [
        summarise(
          'Millrace',
          ours.map((bests) => trialsTo(bests, target)),
        ),
        summarise(
          'Optuna',
          theirs.map((bests) => trialsTo(bests, target)),
        ),
      ];
      const last = (all: number[][]) => median(all.map((bests) => bests.at(-1)!)).toFixed(4);
      note(`${name}: best of ${trialsMax} trials ${last(ours)}, Optuna's ${last(theirs)}`);
      measurements.push({
        ...{ work: `trials to a validation loss of ${target.toFixed(4)} on ${name}`, unit: 'trials', figures },
        target: "at most as many as Optuna's TPE with its default pruner, median of 20 seeds",
        reached: figures[0]!.median <= figures[1]!.median,
      });
    }
  } finally {
    study.close();
  }
  return measurements;
};

/** One more than all where it was not reached. */
function trialsTo(bests: readonly number[], target: number): number {
  const found = bests.findIndex((best) => best <= target);
  return (found < 0 ? bests.length : found) + 1;
}

/** The best loss of complete trials after each trial. */
async function searchOfOptuna(study: OptunaStudy, problem: Problem, seed: number): Promise<number[]> {
  await study.begin(space, seed);
  const bests: number[] = [];
  while (bests.length < trialsMax) {
    const values = await study.suggest();
    let score: number | null = null;
    let isPruned = false;
    let step = 0;
    for await (const loss of problem.losses(values)) {
      score = loss;
      isPruned = await study.report(loss, step++);
      if (isPruned) {
        break;
      }
    }
    await study.tell(isPruned ? null : score);
    bests.push(Math.min(bests.at(-1) ?? Number.POSITIVE_INFINITY, isPruned ? Number.POSITIVE_INFINITY : score!));
  }
  return bests;
}

async function searchOfOurs(problem: Problem, seed: number): Promise<number[]> {
  const searcher = new TpeSearcher(seed);
  const rule = new MedianStopping();
  const trials: PastTrial[] = [];
  const curves: { number: number; curve: number[]; isComplete: boolean }[] = [];
  const bests: number[] = [];
  for (let number = 0; number < trialsMax; number++) {
    const values = searcher.suggest(space, trials, number);
    const curve: number[] = [];
    let isComplete = true;
    for await (const loss of problem.losses(values)) {
      curve.push(loss);
      if (rule.reasonToStop({ number, curve }, curves) !== null) {
        isComplete = false;
        break;
      }
    }
    const score = isComplete ? curve.at(-1)! : Math.min(...curve);
    trials.push({ number, values, state: isComplete ? 'complete' : 'stopped', score, epochs: curve.length });
    curves.push({ number, curve, isComplete });
    bests.push(Math.min(bests.at(-1) ?? Number.POSITIVE_INFINITY, isComplete ? score : Number.POSITIVE_INFINITY));
  }
  return bests;
}
