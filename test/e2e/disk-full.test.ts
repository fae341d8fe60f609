import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { cli, freePortBase, millrace, mnistFolder } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';

const folder = tempFolder();
const elsewhere = tempFolder();

/** A file system of a few megabytes, visible to the programs of its own mount namespace only. */
const unshare = ['--user', '--map-root-user', '--mount'];
const canMount = spawnSync('unshare', [...unshare, 'mount', '-t', 'tmpfs', 'tmpfs', folder]).status === 0;
const diskMegabytes = 8;

const specOf = (units: number) => `
dataset: datasets/points
pipeline:
  columns: [{ column: x }]
  label: { column: y, kind: classes }
network:
  layers:
    - { units: ${units}, activation: relu }
    - { units: ${units}, activation: relu }
    - { units: 2, activation: softmax }
loss: categorical_cross_entropy
optimizer: { adam: {} }
epochs: 3
publish: { model: models/points }
`;

describe('a full disk', () => {
  it('refuses an import and fails a job with the reason, and goes on', {
    timeout: 180_000,
  }, async ({ skip }) => {
    skip(!canMount, 'this system lets an unprivileged test mount no file system');
    const portBase = await freePortBase();
    const mesh = spawn(
      'unshare',
      [
        ...unshare,
        'sh',
        '-c',
        `mount -t tmpfs -o size=${diskMegabytes}m tmpfs "$1" && exec "$2" "$3" up --data-dir="$1" --port-base="$4"`,
        'sh',
        folder,
        process.execPath,
        cli,
        String(portBase),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      await new Promise<void>((resolve, reject) => {
        mesh.stdout.on('data', (chunk) => String(chunk).includes('Millrace is ready') && resolve());
        mesh.once('exit', () => reject(new Error('the mesh did not start')));
      });
      const command = (...args: string[]) => millrace(...args, `--port-base=${portBase}`);
      const refused = await command('data', 'import', 'mnist', mnistFolder);
      expect(refused).toMatchObject({ status: 1, stdout: '' });
      expect(refused.stderr).toContain('The disk is full.');
      expect(await command('data', 'list', '--json')).toMatchObject({ status: 0, stdout: '[]\n' });
      const small = path.join(elsewhere, 'small.csv');
      writeFileSync(small, 'a,b\n1,2\n3,4\n');
      expect(await command('data', 'import', 'small', small)).toMatchObject({ status: 0, stderr: '' });

      const points = path.join(elsewhere, 'points.csv');
      writeFileSync(
        points,
        `x,y\n${Array.from({ length: 100 }, (_, i) => `${i % 7},${i % 2 ? 'a' : 'b'}`).join('\n')}\n`,
      );
      expect(await command('data', 'import', 'points', points)).toMatchObject({ status: 0, stderr: '' });
      const train = (units: number) => {
        const spec = path.join(elsewhere, `${units}.yaml`);
        writeFileSync(spec, specOf(units));
        return command('train', '--follow', '-f', spec);
      };
      // Two checkpoints of 6 MB, of which the second is written aside, do not fit.
      const failed = await train(700);
      expect(failed).toMatchObject({ status: 1 });
      expect(failed.stderr).toContain('failed: The disk is full.');
      // What it had stays for it to go on from, and the next job has room.
      expect(await train(8)).toMatchObject({ status: 0, stderr: '' });
      const jobs = JSON.parse((await command('jobs', 'list', '--json', '--filter', 'state = FAILED')).stdout);
      const id = jobs[0].name.split('/')[1];
      expect(await command('jobs', 'resume', id)).toMatchObject({ status: 0 });
      // There is no more room than before.
      expect((await command('jobs', 'watch', id)).stderr).toContain('failed: The disk is full.');
      expect(await command('jobs', 'delete', id)).toMatchObject({ status: 0, stderr: '' });
    } finally {
      const ended = new Promise((resolve) => mesh.once('exit', resolve));
      mesh.kill('SIGTERM');
      await ended;
    }
  });
});
