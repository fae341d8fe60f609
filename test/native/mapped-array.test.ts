import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type EngineError, type Examples, MappedArray, Network } from '../../native/index.js';
import { digestOf, epochOptions, examplesOf, specOf, trainerOf } from './build-network.js';

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-mapped-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string) => path.join(folder, name);
function written(name: string, bytes: Uint8Array | Float32Array | Int32Array): string {
  writeFileSync(file(name), new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return file(name);
}

const rows = 500;
const spec = specOf(6, '9 relu', '3 softmax');
const inMemory = examplesOf(rows, 6, 3);
const numbers = inMemory.features[0]!.data as Float32Array;

interface MappedExamples extends Examples {
  features: [{ type: 'float32'; columns: number; data: MappedArray }];
  targets: MappedArray;
}

/** The same examples in two files, each behind a header whose length is no multiple of a page. */
function mapped(name: string): MappedExamples {
  const behind = (header: number, array: Float32Array | Int32Array) =>
    Buffer.concat([Buffer.alloc(header), Buffer.from(array.buffer, array.byteOffset, array.byteLength)]);
  const features = MappedArray.open(written(`${name}.features`, behind(5000, numbers)), 'float32', {
    byteOffset: 5000,
  });
  const targets = MappedArray.open(written(`${name}.targets`, behind(8, inMemory.targets)), 'int32', {
    byteOffset: 8,
    length: rows,
  });
  return { rows, features: [{ type: 'float32', columns: 6, data: features }], targets };
}

async function trained(examples: Examples): Promise<unknown[]> {
  const network = Network.create(spec, 1);
  const trainer = trainerOf(network, { threads: 2 });
  const { loss } = await trainer.trainEpoch(examples, epochOptions());
  const gradients = await trainer.gradients(examples);
  return [digestOf(network), loss, await trainer.evaluate(examples), gradients.inputs];
}

test('features and targets in a file give the bits of arrays', async () => {
  expect(await trained(mapped('bits'))).toEqual(await trained(inMemory));
});

test('a part of a mapped array is a view of it', async () => {
  const { features, targets } = mapped('part');
  const data = features[0].data.subarray(6 * 100, 6 * 300);
  expect([data.length, data.byteOffset, data.type]).toEqual([1200, 5000 + 4 * 600, 'float32']);
  const part = { rows: 200, features: [{ ...features[0], data }], targets: targets.subarray(100, 300) } as Examples;
  const array = {
    rows: 200,
    features: [{ type: 'float32', columns: 6, data: numbers.subarray(600, 1800) }],
    targets: inMemory.targets.subarray(100, 300),
  } as Examples;
  expect(await trained(part)).toEqual(await trained(array));
  for (const [begin, end] of [
    [-1, 2],
    [2, 1],
    [0, 3001],
    [0.5, 2],
  ] as const) {
    expect(() => features[0].data.subarray(begin, end)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  }
});

describe('open', () => {
  const ten = written(
    'ten',
    Uint8Array.from({ length: 10 }, (_, index) => index),
  );

  test('takes the rest of the file unless a length is given', () => {
    expect(MappedArray.open(ten, 'uint8').length).toBe(10);
    expect(MappedArray.open(ten, 'uint8', { byteOffset: 4 }).length).toBe(6);
    expect(MappedArray.open(ten, 'float16', { byteOffset: 2, length: 3 }).length).toBe(3);
  });

  test.each<[string, unknown[], string, RegExp]>([
    ['a file that is not there', [file('nothing'), 'uint8'], 'path', /No such file/],
    ['a folder', [folder, 'uint8'], 'path', /is a folder/],
    ['what is no regular file', ['/dev/null', 'uint8'], 'path', /no regular file/],
    ['a path that is no string', [3, 'uint8'], 'path', /a string/],
    ['a path with NUL', [`${ten}\0x`, 'uint8'], 'path', /NUL/],
    ['an unknown type', [ten, 'float64'], 'type', /uint8, float16, float32, int32/],
    ['an offset between two numbers', [ten, 'float32', { byteOffset: 2 }], 'byteOffset', /multiple of the 4 bytes/],
    ['a negative offset', [ten, 'uint8', { byteOffset: -1 }], 'byteOffset', /integer from 0/],
    ['an offset behind the end', [ten, 'uint8', { byteOffset: 10 }], 'byteOffset', /within the 10 bytes/],
    ['a length past the end', [ten, 'float32', { length: 3 }], 'length', /12 bytes from byte 0 on but it has 10/],
    ['no length', [ten, 'uint8', { length: 0 }], 'length', /integer from 1/],
    ['a last number that is cut', [ten, 'float32'], 'length', /whole float32 numbers/],
    ['an empty file', [written('empty', new Uint8Array()), 'uint8'], 'byteOffset', /within the 0 bytes/],
  ])('refuses %s', (_, args, field, message) => {
    const open = () => MappedArray.open(...(args as Parameters<typeof MappedArray.open>));
    expect(open).toThrow(expect.objectContaining({ name: 'EngineError', code: 'INVALID_ARGUMENT', field }));
    expect(open).toThrow(message);
  });

  test('refuses a pipe without waiting for its other end', () => {
    execFileSync('mkfifo', [file('pipe')]);
    expect(() => MappedArray.open(file('pipe'), 'uint8')).toThrow(/no regular file/);
  });
});

describe('a mapped array', () => {
  test('is not closed while a call reads it', async () => {
    const examples = mapped('busy');
    const trainer = trainerOf(Network.create(spec, 1));
    const inUse = expect.objectContaining({ code: 'FAILED_PRECONDITION', field: 'mappedArray' });
    for (const call of [() => trainer.trainEpoch(examples, epochOptions()), () => trainer.evaluate(examples)]) {
      const running = call();
      expect(() => examples.features[0].data.close()).toThrow(inUse);
      expect(() => examples.targets.subarray(0, 1).close()).toThrow(inUse);
      await running;
    }
    // A call that was refused leaves nothing in use.
    await expect(trainer.evaluate({ ...examples, weights: new Float32Array(1) })).rejects.toMatchObject({
      field: 'weights',
    });
    examples.features[0].data.close();
    examples.features[0].data.close();
    const failing = trainer.evaluate(examples);
    await expect(failing).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', field: 'features[0].data' });
    examples.targets.close();
  });

  test('of another type or length is refused like an array', async () => {
    const examples = mapped('wrong');
    const trainer = trainerOf(Network.create(spec, 1));
    const data = examples.features[0].data.subarray(0, 2994);
    await expect(trainer.evaluate({ ...examples, features: [{ type: 'float32', columns: 6, data }] })).rejects.toThrow(
      'Expected `features[0].data` to be a Float32Array of 3000 elements but received a MappedArray of 2994 float32',
    );
    const typed: Examples['features'] = [{ type: 'int32', columns: 6, data: examples.features[0].data }];
    await expect(trainer.evaluate({ ...examples, features: typed })).rejects.toMatchObject({
      field: 'features[0].data',
    });
    await expect(trainer.evaluate({ ...examples, targets: examples.features[0].data })).rejects.toMatchObject({
      field: 'targets',
    });
  });

  test('whose file was cut short is refused before it is read', async () => {
    const examples = mapped('cut');
    truncateSync(file('cut.features'), 8000);
    const running = trainerOf(Network.create(spec, 1)).trainEpoch(examples, epochOptions());
    await expect(running).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', field: 'features[0].data' });
    await expect(running).rejects.toThrow('cut short: expected 17000 bytes but it has 8000');
  });

  test('keeps the old file when another is renamed over it', async () => {
    const examples = mapped('old');
    written('new', new Uint8Array(4));
    renameSync(file('new'), file('old.features'));
    expect(await trained(examples)).toEqual(await trained(inMemory));
  });

  test('with a number that is not finite is refused with its place', async () => {
    const damaged = numbers.slice().fill(Number.NaN, 6 * 123 + 4, 6 * 123 + 5);
    const data = MappedArray.open(written('damaged', damaged), 'float32');
    const examples: Examples = { ...inMemory, features: [{ type: 'float32', columns: 6, data }] };
    await expect(trainerOf(Network.create(spec, 1)).trainEpoch(examples, epochOptions())).rejects.toThrow(
      'in row 123, column 4',
    );
  });

  test('is what its methods are called on', () => {
    for (const method of ['close', 'subarray'] as const) {
      const call = MappedArray.prototype[method] as (this: unknown) => unknown;
      expect(() => call.call({})).toThrow(
        expect.objectContaining({ field: 'mappedArray' } satisfies Partial<EngineError>),
      );
    }
  });
});

test.runIf(process.platform === 'linux')(
  'training over a file takes no memory for it',
  { timeout: 60_000 },
  async () => {
    // A file of zeros without blocks on the disk: its pages are read like any others.
    const [many, columns] = [200_000, 1000];
    for (const [name, size] of [
      ['zeros', many * columns],
      ['classes', many * 4],
    ] as const) {
      writeFileSync(file(name), '');
      truncateSync(file(name), size);
    }
    const data = MappedArray.open(file('zeros'), 'uint8');
    const examples: Examples = {
      rows: many,
      features: [{ type: 'uint8', columns, data }],
      targets: MappedArray.open(file('classes'), 'int32'),
    };
    const trainer = trainerOf(Network.create(specOf(columns, '4 relu', '2 softmax'), 1), { batchSize: 256 });
    const before = anonymousBytes();
    await trainer.trainEpoch(examples, epochOptions());
    await trainer.evaluate(examples);
    // The file has 200 MB, what the network and its batches take is below 10; the rest is the heap's own breathing.
    expect(anonymousBytes() - before).toBeLessThan(40e6);
    trainer.dispose();
  },
);

/** Memory of this process that no file backs. */
function anonymousBytes(): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
}
