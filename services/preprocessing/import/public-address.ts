import { lookup as resolve } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { ServiceError } from '../../platform/errors.js';

/** Addresses of this machine and of networks that are not the public's (IANA's special-purpose registries). */
const inner = new BlockList();
const networks = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...[
    '192.168.0.0/16',
    '198.18.0.0/15',
    '224.0.0.0/3',
    '::/96',
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '2002::/16',
    'fc00::/7',
  ],
  ...['fe80::/10', 'ff00::/8'],
];
for (const one of networks) {
  const [network, prefix] = one.split('/') as [string, string];
  inner.addSubnet(network, Number(prefix), network.includes(':') ? 'ipv6' : 'ipv4');
}

/** An IPv6 address in which an IPv4 address is embedded counts as that. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !inner.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

export function refuseAddress(host: string, address: string): ServiceError {
  const message = `Expected an address in the public network but ${host} is at ${address}. Name the host in \`importHosts\` to allow it.`;
  return new ServiceError('PERMISSION_DENIED', 'ADDRESS_NOT_ALLOWED', message);
}

/** Looks up a name and refuses it where one of its addresses is not public: what is connected to is what was looked at. */
export const publicLookup: LookupFunction = (host, options, callback) => {
  resolve(host, { ...options, all: true }, (error, addresses) => {
    const refused = addresses?.find(({ address }) => !isPublicAddress(address));
    if (error || refused) {
      callback(error ?? refuseAddress(host, refused!.address), []);
    } else if (options.all) {
      callback(null, addresses);
    } else {
      callback(null, addresses[0]!.address, addresses[0]!.family);
    }
  });
};
