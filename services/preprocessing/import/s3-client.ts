import { lookup } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { S3Client } from '@aws-sdk/client-s3';
import { type FetchRules, idleMs } from './fetching.js';
import { isPublicAddress, publicLookup, refuseAddress } from './public-address.js';

/**
 * A client with what the environment has for AWS's own tools: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE and the files
 * in ~/.aws, AWS_REGION, AWS_ENDPOINT_URL_S3. It reaches no other hosts than a download does.
 */
export async function openS3({ hosts }: FetchRules): Promise<S3Client> {
  // Loaded with the first address of its kind: most services never have one.
  const { S3Client } = await import('@aws-sdk/client-s3');
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  const isElsewhere = (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined;
  const region = AWS_REGION ?? AWS_DEFAULT_REGION ?? (isElsewhere ? 'us-east-1' : undefined);
  const checkedLookup: LookupFunction = (host, options, callback) =>
    hosts.includes(host) ? lookup(host, options, callback) : publicLookup(host, options, callback);
  const client = new S3Client({
    ...(region === undefined ? {} : { region }),
    followRegionRedirects: true,
    // Servers other than AWS's seldom have a name for each bucket.
    forcePathStyle: isElsewhere,
    requestHandler: {
      httpAgent: new http.Agent({ keepAlive: true, lookup: checkedLookup }),
      httpsAgent: new https.Agent({ keepAlive: true, lookup: checkedLookup }),
      connectionTimeout: idleMs,
      socketTimeout: idleMs,
    },
  });
  client.middlewareStack.add(
    (next) => (given) => {
      const host = (given.request as { hostname: string }).hostname.replace(/^\[|\]$/g, '');
      // An address is not looked up.
      if (!hosts.includes(host) && isIP(host) !== 0 && !isPublicAddress(host)) {
        throw refuseAddress(host, host);
      }
      return next(given);
    },
    { step: 'finalizeRequest', name: 'refuseInnerHosts' },
  );
  return client;
}
