import { setMaxListeners } from 'node:events';
import { parseArgs } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { contracts, createClient } from '../../proto/index.js';
import { networkFiles, seedNetwork } from '../bench/serving/networks.js';
import { type InferenceClient, OwnServer, startService } from '../bench/serving/own-server.js';
import { seedModel } from '../bench/serving/requests.js';
import { runBadClients } from './bad-clients.js';
import { killWorkers, loadAndUnload, swapVersions } from './changes.js';
import { askByStream, askRest, askUnary, type Session } from './good-clients.js';
import { KnownAnswers } from './known-answers.js';
import { Ledger } from './ledger.js';
import { type MemoryGain, MemoryWatch } from './memory-watch.js';
import { askBySharedMemory } from './shared-memory-client.js';

// A registry, an inference service with two workers and a gateway under steady load for minutes, while versions are swapped, models
// loaded and unloaded, workers killed, and bad clients do what they can. Every answer is compared, bit for bit, with that of the
// version that gave it. Ends with status 1 on any answer that is wrong, any request that is lost for another reason than the
// death of its worker, or memory that grows. usage: soak [--minutes 10]

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const minutes = Number(values.minutes);
const note = (line: string) => process.stdout.write(`${line}\n`);
/** In a shorter run the first growth of the heaps is most of what memory does. */
const memoryMinutesMin = 5;

const ledger = new Ledger();
const ending = new AbortController();
setMaxListeners(0, ending.signal);
const session: Session = { ledger, answers: new KnownAnswers(), ending: ending.signal };
const onLine = (line: string) => {
  if (/internal error|uncaught|unhandled/i.test(line)) {
    ledger.violate('a service logged an error that it did not expect', line);
  }
};

const server = await OwnServer.start(2, { onLine });
const settings = [`--inference-address=127.0.0.1:${server.port}`];
const gateway = await startService('gateway', { settings, onLine });
const restPort = Number(gateway.readyGroups[0]);
const services = { registry: server.registryProcess, inference: server.inferenceProcess, gateway };
const clients = Array.from({ length: 10 }, () => clientOf(`127.0.0.1:${server.port}`));

const watch = new MemoryWatch(() => [
  ...Object.entries(services).map(([name, { pid }]): [number, string] => [pid, name]),
  ...server.pids.slice(1).map((pid): [number, string] => [pid, 'worker']),
]);
let gains: MemoryGain[] = [];
const begin = performance.now();
try {
  await server.publish(seedModel, networkFiles(seedNetwork, 1));
  const [inference, stormy, ...good] = clients as [InferenceClient, InferenceClient, ...InferenceClient[]];
  const tasks: [name: string, task: Promise<void>][] = [
    ...good.slice(0, 4).map((client): [string, Promise<void>] => ['unary', askUnary(session, client)]),
    ...good.slice(4, 6).map((client): [string, Promise<void>] => ['stream', askByStream(session, client)]),
    ...good
      .slice(6, 8)
      .map((client, i): [string, Promise<void>] => ['shared memory', askBySharedMemory(session, client, i)]),
    ['REST', askRest(session, restPort)],
    ...runBadClients({ port: server.port, restPort, inference, stormy }, session),
    ['swaps', swapVersions(server, session, 250)],
    ['loads and unloads', loadAndUnload(server, session, 1_000)],
    ['kills', killWorkers(server, session, 15_000)],
  ];
  const work = tasks.map(([name, task]) =>
    task.catch((error: Error) => ledger.violate(`${name} gave up`, error.stack ?? error.message)),
  );
  const told = setInterval(tell, 30_000);
  await new Promise((resolve) => setTimeout(resolve, minutes * 60_000));
  clearInterval(told);
  ending.abort();
  await allEnded(tasks.map(([name], i) => [name, work[i]!]));
  gains = watch.stop();
} finally {
  for (const client of clients) client.close();
  for (const [name, { ending: how }] of Object.entries(services)) {
    if (how !== null) {
      ledger.violate(`${name} ended in the midst of it`, String(how));
    }
  }
  await gateway.stop();
  await server.stop();
}
judge();

/** Whoever does not come to an end waits for an answer that was lost without a word. */
async function allEnded(tasks: [name: string, task: Promise<void>][]): Promise<void> {
  const waiting = new Set(tasks);
  const ends = tasks.map((entry) => entry[1].then(() => waiting.delete(entry)));
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, 90_000);
  });
  await Promise.race([Promise.all(ends), patience]);
  clearTimeout(timer);
  for (const [name] of waiting) {
    ledger.violate(`${name} waits for an answer that never came`, '');
  }
}

/** With a connection of its own: grpc-js shares connections between clients whose credentials are equal. */
function clientOf(address: string): InferenceClient {
  const credentials = grpc.credentials.createInsecure();
  credentials._equals = (other) => other === credentials;
  return createClient(contracts.inference, address, { credentials });
}

function tell(): void {
  const seconds = (performance.now() - begin) / 1_000;
  const answered = [...ledger.answered.values()].reduce((sum, count) => sum + count, 0);
  note(`${seconds.toFixed(0).padStart(5)} s: ${answered} answers, ${list(ledger.lost) || 'none'} lost`);
}

function judge(): void {
  for (const client of ['unary', 'stream', 'shared memory', 'REST']) {
    if (!ledger.answered.has(client)) {
      ledger.violate(`${client}: not one answer`, '');
    }
  }
  for (const { name, pid, earlyBytes, lateBytes, isFlat } of gains) {
    const words = `${megabytes(earlyBytes)} MB, at last ${megabytes(lateBytes)} MB`;
    note(`memory of ${name} (${pid}): ${words}`);
    if (!isFlat && minutes >= memoryMinutesMin) {
      ledger.violate(`the memory of ${name} grew`, words);
    }
  }
  note(`right answers: ${list(ledger.answered)}`);
  note(`lost with a killed worker: ${list(ledger.lost) || 'none'}`);
  note(`changes: ${list(ledger.changes)}`);
  note(`bad clients: ${list(ledger.refusals)}`);
  for (const [what, { count, first }] of ledger.violations) {
    note(`VIOLATION ${what}, ${count} times: ${first}`);
  }
  note(ledger.violations.size === 0 ? 'held' : 'BROKEN');
  process.exit(ledger.violations.size === 0 ? 0 : 1);
}

function list(counts: Map<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
