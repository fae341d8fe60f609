import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { invalidField, ServiceError } from '../../platform/errors.js';
import { counted, type FetchMeter, type FetchRules, idleMs, isOurs, notFetched, tooLarge } from './fetching.js';
import { isPublicAddress, publicLookup, refuseAddress } from './public-address.js';

const redirectsMax = 5;
const schemePattern = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Whether a path of an import is an address to fetch from; other kinds of addresses are refused. */
export function isAddress(given: string, field: string): boolean {
  if (!schemePattern.test(given)) {
    return false;
  }
  if (!/^https?:/i.test(given)) {
    const message = `Expected \`${field}\` to be an absolute path or an http, https or s3 address but received ${JSON.stringify(given)}.`;
    throw invalidField(field, message);
  }
  return true;
}

/** Fetches a file into a folder, where it keeps the last part of its address as its name; answers its path. */
export async function download(
  given: string,
  folder: string,
  rules: FetchRules,
  meter: FetchMeter,
  signal: AbortSignal,
): Promise<string> {
  let address = parseAddress(given);
  for (let redirects = 0; ; redirects++) {
    const response = await request(address, rules, signal);
    const { location } = response.headers;
    if (response.statusCode! >= 300 && response.statusCode! < 400 && location) {
      response.destroy();
      address = followed(address, location, redirects);
      continue;
    }
    try {
      meter.bytesTotal += checkResponse(address, response, rules);
      await mkdir(folder, { recursive: true });
      const file = path.join(folder, fileName(address));
      await pipeline(response, counted(shown(address), rules, meter), createWriteStream(file, { flags: 'wx' }), {
        signal,
      });
      return file;
    } catch (error) {
      throw unreachable(address, error);
    } finally {
      response.destroy();
    }
  }
}

function parseAddress(given: string): URL {
  const address = URL.canParse(given) ? new URL(given) : null;
  if (address === null || `${address.username}${address.password}` !== '') {
    const problem = address ? 'an address without a user and password' : 'an address';
    throw invalidField(
      'paths',
      `Expected \`paths\` to name ${problem} but received ${JSON.stringify(address ? address.host : given)}.`,
    );
  }
  return address;
}

function followed(from: URL, location: string, redirects: number): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  const isWeaker = from.protocol === 'https:' && to?.protocol !== 'https:';
  if (redirects === redirectsMax || !to || !/^https?:$/.test(to.protocol) || isWeaker) {
    const problem = redirects === redirectsMax ? `more than ${redirectsMax} times` : `to ${JSON.stringify(location)}`;
    throw new ServiceError(
      'INVALID_ARGUMENT',
      'REDIRECT_NOT_ALLOWED',
      `${shown(from)} was not fetched: it leads on ${problem}.`,
    );
  }
  return to;
}

function request(address: URL, { hosts }: FetchRules, signal: AbortSignal): Promise<IncomingMessage> {
  const host = address.hostname.replace(/^\[|\]$/g, '');
  const isTrusted = hosts.includes(host);
  if (!isTrusted && isIP(host) !== 0 && !isPublicAddress(host)) {
    throw refuseAddress(host, host);
  }
  return new Promise((resolve, reject) => {
    const get: typeof http.get = address.protocol === 'https:' ? https.get : http.get;
    const lookup = isTrusted ? {} : { lookup: publicLookup };
    const headers = { 'accept-encoding': 'identity', 'user-agent': 'millrace' };
    const call = get(address.href, { ...lookup, headers, signal, timeout: idleMs, agent: false }, resolve);
    call.on('timeout', () => call.destroy(new Error(`nothing came for ${idleMs} ms`)));
    call.on('error', (error) => reject(unreachable(address, error)));
  });
}

/** @returns how many bytes are to come, 0 where the server does not say */
function checkResponse(address: URL, { statusCode, headers }: IncomingMessage, rules: FetchRules): number {
  if (statusCode !== 200) {
    const isMissing = statusCode === 404 || statusCode === 410;
    const code = isMissing ? 'NOT_FOUND' : statusCode! >= 500 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT';
    throw new ServiceError(
      code,
      'DOWNLOAD_FAILED',
      `${shown(address)} was not fetched: the server answered ${statusCode}.`,
    );
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    const message = `${shown(address)} was not fetched: expected it unencoded but the server sent ${encoding}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'DOWNLOAD_FAILED', message);
  }
  const sizeBytes = Number(headers['content-length'] ?? 0);
  if (sizeBytes > rules.bytesMax) {
    throw tooLarge(shown(address), rules);
  }
  return sizeBytes;
}

/** Without the query, which may hold a signature. */
export const shown = ({ origin, pathname }: URL) => origin + pathname;

/** Names tell formats; what could lead out of the folder is left out. */
function fileName({ pathname }: URL): string {
  const last = pathname.split('/').at(-1) ?? '';
  const name = last
    .replaceAll(/[^A-Za-z0-9._-]/g, '_')
    .replace(/^\.+/, '')
    .slice(-100);
  return name === '' ? 'download' : name;
}

function unreachable(address: URL, error: unknown): unknown {
  const reason = error instanceof Error ? error.message : String(error);
  return isOurs(error) ? error : notFetched(shown(address), reason, error);
}
