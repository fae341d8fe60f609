import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from '../../support/mesh.js';
import { tempFolder } from '../../support/temp-folder.js';
import { median } from '../trial.js';

export interface Load {
  port: number;
  /** A framed message. */
  body: Uint8Array;
  requests: number;
  connections: number;
  /** On each connection. */
  inFlight: number;
  /** Requests a second, over all connections. Default: as many as the server takes. */
  rate?: number;
  /** Keeps the time of each request; the client has less time for the load then. */
  timed?: boolean;
}

export interface LoadResult {
  requestsPerSecond: number;
  /** Bytes of the answers' messages; an error has none, though its HTTP status is 200. */
  dataBytes: number;
  /** Of single requests, us; null if not timed. */
  latency: { mean: number; median: number; p99: number } | null;
}

const method = '/inference.GRPCInferenceService/ModelInfer';

/** Loads a server with one request again and again. @throws when a request fails */
export async function h2load({ port, body, requests, connections, inFlight, ...load }: Load): Promise<LoadResult> {
  const folder = tempFolder();
  const bodyFile = path.join(folder, 'request.bin');
  const logFile = path.join(folder, 'log.tsv');
  writeFileSync(bodyFile, body);
  const args = ['-d', bodyFile, '-H', 'content-type: application/grpc', '-H', 'te: trailers'];
  args.push('-n', String(requests), '-c', String(connections), '-m', String(inFlight));
  // A request that is never answered shall fail, not wait.
  args.push('--connection-inactivity-timeout=60s');
  if (load.rate !== undefined) {
    args.push(`--rps=${load.rate / connections}`);
  }
  if (load.timed) {
    args.push(`--log-file=${logFile}`);
  }
  const { status, stdout, stderr } = await run('h2load', [...args, `http://127.0.0.1:${port}${method}`]);
  const succeeded = /(\d+) succeeded/.exec(stdout)?.[1];
  const rate = /finished in .*?, ([\d.]+) req\/s/.exec(stdout)?.[1];
  const dataBytes = /\((\d+)\) data/.exec(stdout)?.[1];
  if (status !== 0 || Number(succeeded) !== requests || !rate || !dataBytes) {
    throw new Error(`h2load on port ${port} failed: ${stdout}${stderr}`);
  }
  const latency = load.timed ? readLatency(logFile) : null;
  rmSync(folder, { recursive: true });
  return { requestsPerSecond: Number(rate), dataBytes: Number(dataBytes), latency };
}

function readLatency(file: string): { mean: number; median: number; p99: number } {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const times = Float64Array.from(lines, (line) => Number(line.split('\t')[2])).sort();
  return {
    mean: times.reduce((sum, value) => sum + value, 0) / times.length,
    median: median([...times]),
    p99: times[Math.ceil(times.length * 0.99) - 1]!,
  };
}
