import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchS3, parseS3Address } from '../../../../services/preprocessing/import/s3.js';
import { tempFolder } from '../../../support/temp-folder.js';

let server: Server | null = null;
beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'id');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'key');
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
});
afterEach(() => {
  vi.unstubAllEnvs();
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<void> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('AWS_ENDPOINT_URL_S3', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const fetchTo = (given: string, hosts = ['127.0.0.1']) =>
  fetchS3(
    parseS3Address(given, 'paths[0]')!,
    path.join(tempFolder(), '0'),
    { hosts, bytesMax: 100 },
    { bytesDone: 0, bytesTotal: 0 },
    new AbortController().signal,
  );

/** A listing of objects by size. */
function listing(objects: Record<string, number>): string {
  const contents = Object.entries(objects).map(
    ([key, size]) => `<Contents><Key>${key}</Key><Size>${size}</Size></Contents>`,
  );
  return `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`;
}

describe('parseS3Address', () => {
  it('takes a bucket and a key, as they are written', () => {
    expect(parseS3Address('s3://my-bucket/a/b%20c?.csv', 'f')).toEqual({ bucket: 'my-bucket', key: 'a/b%20c?.csv' });
    expect(parseS3Address('S3://my-bucket', 'f')).toEqual({ bucket: 'my-bucket', key: '' });
    expect(parseS3Address('/s3://my-bucket', 'f')).toBeNull();
    expect(parseS3Address('https://my-bucket/a', 'f')).toBeNull();
  });

  it.each(['s3://', 's3:///a', 's3://..', 's3://b', 's3://user@host/a'])('refuses %s', (given) => {
    expect(() => parseS3Address(given, 'paths[2]')).toThrow(
      'Expected `paths[2]` to be like s3://bucket/key but received',
    );
  });
});

describe('fetchS3', () => {
  it.each<[string, Record<string, number>, string]>([
    ['a way up', { 'p/../../x': 1 }, 'There is no object s3://bucket/p/, and none under it.'],
    [
      'an empty name',
      { 'p/a//b': 1 },
      'Expected folders at most 3 deep and names of 1 to 255 bytes but there is an object',
    ],
    ['folders that are too deep', { 'p/1/2/3/4/5': 1 }, 'Expected folders at most 3 deep'],
    ['more bytes than are allowed', { 'p/a': 60, 'p/b': 41 }, 'expected at most 100 bytes (`downloadBytesMax`)'],
    ['nothing', {}, 'There is no object s3://bucket/p/, and none under it.'],
  ])('refuses %s in a listing', async (_, objects, message) => {
    await serve((_, response) => response.end(listing(objects)));
    await expect(fetchTo('s3://bucket/p/')).rejects.toThrow(message);
  });

  it('refuses more bytes than were said', async () => {
    await serve(({ url }, response) =>
      response.end(url!.includes('list-type') ? listing({ 'p/a': 1 }) : 'x'.repeat(101)),
    );
    await expect(fetchTo('s3://bucket/p/')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'DOWNLOAD_TOO_LARGE',
    });
  });

  it.each<[number, string]>([
    [403, 'PERMISSION_DENIED'],
    [503, 'UNAVAILABLE'],
  ])('tells that the server answered %i', async (status, code) => {
    await serve((_, response) => response.writeHead(status).end());
    await expect(fetchTo('s3://bucket/p/')).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`s3://bucket/p/ was not fetched: the server answered ${status} (`),
    });
  });

  it('refuses inner addresses that are not named', async () => {
    let asked = 0;
    await serve((_, response) => {
      asked++;
      response.end();
    });
    await expect(fetchTo('s3://bucket/a.csv', [])).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message:
        'Expected an address in the public network but 127.0.0.1 is at 127.0.0.1. Name the host in `importHosts` to allow it.',
    });
    vi.stubEnv('AWS_ENDPOINT_URL_S3', process.env.AWS_ENDPOINT_URL_S3!.replace('127.0.0.1', 'localhost'));
    await expect(fetchTo('s3://bucket/a.csv', [])).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(asked).toBe(0);
  });

  it('tells that there are no credentials', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
      vi.stubEnv(name, undefined);
    }
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    await serve((_, response) => response.end());
    await expect(fetchTo('s3://bucket/a.csv')).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('the service has no credentials for S3'),
    });
  });
});
