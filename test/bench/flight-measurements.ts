import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { python } from '../conformance/installed-tools.js';
import { millrace as command, mnistFolder, root, TestMesh } from '../support/mesh.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';
import type { Measurement } from './main.js';
import { compare, type Figure, lastJson } from './trial.js';

const columns = 32;
const rows = 2_000_000;
const doGetTargetMegabytes = 400;
const mnistTargetSeconds = 0.5;
const scripts = path.join(root, 'test/bench');

/** Arrow Flight: out to pyarrow, and in to training. */
export async function flightMeasurements(trials: number, note: (line: string) => void): Promise<Measurement[]> {
  const folder = tempFolder();
  const mesh = await TestMesh.start(path.join(folder, 'data'));
  try {
    return [await mnist(mesh.portBase, trials), ...(await toPyarrow(mesh.portBase + 5, trials, note))];
  } finally {
    await mesh.stop();
    removeTempFolders();
  }
}

/** From a dataset to the tensors that the engine takes: the pipeline is fitted, and the rows of all splits are fetched. */
async function mnist(portBase: number, trials: number): Promise<Measurement> {
  const imported = await command('data', 'import', 'mnist', mnistFolder, `--port-base=${portBase}`);
  if (imported.status !== 0) {
    throw new Error(`the import failed: ${imported.stderr}`);
  }
  const program = fileURLToPath(new URL('flight-mnist.js', import.meta.url));
  const contender = {
    name: 'Millrace',
    command: process.execPath,
    args: [program, String(portBase + 5)],
    figure: (stdout: string) => lastJson<{ seconds: number }>(stdout).seconds,
  };
  // The service is warm, as it is for all jobs but its first; each client is a fresh process.
  await compare([contender], 1);
  const [ours] = await compare([contender], trials);
  return {
    work: 'MNIST from dataset to training tensors through Flight, 70,000 images as uint8',
    unit: 's',
    figures: [ours!],
    target: `under ${mnistTargetSeconds} s`,
    reached: ours!.median < mnistTargetSeconds,
  };
}

/** The same table from our server and from one of pyarrow's own, which has it in memory. */
async function toPyarrow(port: number, trials: number, note: (line: string) => void): Promise<Measurement[]> {
  const tool = await python();
  if ('missing' in tool) {
    note(`DoGet to pyarrow is not measured: ${tool.missing}`);
    return [];
  }
  const table = [String(columns), String(rows)];
  const peer = await startPeer(tool.path, table);
  try {
    const reader = (name: string, serverPort: number) => ({
      name,
      command: tool.path,
      args: [path.join(scripts, 'flight_get.py'), String(serverPort), ...table],
      figure: (stdout: string) => lastJson<{ megabytesPerSecond: number }>(stdout).megabytesPerSecond,
    });
    const figures = await compare([reader('Millrace', port), reader("pyarrow's own server", peer.port)], trials);
    return [doGetMeasurement(figures)];
  } finally {
    await peer.stop();
  }
}

function doGetMeasurement(figures: Figure[]): Measurement {
  return {
    work: `DoGet to pyarrow, ${columns} columns of float32, ${(columns * rows * 4) / 1e6} MB`,
    unit: 'MB/s',
    figures,
    target: `at least ${doGetTargetMegabytes} MB/s`,
    reached: figures[0]!.median >= doGetTargetMegabytes,
  };
}

async function startPeer(interpreter: string, table: string[]): Promise<{ port: number; stop: () => Promise<void> }> {
  const args = [path.join(scripts, 'flight_peer.py'), ...table];
  const child = spawn(interpreter, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    port: Number(line),
    async stop() {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}
