import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { EngineError, Network, SharedMemory, type SharedMemoryRegion } from '../../native/index.js';
import { noise, specOf } from './build-network.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Where Linux shows shared memory objects as files, so that these tests are a client without code of its own. */
const folder = '/dev/shm';
const page = 4096;
const made: string[] = [];

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { force: true });
});

function objectOf(bytes: Uint8Array): { key: string; path: string } {
  const key = `/millrace-${randomUUID()}`;
  const path = `${folder}${key}`;
  made.push(path);
  writeFileSync(path, bytes);
  return { key, path };
}

function refusal(call: () => unknown): EngineError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    return error as EngineError;
  }
  throw new Error('Expected an EngineError.');
}

describe('SharedMemory.open refuses', () => {
  test.each(['', '/', '/a/b', '//a', '../passwd', '/a\0', `/${'a'.repeat(255)}`, 7, null, undefined])(
    '%j as a key',
    (key) => {
      const region = { key: key as string, offset: 0, byteSize: 1 };
      expect(refusal(() => SharedMemory.open(region))).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'key' });
    },
  );

  test('a key that no object has', () => {
    expect(refusal(() => SharedMemory.open({ key: '/millrace-none', offset: 0, byteSize: 1 }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'key',
      message: 'There is no shared memory object "/millrace-none".',
    });
  });

  test.each([
    ['offset', -1, 1],
    ['offset', 0.5, 1],
    ['offset', 2 ** 53, 1],
    ['byteSize', 0, 0],
    ['byteSize', 0, -1],
    ['byteSize', 0, Number.NaN],
    ['byteSize', 0, 101],
    ['byteSize', 100, 1],
    ['byteSize', 2 ** 52, 2 ** 52],
  ])('a wrong %s: %d and %d', (field, offset, byteSize) => {
    const { key } = objectOf(new Uint8Array(100));
    expect(refusal(() => SharedMemory.open({ key, offset, byteSize }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
    });
  });

  test('an object that is too short, with both sizes', () => {
    const { key } = objectOf(new Uint8Array(100));
    expect(refusal(() => SharedMemory.open({ key, offset: 60, byteSize: 50 })).message).toBe(
      `Expected shared memory "${key}" to hold 50 bytes from byte 60 on but it has 100 bytes in all.`,
    );
  });

  test('a receiver that is none', () => {
    const bytes = SharedMemory.prototype.bytes as (this: unknown, offset: number, length: number) => unknown;
    expect(refusal(() => bytes.call({}, 0, 1))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('a region', () => {
  function open(size: number, region: Partial<SharedMemoryRegion> = {}) {
    const object = objectOf(Uint8Array.from({ length: size }, (_, index) => index));
    return { ...object, memory: SharedMemory.open({ key: object.key, offset: 0, byteSize: size, ...region }) };
  }

  test.each([
    ['offset', -1, 1],
    ['offset', 11, 0],
    ['offset', 0.5, 1],
    ['offset', '0', 1],
    ['length', 0, 11],
    ['length', 10, 1],
    ['length', 3, -1],
    ['length', 3, Number.NaN],
    ['length', 0, undefined],
  ])('refuses a view with a wrong %s: %s and %s', (field, offset, length) => {
    const { memory } = open(10);
    expect(refusal(() => memory.bytes(offset as number, length as number))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
    });
  });

  test('refuses views after it was closed, while those from before still work', () => {
    const { memory, path } = open(10);
    const view = memory.bytes(2, 3);
    memory.close();
    memory.close();
    for (const call of [() => memory.bytes(0, 1), () => memory.expectWhole()]) {
      expect(refusal(call)).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'sharedMemory' });
    }
    collectGarbage();
    view[0] = 99;
    expect([...view]).toEqual([99, 3, 4]);
    expect(readFileSync(path)[2]).toBe(99);
  });

  test('is seen by both sides, from any byte on and with or without the slash', () => {
    const { memory, path, key } = open(3 * page, { offset: page + 3, byteSize: page });
    const view = memory.bytes(1, 2);
    expect([...view]).toEqual([4, 5]);
    view[1] = 77;
    expect(readFileSync(path)[page + 5]).toBe(77);
    const again = SharedMemory.open({ key: key.slice(1), offset: page + 5, byteSize: 1 });
    expect([...again.bytes(0, 1)]).toEqual([77]);
    expect(memory.bytes(0, 1).buffer).toBe(view.buffer);
  });

  test('is refused when it was cut short, before it is used', () => {
    const { memory, path } = open(4 * page);
    memory.expectWhole();
    truncateSync(path, 4 * page - 1);
    const expected = { code: 'FAILED_PRECONDITION', field: 'key' };
    expect(refusal(() => memory.bytes(0, 1))).toMatchObject(expected);
    expect(refusal(() => memory.expectWhole())).toMatchObject(expected);
    truncateSync(path, 4 * page);
    memory.expectWhole();
  });

  test('reads zeros behind a cut in a view from before, and stays refused', () => {
    const { memory, path } = open(4 * page);
    const view = memory.bytes(0, 4 * page);
    truncateSync(path, page);
    expect([view[1], view[3 * page + 1]]).toEqual([1, 0]);
    view.fill(9);
    truncateSync(path, 4 * page);
    expect(refusal(() => memory.expectWhole()).message).toContain('was cut short');
    expect(
      readFileSync(path)
        .subarray(page)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  test('can be opened and closed many times', async () => {
    const { key } = objectOf(new Uint8Array(page));
    let bytesSeen = 0;
    for (let round = 0; round < 20; round += 1) {
      for (let index = 0; index < 500; index += 1) {
        const memory = SharedMemory.open({ key, offset: 0, byteSize: page });
        bytesSeen += memory.bytes(0, 1).length;
        memory.close();
      }
      collectGarbage();
      // Where buffers that are gone let go of their memory.
      await setImmediate();
    }
    expect(bytesSeen).toBe(10_000);
  });
});

test('predictions from one region into another, which outlive both handles', async () => {
  const network = Network.create(specOf(37, '53 relu', '5 softmax'), 2);
  const rows = 300;
  const numbers = noise(37 * rows);
  const input = objectOf(new Uint8Array([0, ...new Uint8Array(numbers.buffer)]));
  const output = objectOf(new Uint8Array(20 * rows + 3));
  const from = SharedMemory.open({ key: input.key, offset: 0, byteSize: 148 * rows + 1 });
  const to = SharedMemory.open({ key: output.key, offset: 3, byteSize: 20 * rows });
  const answer = network.predictIntoAsync(from.bytes(1, 148 * rows), rows, to.bytes(0, 20 * rows));
  from.close();
  to.close();
  collectGarbage();
  await answer;
  const expected = network.predict(numbers, rows);
  expect(new Float32Array(Uint8Array.prototype.slice.call(readFileSync(output.path), 3).buffer)).toEqual(expected);
});

test('another process that cuts both regions short during predictions ends nothing', async () => {
  const network = Network.create(specOf(64, '256 relu', '64 linear'), 2);
  const rows = 2000;
  const bytes = 4 * 64 * rows;
  for (let round = 0; round < 3; round += 1) {
    const objects = [objectOf(new Uint8Array(bytes)), objectOf(new Uint8Array(bytes))] as const;
    const [from, to] = objects.map(({ key }) => SharedMemory.open({ key, offset: 0, byteSize: bytes }));
    const views = [from!.bytes(0, bytes), to!.bytes(0, bytes)] as const;
    const predictions = Array.from({ length: 8 }, () => network.predictIntoAsync(views[0], rows, views[1]));
    const script = 'for (const path of process.argv.slice(1)) require("node:fs").truncateSync(path, 5000)';
    const child = spawnSync(process.execPath, ['-e', script, ...objects.map(({ path }) => path)]);
    expect(child.status).toBe(0);
    await Promise.all(predictions);
    network.predictInto(views[0], rows, views[1]);
    for (const memory of [from!, to!]) {
      expect(refusal(() => memory.expectWhole())).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'key' });
    }
  }
});
