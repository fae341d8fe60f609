import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { invalidField, quote, ServiceError } from '../../platform/errors.js';
import { counted, type FetchMeter, type FetchRules, isOurs, notFetched, tooLarge } from './fetching.js';
import { openS3 } from './s3-client.js';

/** An object, or all objects whose keys begin with `key` where it is empty or ends in `/`. */
export interface S3Address {
  bucket: string;
  key: string;
}

interface S3Object {
  key: string;
  sizeBytes: number;
  /** In the folder that it is fetched to. */
  target: string;
}

const objectsMax = 1_000_000;
const parallelMax = 8;
/** Of folders in folders, as imports take them, and a name. */
const segmentsMax = 4;
const nameBytesMax = 255;
/** As S3 has them, and older buckets. */
const bucketPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;

/** Null: it is an address of another kind. */
export function parseS3Address(given: string, field: string): S3Address | null {
  const [, rest] = /^s3:\/\/(.*)$/is.exec(given) ?? [];
  if (rest === undefined) {
    return null;
  }
  const slash = rest.indexOf('/');
  const [bucket, key] = slash < 0 ? [rest, ''] : [rest.slice(0, slash), rest.slice(slash + 1)];
  if (!bucketPattern.test(bucket)) {
    throw invalidField(field, `Expected \`${field}\` to be like s3://bucket/key but received ${quote(given)}.`);
  }
  return { bucket, key };
}

/**
 * Fetches an object into a folder, or all objects under a prefix, which keep their places under it. A key without an object is taken
 * for a prefix. Answers the path of the file, or the folder.
 */
export async function fetchS3(
  address: S3Address,
  folder: string,
  rules: FetchRules,
  meter: FetchMeter,
  signal: AbortSignal,
): Promise<string> {
  const shown = `s3://${address.bucket}/${address.key}`;
  const client = await openS3(rules);
  try {
    const object = await findObject(client, address, folder, signal);
    const objects = object ? [object] : await listObjects(client, address, folder, rules, signal);
    const sizeBytes = objects.reduce((sum, one) => sum + one.sizeBytes, 0);
    if (sizeBytes > rules.bytesMax) {
      throw tooLarge(shown, rules);
    }
    meter.bytesTotal += sizeBytes;
    await fetchAll(client, address.bucket, objects, rules, meter, signal);
    return object?.target ?? folder;
  } catch (error) {
    throw explain(shown, error);
  } finally {
    client.destroy();
  }
}

/** Null: there is no object of this key. */
async function findObject(
  client: S3Client,
  { bucket, key }: S3Address,
  folder: string,
  signal: AbortSignal,
): Promise<S3Object | null> {
  if (key === '' || key.endsWith('/')) {
    return null;
  }
  const { HeadObjectCommand } = await import('@aws-sdk/client-s3');
  try {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
    const { ContentLength: sizeBytes = 0 } = await client.send(command, { abortSignal: signal });
    return { key, sizeBytes, target: targetOf(folder, key.split('/').slice(-1), key) };
  } catch (error) {
    if (statusOf(error) === 404) {
      return null;
    }
    throw error;
  }
}

async function listObjects(
  client: S3Client,
  { bucket, key }: S3Address,
  folder: string,
  rules: FetchRules,
  signal: AbortSignal,
): Promise<S3Object[]> {
  const { paginateListObjectsV2 } = await import('@aws-sdk/client-s3');
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  const objects: S3Object[] = [];
  let sizeBytes = 0;
  const pages = paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix }, { abortSignal: signal });
  for await (const { Contents: contents = [] } of pages) {
    for (const { Key: one = '', Size: size = 0 } of contents) {
      const inner = one.slice(prefix.length).split('/');
      // Marks of folders, and what is hidden, as in folders of files.
      if (one.endsWith('/') || inner.some((segment) => segment.startsWith('.'))) {
        continue;
      }
      sizeBytes += size;
      if (sizeBytes > rules.bytesMax || objects.length === objectsMax) {
        throw tooLarge(`s3://${bucket}/${prefix}`, rules);
      }
      objects.push({ key: one, sizeBytes: size, target: targetOf(folder, inner, one) });
    }
  }
  if (objects.length === 0) {
    const message = `There is no object s3://${bucket}/${key}, and none under it.`;
    throw new ServiceError('NOT_FOUND', 'FILE_NOT_FOUND', message);
  }
  return objects;
}

function targetOf(folder: string, segments: string[], key: string): string {
  const isName = (segment: string) => !/^\.*$|\0/.test(segment) && Buffer.byteLength(segment) <= nameBytesMax;
  if (segments.length > segmentsMax || !segments.every(isName)) {
    const rule = `folders at most ${segmentsMax - 1} deep and names of 1 to ${nameBytesMax} bytes`;
    throw new ServiceError(
      'INVALID_ARGUMENT',
      'INVALID_FILE',
      `Expected ${rule} but there is an object ${quote(key)}.`,
    );
  }
  return path.join(folder, ...segments);
}

/** Several at once: small objects are mostly waiting. */
async function fetchAll(
  client: S3Client,
  bucket: string,
  objects: readonly S3Object[],
  rules: FetchRules,
  meter: FetchMeter,
  signal: AbortSignal,
): Promise<void> {
  const left = objects.values();
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const work = async () => {
    for (const object of left) {
      await fetchObject(client, bucket, object, rules, meter, stop);
    }
  };
  const workers = Array.from({ length: Math.min(parallelMax, objects.length) }, () =>
    work().catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  // The first to fail says why; the others were only stopped.
  failed.signal.throwIfAborted();
}

async function fetchObject(
  client: S3Client,
  bucket: string,
  { key, target }: S3Object,
  rules: FetchRules,
  meter: FetchMeter,
  signal: AbortSignal,
): Promise<void> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3');
  const shown = `s3://${bucket}/${key}`;
  try {
    await mkdir(path.dirname(target), { recursive: true });
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    const { Body: body } = await client.send(command, { abortSignal: signal });
    const file = createWriteStream(target, { flags: 'wx' });
    await pipeline(body as Readable, counted(shown, rules, meter), file, { signal });
  } catch (error) {
    throw explain(shown, error);
  }
}

const statusOf = (error: unknown) =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? null;

function explain(shown: string, error: unknown): unknown {
  if (isOurs(error) || !(error instanceof Error)) {
    return error;
  }
  const problem = (text: string) => `${shown} was not fetched: ${text}`;
  if (error.name === 'CredentialsProviderError') {
    const text = `the service has no credentials for S3 (${error.message}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, where it is started.`;
    return new ServiceError('FAILED_PRECONDITION', 'NO_CREDENTIALS', problem(text), { cause: error });
  }
  if (error.message === 'Region is missing') {
    const text = 'the service has no region for S3. Set AWS_REGION where it is started.';
    return new ServiceError('FAILED_PRECONDITION', 'NO_REGION', problem(text), { cause: error });
  }
  if ('code' in error && ['EEXIST', 'EISDIR', 'ENOTDIR'].includes(String(error.code))) {
    return new ServiceError(
      'INVALID_ARGUMENT',
      'INVALID_FILE',
      problem('it is both an object and a folder of others.'),
    );
  }
  const status = statusOf(error);
  const said = `${status} (${error.name}: ${error.message})`;
  if (status === 404) {
    return new ServiceError('NOT_FOUND', 'FILE_NOT_FOUND', problem(`the server answered ${said}`), { cause: error });
  }
  if (status === 401 || status === 403) {
    const text = problem(`the server answered ${said}`);
    return new ServiceError('PERMISSION_DENIED', 'DOWNLOAD_FAILED', text, { cause: error });
  }
  return notFetched(shown, status === null ? error.message || error.name : `the server answered ${said}`, error);
}
