import { expect, it } from 'vitest';
import type { CallContext } from '../../../services/platform/handler.js';
import { Health } from '../../../services/platform/health.js';

it('lets go of a watcher that has gone while nothing changed', async () => {
  const caller = new AbortController();
  const context = { signal: caller.signal, stopping: new AbortController().signal } as CallContext;
  const { Watch } = new Health(['']).implementation.methods;
  const watch = Watch!({ service: '' }, context) as AsyncGenerator<unknown, void>;
  expect((await watch.next()).value).toEqual({ status: 'NOT_SERVING' });
  const waiting = watch.next();
  caller.abort();
  expect((await waiting).done).toBe(true);
});
