import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { contracts, createClient } from '../../proto/index.js';
import { freePortBase, millrace, root, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';

const services = ['registry', 'preprocessing', 'training', 'inference', 'gateway'];
const folder = tempFolder();
/** Started where the port was taken before, and used by the tests that follow: a start costs five seconds of a core. */
let mesh: TestMesh;
afterAll(() => mesh?.stop());

async function refused(...args: string[]): Promise<string> {
  const { status, stderr, stdout } = await millrace('up', ...args);
  expect(stdout).toBe('');
  expect(status).toBe(2);
  return stderr;
}

describe('millrace up', () => {
  it('refuses a setting that does not exist', async () => {
    expect(await refused('--prot-base=9000')).toContain('--prot-base');
  });

  it('refuses a port base that is no port', async () => {
    expect(await refused('--port-base=70000')).toContain('portBase');
  });

  it('refuses an address that others can reach, unless told that it is insecure', async () => {
    expect(await refused('--host=0.0.0.0')).toContain('--insecure');
  });

  it('refuses a configuration file with a misspelled key', async () => {
    const file = path.join(folder, 'millrace.yaml');
    writeFileSync(file, 'dataDirectory: x\n');
    expect(await refused(`--config=${file}`)).toContain('dataDirectory');
  });

  it('names the port that is taken, and leaves nothing running', async () => {
    const portBase = await freePortBase();
    // Services that look for the registry there are turned away: closing waits for connections that nobody reads.
    const server = createServer((socket) => socket.destroy()).listen(portBase + 3, '127.0.0.1');
    const dataDir = path.join(folder, 'taken');
    try {
      expect(await refused(`--data-dir=${dataDir}`, `--port-base=${portBase}`)).toContain(
        `Port ${portBase + 3} on 127.0.0.1 is taken`,
      );
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    mesh = await TestMesh.start(dataDir, portBase);
  });

  it('refuses a second mesh on the same data folder and leaves the first one alone', async () => {
    const { dataDir } = mesh;
    const other = await freePortBase();
    expect(await refused(`--data-dir=${dataDir}`, `--port-base=${other}`)).toContain(`${dataDir} is in use`);
    const listed = await millrace('models', 'list', '--json', `--port-base=${mesh.portBase}`);
    expect(listed).toMatchObject({ status: 0, stdout: '[]\n' });
  });

  it('is ready when every service serves', async () => {
    const statuses = [1, 3, 4, 5].map(async (offset) => {
      const health = createClient(contracts.health, `127.0.0.1:${mesh.portBase + offset}`);
      const { status } = await health.check({});
      health.close();
      return status;
    });
    expect(new Set(await Promise.all(statuses))).toEqual(new Set(['SERVING']));
    expect((await fetch(`http://127.0.0.1:${mesh.portBase}/v2/health/ready`)).status).toBe(200);
  });

  it('restarts a service that is killed, and that one alone', async () => {
    const before = services.map((name) => mesh.pidOf(name));
    expect(before).not.toContain(null);
    mesh.kill('registry');
    const health = createClient(contracts.health, `127.0.0.1:${mesh.portBase + 3}`);
    await expect
      .poll(() => health.check({ service: 'millrace.v1.RegistryService' }).catch(() => null), { timeout: 20_000 })
      .toMatchObject({ status: 'SERVING' });
    health.close();
    const after = services.map((name) => mesh.pidOf(name));
    expect(after[0]).not.toBe(before[0]);
    expect(after.slice(1)).toEqual(before.slice(1));
  });

  it('takes all services along when it is killed itself', async () => {
    mesh.kill('supervisor');
    await expect
      .poll(() => services.map((name) => mesh.pidOf(name)), { timeout: 20_000 })
      .toEqual(services.map(() => null));
    const { portBase, dataDir } = mesh;
    await mesh.stop();
    mesh = await TestMesh.start(dataDir, portBase, ['--stop-grace-ms=0']);
  });

  it.each(['supervisor', 'registry'])('ends the %s when whoever starts it goes before it is ready', async (program) => {
    const main = path.join(root, `dist/services/${program}/main.js`);
    const settings = [`--data-dir=${path.join(folder, `left-${program}`)}`, `--port-base=${await freePortBase()}`];
    const child = spawn(process.execPath, [main, ...settings], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const ended = once(child, 'exit');
    child.disconnect();
    expect(await ended).toEqual([0, null]);
  });

  it('stops although a service is stuck', async () => {
    // Started anew with no grace, see above.
    const pid = mesh.pidOf('registry')!;
    process.kill(pid, 'SIGSTOP');
    await mesh.stop();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  it.each(['up', 'serve', 'doctor'])('explains `%s --help`', async (command) => {
    const { status, stdout } = await millrace(command, '--help');
    expect(status).toBe(0);
    expect(stdout).toContain(command === 'doctor' ? '--json' : '--data-dir');
  });

  it('runs one service alone with `serve`, and refuses an unknown one', async () => {
    const { status, stderr } = await millrace('serve', 'regsitry');
    expect(status).toBe(1);
    expect(stderr).toContain('gateway, inference, registry, training, preprocessing');
  });
});
