import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, run } from '../../support/mesh.js';
import { tempFolder } from '../../support/temp-folder.js';
import { lastJson } from '../trial.js';
import { h2load, type Load, type LoadResult } from './h2load.js';
import { processorSeconds } from './process-usage.js';

/** A server's port, and a framed request for it. */
export interface Target {
  port: number;
  body: Uint8Array;
}

const warmUpSeconds = 2;
export const measuredSeconds = 4;
const many = { connections: 4, inFlight: 16 };

type Shape = Pick<Load, 'connections' | 'inFlight'>;

/** Requests a second with 64 under way, or as many as told. */
export async function saturate(target: Target, shape: Shape = many): Promise<number> {
  const { load, answerBytes } = await warm(target, shape);
  return (await checked(load, answerBytes)).requestsPerSecond;
}

/** The same, and the processor time that the server's processes use for a request, us: it hardly depends on other load. */
export async function saturateCosted(
  target: Target & { pids: number[] },
): Promise<{ rate: number; processor: number }> {
  const { load, answerBytes } = await warm(target, many);
  const before = processorSeconds(target.pids);
  const { requestsPerSecond } = await checked(load, answerBytes);
  return { rate: requestsPerSecond, processor: ((processorSeconds(target.pids) - before) / load.requests) * 1e6 };
}

/** Loads the server until its code is compiled. @returns the load that is to be measured */
async function warm({ port, body }: Target, shape: Shape): Promise<{ load: Load; answerBytes: number }> {
  const load = { port, body, ...shape };
  const answerBytes = (await checked({ ...load, requests: 1, connections: 1 }, null)).dataBytes;
  const first = await checked({ ...load, requests: 400 }, answerBytes);
  const second = await checked({ ...load, requests: countFor(first, warmUpSeconds) }, answerBytes);
  return { load: { ...load, requests: countFor(second, measuredSeconds) }, answerBytes };
}

const countFor = ({ requestsPerSecond }: LoadResult, seconds: number) =>
  Math.max(400, Math.round(requestsPerSecond * seconds));

/** Mean time of a request with one under way, us. */
export async function alone(target: Target): Promise<number> {
  const load = { ...target, connections: 1, inFlight: 1 };
  await checked({ ...load, requests: 2_000 }, null);
  return (await checked({ ...load, requests: 4_000, timed: true }, null)).latency!.mean;
}

/** p99 and median of the requests' time at a steady rate, us. */
export async function atRate(target: Target, rate: number): Promise<{ p99: number; median: number }> {
  const requests = Math.round(rate * measuredSeconds);
  return (await checked({ ...target, connections: 4, inFlight: 64, requests, rate, timed: true }, null)).latency!;
}

/** As `h2load`; also an error of gRPC, whose HTTP status is 200, fails it. @param answerBytes of one; null: as told by one */
export async function checked(load: Load, answerBytes: number | null): Promise<LoadResult> {
  const each = answerBytes ?? (await h2load({ ...load, requests: 1, connections: 1 })).dataBytes;
  const result = await h2load(load);
  if (each === 0 || result.dataBytes !== each * load.requests) {
    throw new Error(
      `the server on port ${load.port} answered ${load.requests} requests with ${result.dataBytes} bytes`,
    );
  }
  return result;
}

/** Requests a second of one stream on one connection, with 64 under way, after as many again to warm up. */
export async function stream({ port, body }: Target, requests: number): Promise<number> {
  const file = path.join(tempFolder(), 'request.bin');
  writeFileSync(file, body);
  const script = path.join(root, 'dist/test/bench/serving-stream.js');
  const counts = [Math.ceil(requests), Math.ceil(requests), 64].map(String);
  const { status, stdout, stderr } = await run(process.execPath, [script, String(port), file, ...counts]);
  if (status !== 0) {
    throw new Error(`the stream failed: ${stderr.slice(-1_000)}`);
  }
  return lastJson<{ requestsPerSecond: number }>(stdout).requestsPerSecond;
}
