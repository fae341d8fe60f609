import type { Measurement, Suite } from './main.js';
import { cores, cppEcho, nodeEcho, type Peer, scriptPeer, seedBody } from './serving/contenders.js';
import { alone, atRate, measuredSeconds, saturate, saturateCosted, stream } from './serving/loads.js';
import { measureMemory } from './serving/memory.js';
import { networkFiles, seedNetwork } from './serving/networks.js';
import { OwnServer } from './serving/own-server.js';
import { seedModel } from './serving/requests.js';
import { withSharedMemory } from './serving/shared-memory.js';
import { measureSwaps } from './serving/swaps.js';
import { type Figure, measureInTurn, type Subject } from './trial.js';

type Note = (line: string) => void;
type Figures = Record<string, number>;

const ours = 'Millrace';
const oursAlone = 'Millrace, 1 worker';

/** The inference service under load, and peers on the same work in the same run; all as processes of their own. */
export const servingSuite: Suite = async (trials, note) => {
  const asked = [scriptPeer('triton'), scriptPeer('mlserver'), await cppEcho(), nodeEcho(1), nodeEcho(cores)];
  for (const reason of asked.filter((peer) => typeof peer === 'string')) note(reason);
  const peers = asked.filter((peer) => typeof peer !== 'string');
  const measured = await measureInTurn(
    [
      { name: ours, measure: () => measureOurs(note) },
      {
        name: oursAlone,
        measure: () => serving(1, [], ({ port, pids }) => saturateCosted({ port, pids, body: seedBody(1) })),
      },
      ...peers.map(peerSubject),
      { name: `${ours}, swaps`, measure: () => measureOfSwaps(note) },
      { name: `${ours}, large tensors`, measure: () => attempt('memory', note, memoryFigures) },
    ].map((subject) => telling(subject, note)),
    trials,
  );
  return judge((figure, name) => measured.get(figure)?.find((found) => found.name === name) ?? null);
};

/** The whole takes minutes: each figure is told as it comes. */
function telling({ name, measure }: Subject, note: Note): Subject {
  return {
    name,
    measure: async () => {
      const figures = await measure();
      const words = Object.entries(figures).map(([what, value]) => `${what} ${value.toPrecision(4)}`);
      note(`  ${name}: ${words.join(', ')}`);
      return figures;
    },
  };
}

function peerSubject({ name, start }: Peer): Subject {
  return {
    name,
    measure: async () => {
      const peer = await start();
      try {
        return { ...(await saturateCosted(peer)), mean: await alone(peer) };
      } finally {
        await peer.stop();
      }
    },
  };
}

async function serving<T>(workers: number, settings: string[], use: (server: OwnServer) => Promise<T>): Promise<T> {
  const server = await OwnServer.start(workers, { settings });
  try {
    await server.publish(seedModel, networkFiles(seedNetwork, 1));
    return await use(server);
  } finally {
    await server.stop();
  }
}

function measureOurs(note: Note): Promise<Figures> {
  return serving(cores, [], async ({ port, inference, pids }) => {
    const target = { port, body: seedBody(1), pids };
    const one = { connections: 1, inFlight: 64 };
    const few = { connections: 4, inFlight: 2 };
    const { rate, processor } = await saturateCosted(target);
    const mean = await alone(target);
    const { p99, median } = await atRate(target, 0.7 * rate);
    const rowRate = 32 * (await saturate({ port, body: seedBody(32) }));
    const unary = await saturate(target, one);
    const raw = await saturate({ port, body: seedBody(256) }, few);
    return {
      ...{ rate, processor, mean, p99, median, rowRate, unary, raw },
      ...(await attempt('streaming', note, async () => ({
        stream: await stream(target, Math.round(measuredSeconds * unary)),
      }))),
      ...(await attempt('shared memory', note, async () => ({
        shared: await withSharedMemory(inference, 256, (body) => saturate({ port, body }, few)),
      }))),
    };
  });
}

function measureOfSwaps(note: Note): Promise<Figures> {
  return attempt('swaps', note, async () => {
    const server = await OwnServer.start(cores, { settings: ['--loaded-versions-max=1'] });
    try {
      const { calm, swapping } = await measureSwaps(server, seedBody(1));
      return { calm, swapping };
    } finally {
      await server.stop();
    }
  });
}

async function memoryFigures(): Promise<Figures> {
  const { alone, together } = await measureMemory();
  return { copiesAlone: alone, copiesTogether: together };
}

/** What fails is told and has no figure, so that its target is missed and all others are measured none the less. */
async function attempt(what: string, note: Note, measure: () => Promise<Figures>): Promise<Figures> {
  try {
    return await measure();
  } catch (error) {
    note(`${what} failed: ${(error as Error).message}`);
    return {};
  }
}

type Find = (figure: string, name: string) => Figure | null;

function judge(find: Find): Measurement[] {
  const [all, one] = [(figure: string) => find(figure, ours), (figure: string) => find(figure, oursAlone)];
  const echo = 'grpc-js echo, 1 process';
  const row = `1 row of 784-128-128-10, 64 in flight`;
  const renamed = (name: string, figure: Figure | null) => figure && { ...figure, name };
  const swaps = (figure: string) => find(figure, `${ours}, swaps`);
  const memory = (figure: string) => find(figure, `${ours}, large tensors`);
  return [
    atLeast(2, `${row}, all cores`, 'requests/s', all('rate'), find('rate', 'triton')),
    atLeast(25, `${row}, all cores`, 'requests/s', all('rate'), find('rate', 'mlserver')),
    atLeast(0.45, `${row}, all cores`, 'requests/s', all('rate'), find('rate', 'C++ gRPC echo')),
    told(`${row}, all cores`, 'requests/s', all('rate'), find('rate', `grpc-js echo, ${cores} processes`)),
    atLeast(0.85, `${row}, one process`, 'requests/s', one('rate'), find('rate', echo)),
    told(`${row}, one process, processor time of a request`, 'us', one('processor'), find('processor', echo)),
    atMost(0.5, '1 in flight, mean time', 'us', all('mean'), find('mean', 'triton')),
    atMost(1.25, '1 in flight, mean time', 'us', all('mean'), find('mean', echo)),
    atLeast(3, '32 rows a request', 'rows/s', renamed('32 rows', all('rowRate')), renamed('1 row', all('rate'))),
    atLeast(2, 'one connection', 'requests/s', renamed('a stream', all('stream')), renamed('unary', all('unary'))),
    atLeast(
      2,
      '256 rows a request',
      'requests/s',
      renamed('shared memory', all('shared')),
      renamed('raw contents', all('raw')),
    ),
    atMost(5, 'time at 70 % of the highest rate', 'us', renamed('p99', all('p99')), renamed('median', all('median'))),
    atMost(
      1.5,
      'p99 with 64 in flight during 200 swaps',
      'us',
      renamed('swapping', swaps('swapping')),
      renamed('calm', swaps('calm')),
    ),
    atMost(2, 'memory of a request, 16 MiB in and 16 MiB out', 'copies of both', memory('copiesAlone')),
    atMost(2, 'memory of each of 4 at once, 16 MiB in and out', 'copies of both', memory('copiesTogether')),
  ];
}

type Compared = [own: Figure | null, peer?: Figure | null];

/** @param peer absent: `limit` is a number of its own */
function atMost(limit: number, work: string, unit: string, ...[own, peer]: Compared): Measurement {
  const bound = peer === undefined ? limit : peer && limit * peer.median;
  const target = peer === undefined ? `at most ${limit}` : `at most ${limit} times ${peer?.name ?? 'what is missing'}`;
  return { ...compared(work, unit, own, peer), target, reached: verdict(own, bound, (value, most) => value <= most) };
}

function atLeast(limit: number, work: string, unit: string, ...[own, peer]: Compared): Measurement {
  const target = `at least ${limit} times ${peer?.name ?? 'what is missing'}`;
  const bound = peer ? limit * peer.median : null;
  return { ...compared(work, unit, own, peer), target, reached: verdict(own, bound, (value, least) => value >= least) };
}

/** What of ours has no figure failed; what a peer has none of is not judged. */
function verdict(own: Figure | null, bound: number | null, holds: (value: number, bound: number) => boolean) {
  return own === null ? false : bound === null ? null : holds(own.median, bound);
}

function told(work: string, unit: string, ...[own, peer]: Compared): Measurement {
  return { ...compared(work, unit, own, peer), target: 'none', reached: null };
}

function compared(work: string, unit: string, ...[own, peer]: Compared) {
  return { work, unit, figures: [own, peer].filter((figure) => !!figure) };
}
