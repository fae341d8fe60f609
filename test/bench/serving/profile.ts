import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../../support/mesh.js';

interface Frame {
  functionName: string;
  url: string;
  lineNumber: number;
  columnNumber: number;
}

interface Profile {
  nodes: { id: number; callFrame: Frame }[];
  startTime: number;
  endTime: number;
  samples: number[];
  timeDeltas: number[];
}

/** Shares of the time that the event loop's thread was busy, the largest first. */
export interface Costs {
  byKind: [kind: string, share: number][];
  byFunction: [name: string, share: number][];
}

/** What spends the time, by the file that a function is in. The first that fits decides. */
const kinds: [kind: string, files: RegExp][] = [
  ['grpc-js', /@grpc\/grpc-js/],
  ['codec', /protobufjs|@grpc\/proto-loader|^proto\//],
  ['batching', /^services\/inference\/(batch|work-queue|request-queue)/],
  ['metrics and statistics', /prom-client|^services\/platform\/metrics|^services\/inference\/.*(metrics|statistic)/],
  ['HTTP/2', /^services\/platform\/http2\//],
  ['gRPC: calls and messages', /^services\/platform\//],
  ['inference', /^services\/inference\//],
  ['engine', /^native\//],
  ['Node: sockets and streams', /^node:(internal\/)?(http2|net|stream|js_stream)/],
  ['Node: others', /^node:/],
];

/** The clock of V8's profiles, which is the same in all processes, us. */
export const profileClock = () => Number(process.hrtime.bigint() / 1_000n);

/** Reads the one profile in the folder, from `begin` to `end` on `profileClock`. */
export function readProfile(folder: string, begin: number, end: number): Costs {
  const [file] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  if (!file) {
    throw new Error('Node left no profile');
  }
  const { nodes, samples, timeDeltas, startTime } = JSON.parse(
    readFileSync(path.join(folder, file), 'utf8'),
  ) as Profile;
  const timeOf = new Map<number, number>();
  let at = startTime;
  for (const [i, id] of samples.entries()) {
    at += timeDeltas[i]!;
    if (at >= begin && at <= end) {
      // A sample stands for the time until the next.
      timeOf.set(id, (timeOf.get(id) ?? 0) + (timeDeltas[i + 1] ?? 0));
    }
  }
  const byKind = new Map<string, number>();
  const byFunction = new Map<string, number>();
  for (const { id, callFrame } of nodes) {
    const time = timeOf.get(id) ?? 0;
    if (time > 0 && callFrame.functionName !== '(idle)') {
      const [kind, name] = place(callFrame);
      byKind.set(kind, (byKind.get(kind) ?? 0) + time);
      byFunction.set(name, (byFunction.get(name) ?? 0) + time);
    }
  }
  return { byKind: shares(byKind), byFunction: shares(byFunction) };
}

function shares(times: Map<string, number>): [string, number][] {
  const total = [...times.values()].reduce((sum, time) => sum + time, 0);
  return [...times].map(([name, time]): [string, number] => [name, time / total]).sort((a, b) => b[1] - a[1]);
}

/** The kind of work, and a name with its file. */
function place({ functionName, url, lineNumber, columnNumber }: Frame): [kind: string, name: string] {
  if (functionName === '(garbage collector)') {
    return ['garbage collection', functionName];
  }
  if (url === '') {
    // Without a file: the addon's functions, those of Node in C++, and what runs outside of JavaScript.
    const isEngine = /^(predict|execute)/.test(functionName);
    return [isEngine ? 'engine' : 'Node and V8: C++', functionName];
  }
  const source = url.startsWith('file:') ? sourceOf(url, lineNumber, columnNumber) : { file: url, line: lineNumber };
  const name = `${functionName || '(anonymous)'}  ${source.file.split('node_modules/').at(-1)}:${source.line + 1}`;
  return [kinds.find(([, files]) => files.test(source.file))?.[0] ?? 'others', name];
}

const maps = new Map<string, SourceMap | null>();

/** Where a function of a bundle was written. */
function sourceOf(url: string, line: number, column: number): { file: string; line: number } {
  const bundle = fileURLToPath(url);
  if (!maps.has(bundle)) {
    const file = `${bundle}.map`;
    maps.set(bundle, existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8'))) : null);
  }
  const entry = maps.get(bundle)?.findEntry(line, column);
  if (!entry || !('originalSource' in entry)) {
    return { file: path.relative(root, bundle), line };
  }
  const file = path.relative(root, path.resolve(path.dirname(bundle), entry.originalSource));
  return { file, line: entry.originalLine };
}
