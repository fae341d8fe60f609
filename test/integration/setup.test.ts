import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { tempFolder } from '../support/temp-folder.js';

const setup = new URL('../../setup.mjs', import.meta.url);

/** Stands in for npm: makes what each script makes, as `failures/SCRIPT` (a shell script) lets it. */
const fakeNpm = `#!/bin/sh
for script; do :; done
case "$*" in *build:ts*) script=build:ts;; esac
echo "$script" >> calls
case "$1" in ci) script=ci; rm -rf node_modules;; esac
if [ -f "failures/$script" ]; then . "./failures/$script"; fi
case "$script" in
  ci) mkdir -p node_modules/.bin; echo {} > node_modules/.package-lock.json;;
  build:native) mkdir -p native/build/Release; echo addon > native/build/Release/millrace.node;;
  build:types) mkdir -p proto/gen; echo types | tee proto/gen/descriptors.binpb > proto/gen/contracts.json;;
  build:ts) mkdir -p dist.draft/clients/cli; echo code > dist.draft/clients/cli/main.js;;
esac
`;
const fakeApt = '#!/bin/sh\necho "apt-get $*" >> calls\nrm -f failures/build:native\n';

describe('setup.mjs', () => {
  let folder: string;
  const inFolder = (name: string) => path.join(folder, name);

  beforeEach(() => {
    folder = tempFolder();
    copyFileSync(setup, inFolder('setup.mjs'));
    for (const name of [
      'bin',
      'failures',
      ...['proto', 'native', 'services', 'clients', 'test/bench', 'test/support'],
    ]) {
      mkdirSync(inFolder(name), { recursive: true });
    }
    for (const name of ['package-lock.json', 'package.json', 'rolldown.config.mjs']) {
      writeFileSync(inFolder(name), '{}\n');
    }
    writeFileSync(inFolder('native/engine.cpp'), '');
    writeFileSync(inFolder('clients/main.ts'), '');
    const tools = { npm: fakeNpm, 'apt-get': fakeApt, cmake: '#!/bin/sh\n', 'c++': '#!/bin/sh\n', make: '#!/bin/sh\n' };
    for (const [name, script] of Object.entries(tools)) {
      writeFileSync(inFolder(`bin/${name}`), script, { mode: 0o755 });
    }
  });

  /** Runs it as a user of this number; answers what it said and which tools it called. */
  function run(userId = 1_000) {
    rmSync(inFolder('calls'), { force: true });
    const { status, stderr, stdout } = spawnSync(process.execPath, ['setup.mjs'], {
      cwd: folder,
      encoding: 'utf8',
      env: {
        PATH: `${inFolder('bin')}:/usr/bin:/bin`,
        NODE_OPTIONS: `--import=data:text/javascript,process.getuid=()=>${userId}`,
      },
    });
    expect(stdout).toBe('');
    const calls = existsSync(inFolder('calls')) ? readFileSync(inFolder('calls'), 'utf8').trim().split('\n') : [];
    return { status, stderr, calls };
  }

  const fail = (script: string, words: string) =>
    writeFileSync(inFolder(`failures/${script}`), `echo '${words}'; exit 1\n`);
  const everyStep = [expect.stringMatching(/^--loglevel/), 'build:native', 'build:types', 'build:ts'];

  it('names the tools that are missing', () => {
    writeFileSync(inFolder('bin/cmake'), '#!/bin/sh\nexit 127\n', { mode: 0o755 });
    expect(run()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/cmake not found. Install with: /),
      calls: [],
    });
  });

  it('shows why the addon cannot be built, and does not blame BLAS for it', () => {
    fail('build:native', '-- Found BLAS: libopenblas.so. engine.cpp:1: error: no such thing');
    const { status, stderr, calls } = run(0);
    expect(status).toBe(1);
    expect(stderr).toContain('engine.cpp:1: error: no such thing');
    expect(stderr).not.toContain('not found');
    expect(calls.filter((call) => call.startsWith('apt-get'))).toEqual([]);
  });

  it('gives the command to type where BLAS is missing and it may not install', () => {
    fail('build:native', 'CMake Error: BLAS was not found.  Install OpenBLAS and run this again:');
    const { status, stderr, calls } = run();
    expect(status).toBe(1);
    expect(stderr).toContain(
      existsSync('/etc/debian_version') ? 'sudo apt-get install -y libopenblas-dev' : 'brew install',
    );
    expect(calls.at(-1)).toBe('build:native');
  });

  it.runIf(existsSync('/etc/debian_version')).each([
    ['BLAS was not found', 'libopenblas-dev'],
    ['libjpeg was not found', 'libjpeg-dev'],
  ])('installs where it may, and goes on: %s', (words, name) => {
    fail('build:native', `CMake Error: ${words}.  Install it and run this again:`);
    const { status, calls } = run(0);
    expect(status).toBe(0);
    expect(calls).toContain(`apt-get install -y -q ${name}`);
    expect(existsSync(inFolder('dist/clients/cli/main.js'))).toBe(true);
  });

  it('does every step once, and nothing the second time', () => {
    expect(run()).toMatchObject({ status: 0, calls: everyStep });
    expect(run()).toEqual({ status: 0, stderr: '', calls: [] });
  });

  it('goes on with the step that failed, and leaves what was built before in place', () => {
    run();
    appendFileSync(inFolder('clients/main.ts'), '// changed\n');
    fail('build:ts', 'main.ts:1: error');
    expect(run()).toMatchObject({ status: 1, calls: ['build:types', 'build:ts'] });
    expect(existsSync(inFolder('dist/clients/cli/main.js'))).toBe(true);
    rmSync(inFolder('failures/build:ts'));
    expect(run()).toMatchObject({ status: 0, calls: ['build:types', 'build:ts'] });
  });

  it('installs anew when package-lock.json has changed', () => {
    run();
    writeFileSync(inFolder('package-lock.json'), '{"changed": true}\n');
    expect(run()).toMatchObject({ status: 0, calls: everyStep });
  });

  it('generates again what somebody removed', () => {
    run();
    rmSync(inFolder('proto/gen'), { recursive: true });
    expect(run()).toMatchObject({ status: 0, calls: ['build:types', 'build:ts'] });
  });
});
