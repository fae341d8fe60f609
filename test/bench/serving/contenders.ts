import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { freePortBase, mnistFolder, root } from '../../support/mesh.js';
import { tempFolder } from '../../support/temp-folder.js';
import { seedOnnx } from '../seed-onnx.js';
import { buildEchoServer } from './echo-build.js';
import { framed, rawRequest, seedInputs, seedModel, testImages } from './requests.js';
import { ServerProcess } from './server-process.js';

/** A server that answers the seed network's request, or pretends to. */
export interface Peer {
  name: string;
  start(): Promise<RunningPeer>;
}

export interface RunningPeer {
  port: number;
  /** One row, framed. */
  body: Uint8Array;
  pids: number[];
  stop(): Promise<void>;
}

export const cores = availableParallelism();
export const seedBody = (rows: number): Buffer => framed(rawRequest(seedModel, seedInputs, testImages(rows)));

/** A server in Node that only echoes. */
export function nodeEcho(processes: number): Peer {
  const script = path.join(root, 'dist/test/bench/serving-echo.js');
  const kind = processes === 1 ? '1 process' : `${processes} processes`;
  return echo(`grpc-js echo, ${kind}`, async (port) => ({
    command: process.execPath,
    args: [script, String(port), String(processes)],
  }));
}

/** A server in C++ that only echoes; the text says why there is none. */
export async function cppEcho(): Promise<Peer | string> {
  const built = await buildEchoServer();
  return 'reason' in built
    ? built.reason
    : echo('C++ gRPC echo', async (port) => ({ command: built.program, args: [String(port), String(cores)] }));
}

function echo(name: string, program: (port: number) => Promise<{ command: string; args: string[] }>): Peer {
  return {
    name,
    start: async () => {
      const port = await freePortBase();
      const server = await ServerProcess.start({ ...(await program(port)), ready: /^listening$/m });
      return running(server, port, seedBody(1));
    },
  };
}

function running(server: ServerProcess, port: number, body: Uint8Array): RunningPeer {
  return {
    port,
    body,
    get pids() {
      return server.pids;
    },
    stop: () => server.stop(),
  };
}

/**
 * A server of the peers' folder; the text says why there is none. Its script starts it and calls `load.sh PORT REQUEST_FILE`
 * beside it to load it. Ours says in that place that the server is there, and keeps it until standard input ends: so it is loaded
 * as all others are.
 */
export function scriptPeer(name: 'triton' | 'mlserver'): Peer | string {
  const { MILLRACE_PEERS: environments, MILLRACE_PEER_SCRIPTS: scripts } = process.env;
  if (!environments || !scripts) {
    return `${name} is not measured: MILLRACE_PEERS and MILLRACE_PEER_SCRIPTS are not set`;
  }
  const script = `serve_${name}.sh`;
  const needed = [path.join(environments, name), path.join(environments, 'clients'), path.join(scripts, script)];
  const missing = needed.find((file) => !existsSync(file));
  if (missing) {
    return `${name} is not measured: ${missing} is missing`;
  }
  const work = tempFolder();
  const onnx = path.join(work, 'seed.onnx');
  writeFileSync(onnx, seedOnnx());
  const args = [withOwnLoad(scripts, script), environments, work, ...(name === 'triton' ? [onnx] : [])];
  const env = { MNIST_DIR: mnistFolder };
  return {
    name,
    start: async () => {
      const ready = /^serving (\d+) (.+)$/m;
      const server = await ServerProcess.start({ command: 'sh', args, env, ready, endsWith: 'input' });
      const [port, bodyFile] = server.readyGroups;
      // The script gives it some seconds, which on a busy machine are too few.
      await untilOpen(Number(port));
      return running(server, Number(port), readFileSync(bodyFile!));
    },
  };
}

async function untilOpen(port: number): Promise<void> {
  const isOpen = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      }).once('error', () => resolve(false));
    });
  const end = Date.now() + 120_000;
  while (!(await isOpen())) {
    if (Date.now() > end) {
      throw new Error(`nobody listens on port ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** The scripts in a new folder, with our `load.sh` among them. @returns the path of `script` there */
function withOwnLoad(scripts: string, script: string): string {
  const folder = tempFolder();
  for (const name of readdirSync(scripts).filter((file) => file !== 'load.sh')) {
    symlinkSync(path.join(scripts, name), path.join(folder, name));
  }
  writeFileSync(path.join(folder, 'load.sh'), '#!/bin/sh\necho "serving $1 $2"\nexec cat >/dev/null\n', {
    mode: 0o755,
  });
  return path.join(folder, script);
}
