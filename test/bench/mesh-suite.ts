import { readdirSync, readFileSync } from 'node:fs';
import { cli, freePortBase, run, TestMesh } from '../support/mesh.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';
import type { Measurement, Suite } from './main.js';
import { measureColdTrain } from './mesh/cold-train.js';
import { measureOverhead } from './mesh/epoch-overhead.js';
import { measureQueue } from './mesh/queue.js';
import { measureWatchers } from './mesh/watchers.js';
import { trainingPeer } from './peers.js';
import { compare, type Figure, lastJson, median, summarise } from './trial.js';

interface QuickstartResult {
  testAccuracy: number;
  secondsPerEpoch: number[];
  trainSeconds: number;
}

const trainedRows = 55_000;
const peerRows = 60_000;

/** The whole mesh, through the quickstart, as a user runs it. */
export const meshSuite: Suite = async (trials, note) => {
  const quickstarts: QuickstartResult[] = [];
  const wallSeconds: number[] = [];
  const peerFigures: Figure[] = [];
  const keras = trainingPeer('keras');
  if (typeof keras === 'string') {
    note(keras);
  }
  const perTrial: Figure[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const begin = Date.now();
    quickstarts.push(await quickstart(trial + 1));
    wallSeconds.push((Date.now() - begin) / 1000);
    if (typeof keras !== 'string') {
      perTrial.push(...(await compare([keras], 1)));
    }
  }
  if (perTrial.length > 0) {
    peerFigures.push(
      summarise(
        'keras',
        perTrial.map((figure) => figure.median),
      ),
    );
  }
  // The mesh keeps rows for validation; its time is scaled to the rows that the peers train on.
  const epochs = quickstarts.map(({ secondsPerEpoch }) => (median(secondsPerEpoch.slice(1)) * peerRows) / trainedRows);
  const ours = summarise('Millrace mesh', epochs);
  const accuracy = summarise(
    'Millrace',
    quickstarts.map(({ testAccuracy }) => testAccuracy),
  );
  const wall = summarise('Millrace', wallSeconds);
  const [ready, memory] = await measureUp(trials);
  return [
    {
      work: `MNIST example through the mesh, one epoch scaled to ${peerRows} images`,
      unit: 's',
      figures: [ours, ...peerFigures],
      target: "at most 1/8 of Keras's time",
      reached: peerFigures[0] ? ours.median <= peerFigures[0].median / 8 : null,
    },
    {
      work: `MNIST example, test accuracy after 5 epochs, seeds 1 to ${trials}`,
      unit: 'share',
      figures: [accuracy],
      target: 'at least 0.973 with every seed',
      reached: accuracy.minimum >= 0.973,
    },
    { work: 'quickstart, whole command', unit: 's', figures: [wall], target: 'under 15 s', reached: wall.median < 15 },
    ready,
    memory,
    ...(await measureOverhead(trials)),
    ...(await measureWatchers(trials)),
    ...(await measureQueue()),
    await measureColdTrain(trials),
  ];
};

async function quickstart(seed: number): Promise<QuickstartResult> {
  try {
    const folder = tempFolder();
    const portBase = await freePortBase();
    const args = ['quickstart', '--json', `--seed=${seed}`, `--data-dir=${folder}`, `--port-base=${portBase}`];
    const { status, stdout, stderr } = await run(process.execPath, [cli, ...args]);
    if (status !== 0) {
      throw new Error(`the quickstart failed: ${stderr}`);
    }
    return lastJson<QuickstartResult>(stdout);
  } finally {
    removeTempFolders();
  }
}

async function measureUp(trials: number): Promise<[Measurement, Measurement]> {
  const seconds: number[] = [];
  const megabytes: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const folder = tempFolder();
    const portBase = await freePortBase();
    const begin = Date.now();
    const mesh = await TestMesh.start(folder, portBase);
    seconds.push((Date.now() - begin) / 1000);
    megabytes.push(residentMegabytes(folder));
    await mesh.stop();
    removeTempFolders();
  }
  const ready = summarise('Millrace', seconds);
  const memory = summarise('Millrace', megabytes);
  return [
    { work: 'millrace up, until ready', unit: 's', figures: [ready], target: 'under 3 s', reached: ready.median < 3 },
    {
      work: 'memory of the whole mesh at rest (proportional set size of all its processes)',
      unit: 'MB',
      figures: [memory],
      target: 'under 500 MB',
      reached: memory.median < 500,
    },
  ];
}

/** All processes of the mesh on a data folder: shared pages are counted once. */
function residentMegabytes(dataDir: string): number {
  let kilobytes = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--data-dir=${dataDir}`)) {
        kilobytes += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ESRCH') {
        throw error;
      }
    }
  }
  return (kilobytes * 1024) / 1e6;
}
