import { fileURLToPath } from 'node:url';
import { predictedRows } from './engine.js';
import type { Measurement, Suite } from './main.js';
import { onOneCore, ortFolder, peerProgram, trainingPeer } from './peers.js';
import { type Contender, compare, compareMany, type Figure, lastJson, type ManyContender, median } from './trial.js';

type Note = (line: string) => void;

/** The addon alone, in processes with nothing else. */
export const engineSuite: Suite = async (trials, note) => [
  ...(await epochs(trials, note)),
  ...(await oneThread(trials, note)),
  ...(await largeNetwork(trials, note)),
  ...(await predictions(1, trials, note)),
  ...(await predictions(2, trials, note)),
  ...(await quantized(trials)),
  ...(await growth(trials)),
  await crowded(trials),
  await loading(trials),
];

function own(name: string, program: string, args: string[] = []) {
  const script = fileURLToPath(new URL(`${program}.js`, import.meta.url));
  return { name, command: process.execPath, args: [script, ...args] };
}

/** What can be measured; of the others the reason is noted. */
function available<T>(contenders: (T | string)[], note: Note): T[] {
  for (const reason of contenders.filter((contender) => typeof contender === 'string')) note(reason);
  return contenders.filter((contender) => typeof contender !== 'string') as T[];
}

/** The first figure is at most `limit` of the second, where lower is better. */
function atMost(limit: number, work: string, unit: string, [ours, peer]: (Figure | undefined)[]): Measurement {
  return {
    work,
    unit,
    figures: [ours!, ...(peer ? [peer] : [])],
    target: `at most ${Number(limit.toFixed(3))} of ${peer?.name ?? 'a peer that is missing'}`,
    reached: peer ? ours!.median <= limit * peer.median : null,
  };
}

function atLeast(limit: number, work: string, unit: string, [ours, peer]: (Figure | undefined)[]): Measurement {
  const measured = atMost(limit, work, unit, [ours, peer]);
  return {
    ...measured,
    target: measured.target.replace('at most', 'at least'),
    reached: peer ? ours!.median >= limit * peer.median : null,
  };
}

const named = (figures: Figure[], name: string) => figures.find((figure) => figure.name === name);

interface EpochOutput {
  secondsPerEpoch: number[];
  memoryBytes: number;
}

async function epochs(trials: number, note: Note): Promise<Measurement[]> {
  const engine: ManyContender = {
    ...own('Millrace, 2 threads', 'engine-epoch', ['5', '2']),
    figures: (stdout) => {
      const { secondsPerEpoch, memoryBytes } = lastJson<EpochOutput>(stdout);
      return { seconds: median(secondsPerEpoch.slice(1)), megabytes: memoryBytes / 1e6 };
    },
  };
  const training = [trainingPeer('jax'), trainingPeer('keras'), trainingPeer('torch', ['index'])];
  training.push(trainingPeer('torch', ['loader']));
  const peers = available(training, note).map((peer) => ({
    ...peer,
    figures: (stdout: string) => ({ seconds: peer.figure(stdout) }),
  }));
  const measured = await compareMany([engine, ...peers], trials);
  const seconds = measured.get('seconds')!;
  const torch = seconds.filter(({ name }) => name.startsWith('torch')).sort((a, b) => a.median - b.median);
  const work = 'MNIST example, one epoch of 60,000 images';
  const memory = measured.get('megabytes')![0]!;
  const allowed = (70_000 * 784) / 1e6 + 60;
  return [
    atMost(0.4, work, 's', [seconds[0], named(seconds, 'jax')]),
    atMost(1 / 15, work, 's', [seconds[0], named(seconds, 'keras')]),
    atMost(1 / 8, `${work}, the best PyTorch loop`, 's', [seconds[0], torch[0]]),
    {
      work: 'MNIST example, peak memory of the process, Node included',
      unit: 'MB',
      figures: [memory],
      target: `the 70,000 images as uint8 and 60 MB: ${allowed.toFixed(0)}`,
      reached: memory.median <= allowed,
    },
  ];
}

async function oneThread(trials: number, note: Note): Promise<Measurement[]> {
  const engine: Contender = {
    ...own('Millrace, 1 thread', 'engine-epoch', ['5', '1']),
    figure: (stdout) => median(lastJson<EpochOutput>(stdout).secondsPerEpoch.slice(1)),
  };
  const jax = available([trainingPeer('jax')], note);
  const figures = await compare([engine, ...jax.map(onOneCore), ...jax], trials);
  const work = 'MNIST example, one epoch, one thread';
  return [
    atMost(0.65, work, 's', [figures[0], named(figures, 'jax, one core')]),
    atMost(0.65, `${work} against JAX on all cores`, 's', [figures[0], named(figures, 'jax')]),
  ];
}

async function largeNetwork(trials: number, note: Note): Promise<Measurement[]> {
  const engine: ManyContender = {
    ...own('Millrace', 'engine-large', ['2']),
    figures: (stdout) => {
      const output = lastJson<{ gflops: number; productGflops: number; blasGflopsOneThread: number }>(stdout);
      return { step: output.gflops, own: output.productGflops, blas: 2 * output.blasGflopsOneThread };
    },
  };
  const torch = available([peerProgram('torch', 'train_torch_large.py')], note).map((program) => ({
    ...program,
    figures: (stdout: string): Record<string, number> => ({
      step: Number(/([\d.]+) GFLOP\/s, peak/.exec(stdout)![1]),
      mkl: Number(/2 threads: ([\d.]+) GFLOP/.exec(stdout)![1]),
    }),
  }));
  const measured = await compareMany([engine, ...torch], trials);
  const [ours, peer] = measured.get('step')!;
  const peaks = [
    { ...measured.get('own')![0]!, name: 'own product, 2 threads' },
    { ...measured.get('blas')![0]!, name: 'OpenBLAS, twice one thread' },
    ...(measured.get('mkl') ?? []).map((figure) => ({ ...figure, name: 'MKL sgemm, 2 threads' })),
  ].sort((a, b) => b.median - a.median);
  const work = 'training step of 784-2048-2048-2048-10, batch 256, Adam, 2 threads';
  const ofPeak = atLeast(0.76, `${work}, share of the sgemm peak`, 'GFLOP/s', [ours, peaks[0]]);
  return [atLeast(1.1, work, 'GFLOP/s', [ours, peer]), { ...ofPeak, figures: [ours!, ...peaks] }];
}

async function predictions(threads: 1 | 2, trials: number, note: Note): Promise<Measurement[]> {
  const program = own('Millrace', 'engine-predict');
  const microseconds = { figures: (stdout: string) => lastJson<Record<string, number>>(stdout) };
  const engine = { ...(threads === 1 ? onOneCore(program) : program), ...microseconds };
  const ort = available([ortFolder()], note).map(({ folder }) => ({
    ...own('onnxruntime-node', 'engine-predict-ort', [folder, String(threads)]),
    ...microseconds,
  }));
  const measured = await compareMany([engine, ...ort], trials);
  const limits: Record<number, number> = { 1: 0.5, 32: 0.9, 256: 1 };
  return predictedRows
    .filter((rows) => rows in limits)
    .map((rows) =>
      atMost(limits[rows]!, `predict ${rows} rows, ${threads} threads`, 'us', measured.get(String(rows)) ?? []),
    );
}

/** Prediction in int8 beside float32, in the same process. */
async function quantized(trials: number): Promise<Measurement[]> {
  type Times = Record<'float32' | 'int8', Record<string, number>>;
  const rowCounts = [32, 256];
  const precisions = ['int8', 'float32'] as const;
  const keyOf = (precision: string, rows: number) => `${precision} ${rows}`;
  const program: ManyContender = {
    ...own('seed network', 'engine-quantized'),
    figures: (stdout) => {
      const times = lastJson<{ seed: Times }>(stdout).seed;
      const entries = precisions.flatMap((name) => rowCounts.map((rows) => [keyOf(name, rows), times[name][rows]!]));
      return Object.fromEntries(entries) as Record<string, number>;
    },
  };
  const measured = await compareMany([program], trials);
  return rowCounts.map((rows) => {
    const figures = precisions.map((name) => ({ ...measured.get(keyOf(name, rows))![0]!, name }));
    return atMost(0.5, `predict ${rows} rows in int8`, 'us', figures);
  });
}

/** One epoch over mapped files of 10 thousand and of 10 million rows. */
async function growth(trials: number): Promise<Measurement[]> {
  const program = (rows: number): ManyContender => ({
    ...own(`${rows.toLocaleString('en')} rows`, 'engine-rows', [String(rows), '2']),
    figures: (stdout) => {
      const output = lastJson<{ nanosecondsPerExample: number; rssAnonBytes: number }>(stdout);
      return { time: output.nanosecondsPerExample, memory: output.rssAnonBytes / 1e6 };
    },
  });
  const measured = await compareMany([program(10_000_000), program(10_000)], trials);
  return [
    atMost(1.1, 'time per example of a mapped file', 'ns', measured.get('time')!),
    atMost(1.1, 'memory that no file backs', 'MB', measured.get('memory')!),
  ];
}

async function crowded(trials: number): Promise<Measurement> {
  const program: ManyContender = {
    ...own('two trainings and predictions', 'engine-crowded'),
    figures: (stdout) => lastJson<Record<string, number>>(stdout),
  };
  const measured = await compareMany([program], trials);
  const [atOnce] = measured.get('atOnce')!;
  const [inTurn] = measured.get('oneAfterTheOther')!;
  return atMost(1, 'two trainings and predictions of 32 rows', 's', [
    { ...atOnce!, name: 'at once' },
    { ...inTurn!, name: 'one after the other' },
  ]);
}

async function loading(trials: number): Promise<Measurement> {
  const program: Contender = {
    ...own('Millrace', 'engine-load'),
    figure: (stdout) => lastJson<{ milliseconds: number }>(stdout).milliseconds,
  };
  const figures = await compare([program], trials);
  return { work: 'loading the addon', unit: 'ms', figures, target: 'under 20 ms', reached: figures[0]!.median < 20 };
}
