import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePortBase, millrace, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';
import { describeWith, goTool } from './installed-tools.js';

const accessKey = 'reader';
const secretKey = 'reader-secret';

describeWith(await goTool('versitygw'), 'an S3 server', (program) => {
  const folder = tempFolder();
  let server: ChildProcess;
  let mesh: TestMesh;
  const before = { ...process.env };

  beforeAll(async () => {
    const port = await freePortBase();
    const args = ['--port', `127.0.0.1:${port}`, '--access', accessKey, '--secret', secretKey, '--quiet'];
    mkdirSync(path.join(folder, 'data/digits/one'), { recursive: true });
    mkdirSync(path.join(folder, 'data/digits/two'));
    server = spawn(program, [...args, 'posix', '--nometa', folder], { stdio: 'ignore' });
    const endpoint = `http://127.0.0.1:${port}`;
    while (!(await fetch(endpoint).catch(() => null))) {
      await sleep(50);
    }
    // As AWS's own tools read them, from a file.
    const credentials = path.join(tempFolder(), 'credentials');
    writeFileSync(credentials, `[default]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`);
    process.env.AWS_SHARED_CREDENTIALS_FILE = credentials;
    process.env.AWS_ENDPOINT_URL_S3 = endpoint;
    mesh = await TestMesh.start(tempFolder(), undefined, ['--import-hosts=127.0.0.1', '--download-bytes-max=500000']);
  });
  afterAll(async () => {
    process.env = before;
    server?.kill();
    await mesh?.stop();
  });

  const put = (key: string, content: string) => writeFileSync(path.join(folder, 'data', key), content);
  const importS3 = (...addresses: string[]) =>
    millrace('data', 'import', 'a', ...addresses, '--json', `--port-base=${mesh.portBase}`);

  it('gives an object', async () => {
    put('a table.csv', `x,y\n${'1,2\n'.repeat(50_000)}`);
    const { stdout, stderr } = await importS3('s3://data/a table.csv');
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ rowCount: 50_000, sources: ['a table.csv'] });
  });

  it('gives all objects under a prefix, over pages, with their folders', async () => {
    for (let i = 0; i < 1_010; i++) {
      put(`digits/${i % 2 ? 'one' : 'two'}/${i}.txt`, String(i));
    }
    for (const address of ['s3://data/digits', 's3://data/digits/']) {
      const { stdout } = await importS3(address);
      expect(JSON.parse(stdout)).toMatchObject({
        rowCount: 1_010,
        columns: [{ name: 'text' }, { name: 'label' }, { name: 'file' }],
      });
    }
  });

  it.each<[string, string, string]>([
    ['no object', 's3://data/none', 'There is no object s3://data/none, and none under it.'],
    ['no bucket', 's3://nowhere/a.csv', 's3://nowhere/a.csv was not fetched: the server answered 404 (NoSuchBucket'],
    ['too large an object', 's3://data/large.csv', 'expected at most 500000 bytes (`downloadBytesMax`)'],
    ['a bad table', 's3://data/ragged.csv', 's3://data/ragged.csv: '],
  ])('tells of %s, and keeps nothing', async (_, address, message) => {
    put('large.csv', 'x'.repeat(500_001));
    put('ragged.csv', 'x,y\n1,2\n1\n');
    const { status, stderr } = await importS3(address);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(readdirSync(path.join(mesh.dataDir, 'preprocessing/drafts'))).toEqual([]);
  });
});
