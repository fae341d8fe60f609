import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../support/mesh.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';
import type { Measurement } from './main.js';
import { environmentOf } from './peers.js';
import { writeTableCsv } from './table-csv.js';
import { compareMany, type Figure, lastJson, type ManyContender } from './trial.js';

const rows = 1_000_000;
const manyRows = 6;
const timeTarget = 0.3;
const memoryTarget = 0.25;
/** A split takes a byte a row, and a larger file is read no differently: what may be more is noise. */
const growthTarget = 1.25;
const recordTargetUs = 10;
const describedRows = 500_000;

interface TableReport {
  seconds: Record<string, number>;
  processorSeconds: Record<string, number>;
  peakMb: number;
}

/** From a CSV file to the matrix that is trained on, beside pandas and scikit-learn. */
export async function tableMeasurements(trials: number, note: (line: string) => void): Promise<Measurement[]> {
  const folder = tempFolder();
  try {
    const file = path.join(folder, 'table.csv');
    await writeTableCsv(file, rows);
    return [
      ...(await tableToMatrix(file, trials, note)),
      await memoryOfMany(file, folder),
      await oneRecord(trials),
      ...(await describing(trials)),
    ];
  } finally {
    removeTempFolders();
  }
}

function ours(name: string, file: string): ManyContender {
  return { ...program(name, 'data-table', file), figures: tableFigures };
}

function tableFigures(stdout: string): Record<string, number> {
  const { seconds, processorSeconds, peakMb } = lastJson<TableReport>(stdout);
  return { seconds: seconds.all!, processorSeconds: processorSeconds.all!, peakMb };
}

async function tableToMatrix(file: string, trials: number, note: (line: string) => void) {
  const contenders = [ours('Millrace', file)];
  const peer = environmentOf('mlserver');
  if ('missing' in peer) {
    note(`pandas with scikit-learn is not measured: ${peer.missing}`);
  } else {
    const script = path.join(root, 'test/bench/table_sklearn.py');
    const name = 'pandas and scikit-learn';
    contenders.push({ name, command: peer.python, args: [script, file], figures: tableFigures });
  }
  const figures = await compareMany(contenders, trials);
  const work = 'a CSV file of 1,000,000 rows (20 numbers, 4 categories) to a scaled one-hot float32 matrix';
  const measurement = (what: string, key: string, unit: string, target: number | null): Measurement => {
    const [own, other] = figures.get(key)!;
    const wanted = target === null ? 'no target of its own' : `at most ${target} of pandas and scikit-learn`;
    const reached = target === null || !other ? null : own!.median <= target * other.median;
    return { work: `${work}: ${what}`, unit, figures: figures.get(key)!, target: wanted, reached };
  };
  return [
    measurement('import, fit, and tensors batch by batch in one process', 'seconds', 's', timeTarget),
    measurement('processor time', 'processorSeconds', 's', null),
    measurement('peak memory', 'peakMb', 'MB', memoryTarget),
  ];
}

/** The same work on the same rows several times over; once, since memory hardly varies. */
async function memoryOfMany(file: string, folder: string): Promise<Measurement> {
  const many = path.join(folder, 'many.csv');
  const text = readFileSync(file);
  appendFileSync(many, text);
  for (let copy = 1; copy < manyRows; copy++) {
    appendFileSync(many, text.subarray(text.indexOf('\n') + 1));
  }
  const contenders = [ours(`${(manyRows * rows) / 1e6} million rows`, many), ours(`${rows / 1e6} million rows`, file)];
  const figures = (await compareMany(contenders, 1)).get('peakMb')!;
  return {
    work: 'import, fit and tensors: peak memory, whatever the rows',
    unit: 'MB',
    figures,
    target: `at most ${growthTarget} of the memory of a sixth of the rows`,
    reached: figures[0]!.median <= growthTarget * figures[1]!.median,
  };
}

async function oneRecord(trials: number): Promise<Measurement> {
  const contender = {
    ...program('Millrace', 'data-record'),
    figures: (stdout: string) => ({ value: lastJson<{ microseconds: number }>(stdout).microseconds }),
  };
  const figures = (await compareMany([contender], trials)).get('value')!;
  return {
    work: 'the same pipeline, one record, in process: processor time',
    unit: 'us',
    figures,
    target: `under ${recordTargetUs} us`,
    reached: figures[0]!.median < recordTargetUs,
  };
}

/** Figures of every column and the quality report. */
async function describing(trials: number): Promise<Measurement[]> {
  const contender = {
    ...program('Millrace', 'data-describe', String(describedRows)),
    figures: (stdout: string) => ({ ...lastJson<{ first: number; peakMb: number }>(stdout) }),
  };
  const figures = await compareMany([contender], trials);
  const work = `describing ${describedRows.toLocaleString('en')} rows of 4 columns with label and split`;
  const measurement = (what: string, unit: string, found: Figure[]): Measurement => {
    return { work: `${work}: ${what}`, unit, figures: found, target: 'none', reached: null };
  };
  return [
    measurement('first answer', 's', figures.get('first')!),
    measurement('peak memory', 'MB', figures.get('peakMb')!),
  ];
}

function program(name: string, file: string, ...args: string[]) {
  return { name, command: process.execPath, args: [path.join(root, `dist/test/bench/${file}.js`), ...args] };
}
