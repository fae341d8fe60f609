import { describe, expect, it } from 'vitest';
import { RpcError, type StatusName } from '../../../proto/index.js';
import { explainError, HttpError } from '../../../services/gateway/http-error.js';
import { ServiceError } from '../../../services/platform/errors.js';

const rpcError = (code: StatusName, reason: string) => new RpcError(code, 'Why.', { reason, fieldViolations: [] });

describe('explainError', () => {
  it('keeps unknown errors to itself', () => {
    expect(explainError(new Error('secret'))).toBeNull();
    expect(explainError('secret')).toBeNull();
    expect(explainError(Object.assign(new Error('secret'), { statusCode: 500 }))).toBeNull();
  });

  it.each<[StatusName, number]>([
    ['INVALID_ARGUMENT', 400],
    ['NOT_FOUND', 404],
    ['RESOURCE_EXHAUSTED', 429],
    ['UNIMPLEMENTED', 501],
    ['UNAVAILABLE', 503],
    ['DEADLINE_EXCEEDED', 504],
  ])('gives %s as %i', (code, status) => {
    expect(explainError(rpcError(code, 'SOME'))).toEqual({ status, message: 'Why.' });
    expect(explainError(new ServiceError(code, 'SOME', 'Why.'))).toEqual({ status, message: 'Why.' });
  });

  it('tells a service that is away from one that says so itself', () => {
    expect(explainError(rpcError('UNAVAILABLE', ''))).toEqual({
      status: 503,
      message: 'The inference service cannot be reached. Why.',
    });
  });

  it('gives refusals over HTTP as they are', () => {
    expect(explainError(new HttpError(415, 'Why.'))).toEqual({ status: 415, message: 'Why.' });
  });
});
