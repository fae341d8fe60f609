import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { download, isAddress } from '../../../../services/preprocessing/import/download.js';
import { isPublicAddress } from '../../../../services/preprocessing/import/public-address.js';
import { tempFolder } from '../../../support/temp-folder.js';

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Serves on loopback and answers the base of its addresses. */
async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const rules = { hosts: ['127.0.0.1'], bytesMax: 1_000_000 };
const fetchTo = (folder: string, address: string, given = rules) =>
  download(address, folder, given, { bytesDone: 0, bytesTotal: 0 }, new AbortController().signal);

describe('download', () => {
  it('streams a file into a folder under its own name', async () => {
    const content = 'a,b\n1,2\n'.repeat(10_000);
    const base = await serve((_, response) => response.end(content));
    const folder = tempFolder();
    const file = await fetchTo(path.join(folder, '0'), `${base}/data/x%2F..%2Ftable.csv?signature=secret`);
    expect(path.relative(folder, file)).toBe('0/x_2F.._2Ftable.csv');
    expect(readFileSync(file, 'utf8')).toBe(content);
  });

  it('counts what comes, and what is said to come', async () => {
    const base = await serve((_, response) => response.writeHead(200, { 'content-length': 5 }).end('a\n1\n2'));
    const meter = { bytesDone: 10, bytesTotal: 10 };
    await download(`${base}/a`, tempFolder(), rules, meter, new AbortController().signal);
    expect(meter).toEqual({ bytesDone: 15, bytesTotal: 15 });
  });

  it('follows where it is led', async () => {
    const base = await serve((request, response) =>
      request.url === '/a.csv' ? response.end('here') : response.writeHead(302, { location: '/a.csv' }).end(),
    );
    expect(readFileSync(await fetchTo(tempFolder(), `${base}/old`), 'utf8')).toBe('here');
  });

  it.each<[string, RequestListener, string, string]>([
    [
      'a file that is not there',
      (_, response) => response.writeHead(404).end(),
      'NOT_FOUND',
      'the server answered 404',
    ],
    ['a server that fails', (_, response) => response.writeHead(503).end(), 'UNAVAILABLE', 'the server answered 503'],
    [
      'a file that says it is too large',
      (_, response) => response.writeHead(200, { 'content-length': 1_000_001 }).end(),
      'INVALID_ARGUMENT',
      'expected at most 1000000 bytes (`downloadBytesMax`)',
    ],
    [
      'a file that is too large',
      (_, response) => response.end(Buffer.alloc(1_000_001)),
      'INVALID_ARGUMENT',
      'expected at most 1000000 bytes',
    ],
    [
      'an encoding',
      (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      'INVALID_ARGUMENT',
      'the server sent gzip',
    ],
    [
      'a connection that is lost',
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('x', () => response.destroy());
      },
      'UNAVAILABLE',
      'was not fetched: aborted',
    ],
    [
      'a circle',
      (_, response) => response.writeHead(302, { location: '/again' }).end(),
      'INVALID_ARGUMENT',
      'it leads on more than 5 times',
    ],
    [
      'a way to another kind of address',
      (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      'INVALID_ARGUMENT',
      'it leads on to "file:///etc/passwd"',
    ],
    [
      'a way into the inner network',
      (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
      'PERMISSION_DENIED',
      '169.254.169.254 is at 169.254.169.254',
    ],
  ])('refuses %s', async (_, listener, code, message) => {
    const base = await serve(listener);
    await expect(fetchTo(tempFolder(), `${base}/a.csv?signature=secret`)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    await expect(fetchTo(tempFolder(), `${base}/a.csv?signature=secret`)).rejects.not.toMatchObject({
      message: expect.stringContaining('secret'),
    });
  });

  it.each(['127.0.0.1', 'localhost', '[::1]', '0x7f.1', '[::ffff:127.0.0.1]', '10.0.0.1'])(
    'refuses inner address %s',
    async (host) => {
      const folder = tempFolder();
      await expect(fetchTo(folder, `http://${host}:1/a.csv`, { hosts: [], bytesMax: 1 })).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining('Expected an address in the public network but'),
      });
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  it('refuses passwords, without repeating them', async () => {
    const message = 'Expected `paths` to name an address without a user and password but received "host".';
    await expect(fetchTo(tempFolder(), 'http://me:secret@host/a')).rejects.toThrow(message);
  });

  it('ends when it is cancelled', async () => {
    const base = await serve((_, response) => response.writeHead(200).write('x'));
    const controller = new AbortController();
    const fetching = download(`${base}/a`, tempFolder(), rules, { bytesDone: 0, bytesTotal: 0 }, controller.signal);
    setTimeout(() => controller.abort(), 50);
    await expect(fetching).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('isAddress', () => {
  it('tells addresses from paths and refuses other kinds of addresses', () => {
    expect(['/a/b.csv', 'http://x/a', 'HTTPS://x/a'].map((given) => isAddress(given, 'paths[0]'))).toEqual([
      false,
      true,
      true,
    ]);
    for (const given of ['file:///etc/passwd', 'ftp://x/a', 'gs://x/a']) {
      expect(() => isAddress(given, 'paths[0]')).toThrow(
        'Expected `paths[0]` to be an absolute path or an http, https or s3 address',
      );
    }
  });
});

describe('isPublicAddress', () => {
  it('knows the networks that are not the public', () => {
    const inner = [
      '127.9.9.9',
      '0.0.0.0',
      '172.31.0.1',
      '192.168.1.1',
      '100.64.0.1',
      '255.255.255.255',
      '::',
      '::1',
      'fe80::1',
      'fd00::1',
      '::ffff:10.0.0.1',
      '::ffff:a00:1',
      '64:ff9b::a00:1',
      'nonsense',
    ];
    expect(inner.filter(isPublicAddress)).toEqual([]);
    const outer = ['1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111'];
    expect(outer.filter(isPublicAddress)).toEqual(outer);
  });
});
