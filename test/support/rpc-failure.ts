import { expect } from 'vitest';
import { RpcError } from '../../proto/index.js';

/** The error that a call ends in; a call that succeeds fails the test. */
export async function rpcFailure(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}
