import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { root } from '../support/mesh.js';
import { shortLivedJava } from './flight-program.js';
import { cache, install, mustRun, python, type Tool, userCache } from './installed-tools.js';

export type Language = 'go' | 'java' | 'python' | 'rust';

/** What a build leaves in a client's folder: kept, so that the next build has less to do. */
const buildFolders = ['gen', 'target', 'generated'];
/** Only what is needed to build a client: it must not lean on the rest of the checkout. */
const checkout = path.join(cache, 'checkout');

/** A program of `clients/`, built by the first command of its README in a copy of its folder: where the copy is. */
export async function builtClient(language: Language): Promise<Tool> {
  const folder = path.join(checkout, 'clients', language);
  const begin = Date.now();
  const build = async () => {
    copyFresh(path.join(root, 'clients', language), folder);
    copyFresh(path.join(root, 'proto'), path.join(checkout, 'proto'));
    const packages = path.join(checkout, 'node_modules');
    if (!existsSync(packages)) {
      symlinkSync(path.join(root, 'node_modules'), packages);
    }
    await mustRun('bash', ['-c', commands(language).build], await environment(language), folder);
    process.stderr.write(`conformance: built clients/${language} in ${Math.round((Date.now() - begin) / 1000)} s\n`);
  };
  // The language's own tool knows best what is current.
  return install(folder, `build clients/${language}`, build, () => false);
}

/** What a client printed: a JSON object a line. */
export type Line = { call: string } & Record<string, unknown>;

/** A client that runs by the second command of its README. */
export class RunningClient {
  readonly lines: Line[] = [];
  /** Its end; refused when that is not a good one. */
  readonly ended: Promise<void>;
  #waiting: (() => void)[] = [];

  private constructor(command: string, child: ChildProcessByStdio<null, Readable, Readable>) {
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      // Maven puts codes for a terminal's colours before and after.
      if (line.includes('{')) {
        this.lines.push(JSON.parse(line.slice(line.indexOf('{'))));
        this.#wake();
      }
    });
    this.ended = once(child, 'close').then(([status]) => {
      this.#wake();
      if (status !== 0) {
        throw new Error(`${command} ended with status ${status}: ${errors}`);
      }
    });
  }

  static async start(language: Language, images: string, portBase: number): Promise<RunningClient> {
    const command = commands(language).run.replace('images.u8', images).replace('8000', String(portBase));
    const cwd = path.join(checkout, 'clients', language);
    const env = await environment(language);
    return new RunningClient(command, spawn('bash', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Waits until it has printed a line that `accepts`, or fails with it. */
  async prints(accepts: (line: Line) => boolean): Promise<void> {
    const printed = async () => {
      for (let next = 0; ; next++) {
        while (next === this.lines.length) {
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        }
        if (accepts(this.lines[next]!)) {
          return;
        }
      }
    };
    const early = this.ended.then(() => Promise.reject(new Error(`a client ended after ${this.lines.length} lines`)));
    await Promise.race([printed(), early]);
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) {
      resolve();
    }
  }
}

function commands(language: Language): { build: string; run: string } {
  const readme = readFileSync(path.join(root, 'clients', language, 'README.md'), 'utf8');
  const [, build, run] = /^ {4}(.+)\n {4}(.*images\.u8 8000.*)$/m.exec(readme) ?? [];
  if (!build || !run) {
    throw new Error(`clients/${language}/README.md does not say how to build and run it`);
  }
  return { build, run };
}

/**
 * Python is the one that has the packages; a program that runs once needs no debugging information. What Cargo compiles of
 * others' crates is kept for the next checkout, as Go and Maven do by themselves.
 */
async function environment(language: Language): Promise<NodeJS.ProcessEnv> {
  const interpreter = language === 'python' && (await python());
  if (interpreter && 'path' in interpreter) {
    return { ...process.env, PATH: `${path.dirname(interpreter.path)}:${process.env.PATH}` };
  }
  return {
    CARGO_TARGET_DIR: path.join(userCache, 'cargo'),
    CARGO_PROFILE_DEV_DEBUG: '0',
    MAVEN_OPTS: shortLivedJava.join(' '),
    ...process.env,
  };
}

function copyFresh(source: string, target: string): void {
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(target)) {
    if (!buildFolders.includes(name)) {
      rmSync(path.join(target, name), { recursive: true });
    }
  }
  for (const name of readdirSync(source)) {
    if (!buildFolders.includes(name)) {
      cpSync(path.join(source, name), path.join(target, name), { recursive: true, preserveTimestamps: true });
    }
  }
}
