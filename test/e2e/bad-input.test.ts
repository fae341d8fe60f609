import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, millrace, mnistFolder, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';

const folder = tempFolder();
const inFolder = (name: string) => path.join(folder, name);
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await TestMesh.start(inFolder('data'));
  const rows = Array.from({ length: 60 }, (_, i) => `${i},${i % 7},${i % 2 ? 'yes' : 'no'}`);
  writeFileSync(inFolder('good.csv'), `a,b,answer\n${rows.join('\n')}\n`);
  expect(await command('data', 'import', 'table', inFolder('good.csv'))).toMatchObject({ status: 0 });
});
afterAll(() => mesh?.stop());

const command = (...args: string[]) => millrace(...args, `--port-base=${mesh.portBase}`);

async function refused(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await command(...args);
  expect(stdout).toBe('');
  expect(status).toBe(1);
  return stderr;
}

const tableSpec = `
dataset: datasets/table
pipeline:
  columns: [{ column: a, steps: [{ standardise: }] }, { column: b, steps: [{ scale: }] }]
  label: { column: answer, kind: classes }
split: { validation_fraction: 0.2, test_fraction: 0.2, seed: 1 }
network: { layers: [{ units: 4, activation: relu }, { units: 2, activation: softmax }] }
loss: categorical_cross_entropy
optimizer: { adam: { learning_rate: 0.01 } }
batch_size: 8
epochs: 2
seed: 1
publish: { model: models/table }
`;

function specWith(...changes: [string, string][]): string {
  let text = tableSpec;
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  const file = inFolder('spec.yaml');
  writeFileSync(file, text);
  return file;
}

describe('training specs', () => {
  it('refuses a misspelled key and offers the right one', async () => {
    const stderr = await refused('train', '-f', specWith(['batch_size', 'batchsize']));
    expect(stderr).toMatch(/spec\.yaml:\d+:1: Unknown key `batchsize`\. Did you mean `batch_size`\?/);
  });

  it('tells what the file says wrong together with what the service refuses', async () => {
    const file = specWith(
      ['batch_size', 'batchsize'],
      ['learning_rate: 0.01', 'learning_rate: 0'],
      ['units: 4', 'units: 0'],
    );
    const stderr = await refused('train', '-f', file);
    expect(stderr).toContain('Unknown key `batchsize`');
    expect(stderr).toMatch(/spec\.yaml:\d+:\d+: Expected `network\.layers\[0\]\.units`/);
    expect(stderr).toMatch(/spec\.yaml:\d+:\d+: Expected `optimizer\.[a-z.]*learning_rate`/);
  });

  it('refuses a learning rate of 0', async () => {
    expect(await refused('train', '-f', specWith(['learning_rate: 0.01', 'learning_rate: 0']))).toMatch(
      /learning_rate.*0/,
    );
  });

  it('refuses a layer of 0 units', async () => {
    const file = specWith(['units: 4', 'units: 0']);
    const lines = readFileSync(file, 'utf8').split('\n');
    const line = lines.findIndex((text) => text.includes('units: 0')) + 1;
    const column = lines[line - 1]!.indexOf('units') + 1;
    expect(await refused('train', '-f', file)).toContain(
      `${file}:${line}:${column}: Expected \`network.layers[0].units\``,
    );
  });

  it('refuses a last layer that does not fit the number of classes', async () => {
    const stderr = await refused('train', '-f', specWith(['units: 2', 'units: 3']));
    expect(stderr).toContain('network.layers[1].units');
  });

  it('reports every violation of a spec at once', async () => {
    const file = specWith(['units: 4', 'units: 0'], ['batch_size: 8', 'batch_size: -3'], ['epochs: 2', 'epochs: 0']);
    const stderr = await refused('train', '-f', file);
    for (const field of ['network.layers[0].units', 'batch_size', 'epochs']) {
      expect(stderr).toContain(field);
    }
  });

  it('refuses an unknown dataset and an unknown column', async () => {
    expect(await refused('train', '-f', specWith(['datasets/table', 'datasets/tabel']))).toContain('datasets/tabel');
    expect(await refused('train', '-f', specWith(['column: b', 'column: bb']))).toContain('bb');
  });

  it('keeps nothing of what it refused', async () => {
    expect(await command('jobs', 'list', '--json')).toMatchObject({ status: 0, stdout: '[]\n' });
    expect(await command('models', 'list', '--json')).toMatchObject({ status: 0, stdout: '[]\n' });
  });
});

describe('files', () => {
  it('refuses an empty CSV file', async () => {
    writeFileSync(inFolder('empty.csv'), '');
    expect(await refused('data', 'import', 'bad', inFolder('empty.csv'))).toContain('empty.csv');
  });

  it('refuses a CSV file with a ragged row and names its line', async () => {
    writeFileSync(inFolder('ragged.csv'), 'a,b\n1,2\n3\n4,5\n');
    const stderr = await refused('data', 'import', 'bad', inFolder('ragged.csv'));
    expect(stderr).toContain('ragged.csv');
    expect(stderr).toMatch(/line 3/i);
  });

  it('refuses NaN in a column of numbers and names row and column', async () => {
    writeFileSync(inFolder('nan.csv'), 'a,b\n1,2\n3,NaN\n4,5\n');
    const stderr = await refused('data', 'import', 'bad', inFolder('nan.csv'));
    expect(stderr).toMatch(/`?b`?/);
    expect(stderr).toMatch(/row 2|line 3/i);
  });

  it('refuses a truncated IDX file and says where it ends', async () => {
    const images = inFolder('t10k-images-idx3-ubyte');
    copyFileSync(path.join(mnistFolder, 't10k-images-idx3-ubyte'), images);
    copyFileSync(path.join(mnistFolder, 't10k-labels-idx1-ubyte'), inFolder('t10k-labels-idx1-ubyte'));
    truncateSync(images, 1_000_000);
    const stderr = await refused('data', 'import', 'bad', images, inFolder('t10k-labels-idx1-ubyte'));
    expect(stderr).toContain('t10k-images-idx3-ubyte');
    expect(stderr).toContain('1000000');
  });

  it('keeps nothing of what it refused', async () => {
    const { stdout } = await command('data', 'list', '--json');
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'datasets/table' }]);
  });
});

describe('a reader that goes away', () => {
  it('ends the command without complaint', async () => {
    const args = ['data', 'list', '--json', `--port-base=${mesh.portBase}`];
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const [words, [status]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(words).toBe('');
    expect(status).toBe(0);
  });
});

describe('after all that', () => {
  it('trains, serves and answers, and says which versions there are when one is unknown', async () => {
    const trained = await command('train', '-f', specWith(), '--follow');
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    expect(trained.stdout).toContain('models/table/versions/1');
    await expect
      .poll(() => command('predict', 'table', '--record', '{"a": 3, "b": 3}').then(({ stdout }) => stdout), {
        timeout: 20_000,
      })
      .toMatch(/^models\/table\/versions\/1\n(yes|no)/);
    expect(await refused('predict', 'table:7', '--record', '{"a": 3, "b": 3}')).toContain('7');
    expect(await refused('predict', 'tabel', '--record', '{"a": 3, "b": 3}')).toContain('tabel');
    expect(await refused('predict', 'table', '--record', '{"a": 3}')).toContain('b');
    expect(await refused('predict', 'table', '--record', '{"a": 3, "b": "x"}')).toContain('b');
    expect(await refused('models', 'promote', 'table', '9', 'champion')).toContain('9');
  });
});
