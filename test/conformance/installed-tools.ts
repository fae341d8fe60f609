import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { describe } from 'vitest';
import { type Finished, root, run } from '../support/mesh.js';
import { waitForLock } from '../support/wait-for-lock.js';

/** A program made by others: where it is, or why it is missing. */
export type Tool = { path: string } | { missing: string };

/** Of this checkout: what is built from its sources. */
export const cache = path.join(root, '.cache/conformance');
/** Of the user: what is the same for all checkouts, as the caches of Go, Maven and Cargo are. */
export const userCache = path.join(
  process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
  'millrace-conformance',
);
const here = path.join(root, 'test/conformance');

const goModules = {
  grpcurl: { module: 'github.com/fullstorydev/grpcurl/cmd/grpcurl', version: 'v1.9.3' },
  'grpc-health-probe': { module: 'github.com/grpc-ecosystem/grpc-health-probe', version: 'v0.4.58' },
  versitygw: { module: 'github.com/versity/versitygw/cmd/versitygw', version: 'v1.8.0' },
  h2spec: { module: 'github.com/summerwind/h2spec/cmd/h2spec', version: 'v2.2.1+incompatible' },
};

/** A Go program at its pinned version, built from the module proxy when it is not there yet. */
export function goTool(name: keyof typeof goModules): Promise<Tool> {
  const { module, version } = goModules[name];
  const program = path.join(userCache, 'bin', `${name}-${version}`);
  return install(program, `go install ${module}@${version}`, async (draft) => {
    await mustRun('go', ['install', `${module}@${version}`], { ...process.env, GOBIN: draft });
    mkdirSync(path.dirname(program), { recursive: true });
    renameSync(path.join(draft, name), program);
  });
}

/** curl as the system has it. */
export async function curl(): Promise<Tool> {
  try {
    await mustRun('curl', ['--version']);
    return { path: 'curl' };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

/** A Python with the packages of `requirements.txt`. */
export async function python(): Promise<Tool> {
  const requirements = path.join(here, 'requirements.txt');
  const key = createHash('sha256').update(readFileSync(requirements));
  try {
    key.update((await run('python3', ['--version'])).stdout);
  } catch (error) {
    return { missing: `python3 cannot be run (${(error as Error).message})` };
  }
  const environment = path.join(userCache, `python-${key.digest('hex').slice(0, 12)}`);
  const mark = path.join(environment, 'whole');
  const isCurrent = () => existsSync(mark);
  const interpreter = path.join(environment, 'bin/python');
  const work = async () => {
    // An environment knows its own path: it is made in place, and its mark says that it is whole.
    rmSync(environment, { recursive: true, force: true });
    await mustRun('python3', ['-m', 'venv', environment]);
    const options = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:'];
    await mustRun(interpreter, ['-m', 'pip', 'install', ...options, '-r', requirements]);
    writeFileSync(mark, '');
  };
  // The lock of the environment is beside it: what is in it is removed.
  const tool = await install(environment, 'pip install -r test/conformance/requirements.txt', work, isCurrent);
  return 'missing' in tool ? tool : { path: interpreter };
}

/** Python code for `millrace.v1`, generated from `proto/` as any user would: the folder to put on the module path. */
export async function pythonStubs(interpreter: string): Promise<string> {
  const stubs = path.join(cache, 'stubs');
  const mark = path.join(stubs, 'sources.txt');
  const sources = ['millrace/v1', 'google/rpc'].flatMap((folder) =>
    readdirSync(path.join(root, 'proto', folder)).map((file) => `${folder}/${file}`),
  );
  const wanted = sources.map((file) => readFileSync(path.join(root, 'proto', file), 'utf8')).join('\n');
  const isCurrent = () => existsSync(mark) && readFileSync(mark, 'utf8') === wanted;
  const tool = await install(
    stubs,
    'grpc_tools.protoc',
    async (draft) => {
      const outputs = [`--python_out=${draft}`, `--grpc_python_out=${draft}`];
      await mustRun(interpreter, ['-m', 'grpc_tools.protoc', '-I', 'proto', ...outputs, ...sources]);
      writeFileSync(path.join(draft, path.basename(mark)), wanted);
      rmSync(stubs, { recursive: true, force: true });
      cpSync(draft, stubs, { recursive: true });
    },
    isCurrent,
  );
  if ('missing' in tool) {
    throw new Error(tool.missing);
  }
  return tool.path;
}

/**
 * A group of tests that needs a tool. Where it cannot be had, they are skipped and the reason is printed; with
 * `MILLRACE_CONFORMANCE=required` they fail instead.
 */
export function describeWith(tool: Tool, name: string, body: (program: string) => void): void {
  if ('path' in tool) {
    describe(name, () => body(tool.path));
    return;
  }
  if (process.env.MILLRACE_CONFORMANCE === 'required') {
    throw new Error(tool.missing);
  }
  console.warn(`Skipped, ${name}: ${tool.missing}`);
  describe.skip(`${name} (${tool.missing})`, () => body(''));
}

/**
 * Does `work` unless its product is there. Test files start at the same time: one of them works, the others wait for it.
 *
 * @param work gets an empty folder that is removed afterwards
 */
export async function install(
  product: string,
  what: string,
  work: (draft: string) => Promise<void>,
  isCurrent = () => existsSync(product),
): Promise<Tool> {
  if (isCurrent()) {
    return { path: product };
  }
  const lock = await waitForLock(`${product}.lock`);
  const draft = `${product}.draft`;
  try {
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    if (!isCurrent()) {
      process.stderr.write(`conformance: ${what}\n`);
      await work(draft);
    }
    return { path: product };
  } catch (error) {
    if (error instanceof ToolFailure) {
      return { missing: `${what}: ${error.message}` };
    }
    throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
    lock.release();
  }
}

/** The machine lacks a language, or its package registry cannot be reached. */
class ToolFailure extends Error {}

/** Runs a step of an installation to its end; where it fails the tool counts as missing. */
export async function mustRun(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
  cwd = root,
): Promise<void> {
  let finished: Finished;
  try {
    finished = await run(command, args, { env, cwd });
  } catch (error) {
    throw new ToolFailure(`${command} cannot be run (${(error as Error).message})`, { cause: error });
  }
  const { status, stderr } = finished;
  if (status !== 0) {
    throw new ToolFailure(`${command} ended with status ${status}: ${stderr.trim().split('\n').at(-1)}`);
  }
}
