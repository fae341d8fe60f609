import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root, run } from '../support/mesh.js';
import { cache, describeWith, install, mustRun, python, type Tool } from './installed-tools.js';
import { classes, networkInput, pixels, TrainedMesh } from './trained-mesh.js';

const version = '2.60.0';
const sources = path.join(root, 'test/conformance/perf_analyzer');
const folder = path.join(cache, `perf_analyzer-${version}`);
const preloaded = path.join(folder, 'missing_symbols.so');

/** Triton's load generator from PyPI. It is linked with a glibc that many systems do not have yet: see `perf_analyzer/`. */
async function perfAnalyzer(): Promise<Tool> {
  const interpreter = await python();
  if ('missing' in interpreter) {
    return interpreter;
  }
  const tool = await install(folder, `perf-analyzer ${version}`, async (draft) => {
    const platform = `--platform=manylinux_2_38_${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`;
    const options = ['--quiet', '--no-deps', '--only-binary=:all:', platform, `--dest=${draft}`];
    await mustRun(interpreter.path, ['-m', 'pip', 'download', ...options, `perf-analyzer==${version}`]);
    const unpack =
      'import glob, sys, zipfile; zipfile.ZipFile(*glob.glob(sys.argv[1] + "/*.whl")).extractall(sys.argv[1])';
    await mustRun(interpreter.path, ['-c', unpack, draft]);
    const program = path.join(draft, 'program');
    const original = path.join(draft, 'perf_analyzer/bin/perf_analyzer');
    await mustRun(interpreter.path, [path.join(sources, 'loosen_versions.py'), original, program]);
    chmodSync(program, 0o755);
    const library = path.join(draft, path.basename(preloaded));
    await mustRun('g++', ['-shared', '-fPIC', '-o', library, path.join(sources, 'missing_symbols.cpp')]);
    renameSync(draft, folder);
  });
  return 'path' in tool ? { path: path.join(folder, 'program') } : tool;
}

describeWith(await perfAnalyzer(), 'perf_analyzer', (program) => {
  let mesh: TrainedMesh;
  beforeAll(async () => {
    mesh = await TrainedMesh.start();
  });
  afterAll(() => mesh?.stop());

  /** Measures 200 requests, whatever their times: the first line of its report, by column. */
  async function analyze(...args: string[]): Promise<Record<string, number>> {
    const report = path.join(mesh.folder, `${args.join('').replaceAll(/[^a-z0-9]/gi, '')}.csv`);
    // Windows, its other way, last a second each at least, and take both cores for as long.
    const enough = ['--request-count=200', '-f', report];
    const server = args.includes('http') ? mesh.address(0) : mesh.address(1);
    const { status, stdout, stderr } = await run(program, ['-m', 'mnist', '-u', server, ...args, ...enough], {
      env: { ...process.env, LD_PRELOAD: preloaded },
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).not.toMatch(/error|failed/i);
    const [names, values] = readFileSync(report, 'utf8').trim().split('\n');
    return Object.fromEntries(names!.split(',').map((name, i) => [name, Number(values!.split(',')[i])]));
  }

  it.each<[string, string[]]>([
    ['by unary calls', ['-i', 'grpc']],
    ['by asynchronous calls, 8 at once', ['-i', 'grpc', '--async', '--concurrency-range=8']],
    ['by a stream', ['-i', 'grpc', '--streaming', '--concurrency-range=4']],
    ['with 16 rows a request', ['-i', 'grpc', '-b', '16']],
    ['by REST', ['-i', 'http', '--concurrency-range=2']],
    ['at a rate of 200 requests a second', ['-i', 'grpc', '--request-rate-range=200']],
  ])('measures %s, with the durations that the server tells', async (_, args) => {
    const figures = await analyze(...args);
    expect(figures['Inferences/Second']).toBeGreaterThan(0);
    expect(figures['p99 latency']).toBeGreaterThan(0);
    expect(figures['Server Compute Infer']).toBeGreaterThan(0);
  });

  it('finds the answers to data of ours to be what our own client got', async () => {
    const input = floats(networkInput(1));
    const output = floats(await mesh.infer(1));
    expect([input.length, output.length]).toEqual([pixels, classes]);
    const data = (answer: number[]) => {
      const file = path.join(mesh.folder, 'data.json');
      // It reads a number without a point or an exponent as another type.
      const list = (values: number[]) => `[${values.map((value) => value.toExponential())}]`;
      writeFileSync(file, `{"data": [{"input": ${list(input)}}], "validation_data": [{"output": ${list(answer)}}]}`);
      return `--input-data=${file}`;
    };
    expect((await analyze('-i', 'grpc', data(output)))['Inferences/Second']).toBeGreaterThan(0);
    await expect(analyze('-i', 'grpc', data([...output].reverse()))).rejects.toThrow(/validat|expected/i);
  });
});

function floats(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}
