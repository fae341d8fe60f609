import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { encodeDetails, RpcError } from '../../../proto/index.js';

const details = { reason: 'INVALID_FIELD', fieldViolations: [{ field: 'seed', description: 'Expected …' }] };

function status(code: number, metadata: grpc.Metadata): grpc.ServiceError {
  return Object.assign(new Error('13 INTERNAL: text'), { code, details: 'text', metadata });
}

describe('RpcError.from', () => {
  it('leaves errors that are no status as they are', () => {
    const error = new TypeError('x');
    expect(RpcError.from(error)).toBe(error);
    expect(RpcError.from('x')).toEqual(new Error('x'));
  });

  it('takes details that cannot be read for none', () => {
    const metadata = new grpc.Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]));
    expect(RpcError.from(status(3, metadata))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'text',
      details: { reason: '', fieldViolations: [] },
    });
  });

  it('gives back the details that were encoded', () => {
    const error = RpcError.from(status(3, encodeDetails('INVALID_ARGUMENT', 'text', details)));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: 'text', details });
  });

  it('sends no details when there are none', () => {
    const metadata = encodeDetails('INTERNAL', 'text', { reason: '', fieldViolations: [] });
    expect(metadata.get('grpc-status-details-bin')).toEqual([]);
  });
});
