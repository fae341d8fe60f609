import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { engineInfo } from '../../native/index.js';
import { root } from '../support/mesh.js';
import { dataSuite } from './data-suite.js';
import { engineSuite } from './engine-suite.js';
import { meshSuite } from './mesh-suite.js';
import { servingSuite } from './serving-suite.js';
import type { Figure } from './trial.js';
import { tuningSuite } from './tuning-suite.js';

/** A group of measurements that belong together. */
export type Suite = (trials: number, note: (line: string) => void) => Promise<Measurement[]>;

export interface Measurement {
  work: string;
  unit: string;
  figures: Figure[];
  /** What is to be reached, in words, and whether the medians reach it; null when a peer is missing. */
  target: string;
  reached: boolean | null;
}

const suites: Record<string, Suite> = {
  data: dataSuite,
  engine: engineSuite,
  mesh: meshSuite,
  serving: servingSuite,
  tuning: tuningSuite,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { trials: { type: 'string', default: '3' }, save: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((name) => !(name in suites));
if (unknown.length > 0) {
  throw new Error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`);
}

const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
const machine = `${cpus()[0]!.model}, ${cpus().length} cores, ${engineInfo().instructionSet}`;
const commit = git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') ? ' with changes' : '');
const note = (line: string) => process.stdout.write(`${line}\n`);
note(`${machine}; commit ${commit}; ${values.trials} fresh processes each`);

const measurements: Measurement[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(suites)) {
  for (const measurement of await suites[name]!(Number(values.trials), note)) {
    measurements.push(measurement);
    show(measurement);
  }
}
if (values.save) {
  const date = new Date().toISOString().slice(0, 10);
  const file = path.join(root, 'test/bench/results', `${[date, ...positionals].join('-')}.json`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ machine, commit, measurements }, null, 2)}\n`);
}

function show({ work, unit, figures, target, reached }: Measurement): void {
  note(`\n${work}, ${unit}`);
  for (const { name, median, minimum, maximum } of figures) {
    const ratio = figures[0]!.median / median;
    const against = name === figures[0]!.name ? '' : `  ratio ${ratio.toFixed(3)}`;
    note(
      `  ${name.padEnd(28)} ${median.toPrecision(4)}  (${minimum.toPrecision(4)} to ${maximum.toPrecision(4)})${against}`,
    );
  }
  note(`  ${reached === null ? 'not judged' : reached ? 'reached' : 'MISSED'}: ${target}`);
}
