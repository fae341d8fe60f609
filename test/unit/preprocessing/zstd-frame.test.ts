import { describe, expect, it } from 'vitest';
import { openZstdFrames } from '../../../services/preprocessing/zstd-frame.js';

// printf 'millrace millrace millrace\n' | zstd --check (zstd 1.5.4), where it knows the size.
const whole = Buffer.from('28b52ffd241b850000506d696c6c72616365200a01009ccb115413cf15', 'hex');

describe('openZstdFrames', () => {
  it('finds the checksum right that zstd has written', async () => {
    const decode = await openZstdFrames();
    expect(Buffer.from(decode(whole, 27)).toString()).toBe('millrace millrace millrace\n');
  });

  it.each([
    ['another length', whole, 26, 'it has 27 bytes where 26 were said'],
    ['a frame without its end', whole.subarray(0, 8), 27, 'it is cut off'],
    [
      'a frame that does not say its length',
      Buffer.from(whole).fill(4, 4, 5),
      27,
      'no zstd frame that says its length',
    ],
    [
      'damaged content',
      Buffer.from(whole).fill(0x4d, 11, 12),
      27,
      'its content does not have its checksum: it is damaged',
    ],
    [
      'a damaged checksum',
      Buffer.from(whole).fill(0, whole.length - 1),
      27,
      'its content does not have its checksum: it is damaged',
    ],
  ])('refuses %s', async (_, bytes, size, message) => {
    const decode = await openZstdFrames();
    expect(() => decode(bytes, size)).toThrow(message);
  });
});
