import { parseArgs } from 'node:util';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';
import { nodeEcho, seedBody } from './serving/contenders.js';
import { checked, saturate, stream, type Target } from './serving/loads.js';
import { networkFiles, seedNetwork } from './serving/networks.js';
import { OwnServer } from './serving/own-server.js';
import { processorSeconds } from './serving/process-usage.js';
import { profileClock, readProfile } from './serving/profile.js';
import { seedModel } from './serving/requests.js';

// Where the processor time of a request goes in one serving process: in all, beside a server that only echoes; then by what spends it,
// from V8's profiler, which counts only the thread of the event loop.
// usage: serving-profile [--rows 1] [--connections 4] [--in-flight 16] [--stream] [--top 25]

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1' },
    connections: { type: 'string', default: '4' },
    'in-flight': { type: 'string', default: '16' },
    stream: { type: 'boolean', default: false },
    top: { type: 'string', default: '25' },
  },
});
const body = seedBody(Number(values.rows));
const shape = { connections: Number(values.connections), inFlight: Number(values['in-flight']) };

interface Cost {
  requestsPerSecond: number;
  microseconds: number;
}

/** Loads a server until it is warm, then for some seconds more. */
async function cost(target: Target, pids: number[], isStream = false): Promise<Cost & { begin: number }> {
  const requests = Math.round((await saturate(target, shape)) * 5);
  const before = processorSeconds(pids);
  const begin = profileClock();
  const requestsPerSecond = isStream
    ? await stream(target, requests / 2)
    : (await checked({ ...target, ...shape, requests }, null)).requestsPerSecond;
  return { requestsPerSecond, microseconds: ((processorSeconds(pids) - before) / requests) * 1e6, begin };
}

/** @param nodeArgs of its Node */
async function ours(nodeArgs: string[]) {
  const server = await OwnServer.start(1, { nodeArgs });
  try {
    await server.publish(seedModel, networkFiles(seedNetwork, 1));
    const measured = await cost({ port: server.port, body }, server.pids, values.stream);
    return { ...measured, end: profileClock() };
  } finally {
    await server.stop();
  }
}

async function echo(): Promise<Cost> {
  const peer = await nodeEcho(1).start();
  try {
    return await cost({ port: peer.port, body }, peer.pids);
  } finally {
    await peer.stop();
  }
}

const print = (line: string) => process.stdout.write(`${line}\n`);
const row = (share: number, microseconds: number, name: string) =>
  print(`${(100 * share).toFixed(1).padStart(6)} %  ${(share * microseconds).toFixed(1).padStart(7)} us  ${name}`);

const [plain, peer] = [await ours([]), await echo()];
for (const [name, { requestsPerSecond, microseconds }] of Object.entries({ Millrace: plain, 'grpc-js echo': peer })) {
  print(`${name}: ${requestsPerSecond.toFixed(0)} requests/s, ${microseconds.toFixed(1)} us of processor time each`);
}
print(`ratio of processor time ${(plain.microseconds / peer.microseconds).toFixed(3)}`);

const folder = tempFolder();
const profiled = await ours(['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=200']);
const costs = readProfile(folder, profiled.begin, profiled.end);
print(`\nBy what spends it, in microseconds as without the profiler (with it ${profiled.microseconds.toFixed(1)}):`);
for (const [name, share] of costs.byKind) row(share, plain.microseconds, name);
print('\nBy function:');
for (const [name, share] of costs.byFunction.slice(0, Number(values.top))) row(share, plain.microseconds, name);
removeTempFolders();
