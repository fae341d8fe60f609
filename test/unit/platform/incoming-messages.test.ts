import { deflateSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../services/platform/errors.js';
import { IncomingMessages } from '../../../services/platform/incoming-messages.js';
import { MessageReader } from '../../../services/platform/message-reader.js';
import { cutsOf, cutting } from '../../support/cuttings.js';
import { frame } from '../../support/raw-call.js';

const bytesMax = 100_000;

const messages = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.nat(bytesMax).map((length) => new Uint8Array(length).fill(length)),
  ),
  { maxLength: 8 },
);

function code(work: () => unknown): string | null {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceError);
    return (error as ServiceError).code;
  }
  return null;
}

describe('a reader of messages', () => {
  it.each([
    ['is larger than allowed', frame(Buffer.alloc(0), false, bytesMax + 1), 'RESOURCE_EXHAUSTED'],
    ['is as large as can be said', frame(Buffer.alloc(0), false, 2 ** 32 - 1), 'RESOURCE_EXHAUSTED'],
    ['begins with another flag', Buffer.from([2, 0, 0, 0, 0]), 'INTERNAL'],
  ])('refuses one that %s when only its head is there', (_, bytes, expected) => {
    for (const chunks of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))]) {
      const reader = new MessageReader(bytesMax, () => expect.fail('no message was sent'));
      const push = () => {
        for (const chunk of chunks) {
          reader.push(chunk);
        }
      };
      expect(code(push)).toBe(expected);
    }
  });

  it('finds the same messages however the bytes are cut', () => {
    fc.assert(
      fc.property(messages, cutting, fc.boolean(), (sent, cut, isCompressed) => {
        const received: Buffer[] = [];
        const reader = new MessageReader(bytesMax, (bytes, flag) => {
          expect(flag).toBe(isCompressed);
          received.push(Buffer.from(bytes));
        });
        const bytes = Buffer.concat(sent.map((message) => frame(message, isCompressed)));
        for (const chunk of cutsOf(bytes, cut)) {
          reader.push(chunk);
        }
        expect(received.map((message) => message.toString('hex'))).toEqual(
          sent.map((message) => Buffer.from(message).toString('hex')),
        );
        expect(reader.isBetweenMessages).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

/** @returns them, and how much was granted so far */
function incoming(encoding = 'identity') {
  const granted = { bytes: 0 };
  const grant = (bytes: number) => {
    granted.bytes += bytes;
  };
  return { incoming: new IncomingMessages({ bytesMax, encoding, grant }), granted };
}

describe('incoming messages', () => {
  it.each(['identity', 'br', 'constructor', '__proto__', 'toString'])(
    'that are compressed are refused where the encoding is `%s`',
    (encoding) => {
      const { incoming: all } = incoming(encoding);
      expect(code(() => all.push(frame(Buffer.from('x'), true)))).toBe('UNIMPLEMENTED');
    },
  );

  it('that end within one are refused', () => {
    for (const length of [1, 4, 5, 6]) {
      const { incoming: all } = incoming();
      all.push(frame(Buffer.alloc(2)).subarray(0, length));
      expect(code(() => all.complete())).toBe('INVALID_ARGUMENT');
    }
  });

  it('that cannot be decompressed, or only to too much, are refused by whoever takes them', async () => {
    for (const [bytes, expected] of [
      [Buffer.from('no gzip'), 'INVALID_ARGUMENT'],
      [gzipSync(Buffer.alloc(bytesMax + 1)), 'RESOURCE_EXHAUSTED'],
    ] as const) {
      const { incoming: all } = incoming('gzip');
      all.push(frame(bytes, true));
      await expect(all.take()).rejects.toMatchObject({ code: expected });
    }
  });

  it('wait as small as they came', async () => {
    const { incoming: all } = incoming('gzip');
    const bomb = frame(gzipSync(Buffer.alloc(bytesMax)), true);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1_000; i++) {
      all.push(bomb);
    }
    expect(((await all.take()) as Buffer).length).toBe(bytesMax);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * bytesMax);
  });

  it('are decompressed in order', async () => {
    const sent = Array.from({ length: 20 }, (_, i) => Buffer.alloc(1_000 * (20 - i), i));
    const { incoming: all } = incoming('deflate');
    for (const [index, message] of sent.entries()) {
      all.push(index % 3 === 0 ? frame(message) : frame(deflateSync(message), true));
    }
    all.complete();
    const received: Buffer[] = [];
    for await (const message of all) {
      received.push(message);
    }
    expect(received.every((message, index) => message.equals(sent[index]!))).toBe(true);
    expect(received).toHaveLength(sent.length);
  });

  it('end their iteration also when it waits', async () => {
    const { incoming: all } = incoming();
    const next = all[Symbol.asyncIterator]().next();
    all.stop();
    expect((await next).done).toBe(true);
  });

  it('come whole through a window smaller than one of them, and are granted no more than came', () => {
    const windows = fc.oneof(fc.constantFrom(1, 5, 6), fc.integer({ min: 1, max: 3_000 }));
    const small = fc.array(fc.nat(2_000), { maxLength: 8 });
    fc.assert(
      fc.property(small, windows, fc.array(fc.boolean()), (sent, window, takes) => {
        const { incoming: all, granted } = incoming();
        const bytes = Buffer.concat(sent.map((length) => frame(Buffer.alloc(length))));
        const lengths: number[] = [];
        const wish = takes[Symbol.iterator]();
        const take = () => lengths.push((all.take() as Buffer).length);
        let offset = 0;
        let isTooMuch = false;
        while (offset < bytes.length) {
          const length = Math.min(bytes.length - offset, window - (offset - granted.bytes), 16_384);
          if (length === 0) {
            // The caller may send nothing: then somebody must have something to take.
            take();
          } else {
            all.push(bytes.subarray(offset, offset + length));
            offset += length;
          }
          if (all.count > 0 && wish.next().value) {
            take();
          }
          isTooMuch ||= granted.bytes > offset;
        }
        all.complete();
        while (all.count > 0) {
          take();
        }
        expect(lengths).toEqual(sent);
        expect(isTooMuch).toBe(false);
        expect(granted.bytes).toBe(bytes.length);
      }),
      { numRuns: 100 },
    );
  });
});
