import type { CallContext } from '../platform/handler.js';

/** What keeps a call with one version of a split, from its metadata; empty: nothing. */
export function routingKeyOf({ metadata }: Pick<CallContext, 'metadata'>): string {
  return String(metadata.get('x-routing-key')[0] ?? '');
}
