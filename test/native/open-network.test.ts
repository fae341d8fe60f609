import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineError, Network, type NetworkSpec, readSafetensors, writeSafetensors } from '../../native/index.js';
import { digestOf, epochOptions, examplesOf, noise, specOf, trainerOf } from './build-network.js';

const plain = specOf(37, '53 relu', '19 tanh', '5 softmax');
/** With what is folded: normalisations before and after products. */
const folding: NetworkSpec = {
  inputs: 37,
  layers: [
    { type: 'batchNormalization' },
    { type: 'dense', units: 40, useBias: false },
    { type: 'batchNormalization' },
    { type: 'activation', activation: 'relu' },
    { type: 'dense', units: 5, activation: 'softmax' },
  ],
};

let folder = '';
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-open-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(bytes: Uint8Array): string {
  files += 1;
  const path = join(folder, `${files}.safetensors`);
  writeFileSync(path, bytes);
  return path;
}

/** A network whose moving statistics are not those it began with. */
async function trained(spec: NetworkSpec): Promise<Network> {
  const network = Network.create(spec, 3);
  const trainer = trainerOf(network);
  await trainer.trainEpoch(examplesOf(200, 37, 5), epochOptions());
  trainer.dispose();
  return network;
}

async function refused(spec: NetworkSpec, path: string, preparedPath: string | null = null): Promise<EngineError> {
  try {
    await Network.openSafetensors(spec, path, { preparedPath });
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    return error as EngineError;
  }
  throw new Error('Expected an EngineError.');
}

describe('Network.openSafetensors refuses', () => {
  test.each([
    ['a number as path', 7],
    ['no path', undefined],
    ['a file that is not there', '/nowhere/model.safetensors'],
    ['a folder', tmpdir()],
    ['a device', '/dev/null'],
  ])('%s', async (_, path) => {
    expect(await refused(plain, path as string)).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'path' });
  });

  test('a wrong spec', async () => {
    const path = fileOf(Network.create(plain, 1).toSafetensors({}));
    expect(await refused(specOf(37, '0 relu'), path)).toMatchObject({ field: 'layers[0].units' });
  });

  test('what readSafetensors refuses, in its words', async () => {
    const bytes = Network.create(plain, 1).toSafetensors({});
    const wrong = bytes.slice();
    new DataView(wrong.buffer).setFloat32(bytes.length - 4, Number.NaN, true);
    const { tensors } = readSafetensors(bytes);
    tensors.delete('layers.1.bias');
    const cases: [Uint8Array, NetworkSpec][] = [
      [new Uint8Array(0), plain],
      [bytes.slice(0, 5), plain],
      [bytes.slice(0, 40), plain],
      [bytes.slice(0, bytes.length - 1), plain],
      [new Uint8Array([...bytes, 0]), plain],
      [wrong, plain],
      [writeSafetensors(tensors, {}), plain],
      [bytes, specOf(37, '54 relu', '19 tanh', '5 softmax')],
      [bytes, specOf(37, '53 relu')],
    ];
    for (const [file, spec] of cases) {
      let expected: unknown = null;
      try {
        Network.fromSafetensors(spec, file);
      } catch (error) {
        expected = error;
      }
      expect(await refused(spec, fileOf(file))).toEqual(expected);
    }
  });

  test.each([
    ['in a folder that is not there', '/nowhere/model.prepared'],
    ['where a folder is', tmpdir()],
  ])('a prepared file %s', async (_, preparedPath) => {
    const path = fileOf(Network.create(plain, 1).toSafetensors({}));
    expect(await refused(plain, path, preparedPath)).toMatchObject({
      code: 'FAILED_PRECONDITION',
      field: 'preparedPath',
    });
  });

  test('a number as prepared path', async () => {
    const path = fileOf(Network.create(plain, 1).toSafetensors({}));
    expect(await refused(plain, path, 7 as never)).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'preparedPath' });
  });
});

describe.each([
  ['a plain network', plain],
  ['a network with folded normalisations', folding],
])('%s', (_, spec) => {
  test('opened from a file, prepared or not, is the same network', async () => {
    const network = await trained(spec);
    const expected = network.predict(noise(37 * 70), 70);
    const path = fileOf(network.toSafetensors({ note: 'x' }));
    const preparedPath = `${path}.prepared`;
    // Without, made, and found.
    for (const prepared of [null, preparedPath, preparedPath]) {
      const opened = await Network.openSafetensors(spec, path, { preparedPath: prepared });
      expect(opened).toMatchObject({ spec, outputs: 5, parameterCount: network.parameterCount });
      expect(opened.sizeBytes).toBe(network.sizeBytes);
      expect(opened.predict(noise(37 * 70), 70)).toEqual(expected);
      expect(digestOf(opened)).toBe(digestOf(network));
      const small = opened.quantize({ type: 'int8', calibration: null });
      expect(small.predict(noise(37), 1)).toEqual(
        network.quantize({ type: 'int8', calibration: null }).predict(noise(37), 1),
      );
      opened.dispose();
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.draft'))).toEqual([]);
  });

  test('can be trained without changing the file', async () => {
    const path = fileOf((await trained(spec)).toSafetensors({}));
    const preparedPath = `${path}.prepared`;
    const [first, second] = await Promise.all([
      Network.openSafetensors(spec, path, { preparedPath }),
      Network.openSafetensors(spec, path),
    ]);
    const before = readFileSync(preparedPath);
    for (const network of [first, second]) {
      await trainerOf(network).trainEpoch(examplesOf(200, 37, 5), epochOptions());
    }
    expect(digestOf(first)).toBe(digestOf(second));
    expect(first.predict(noise(37), 1)).toEqual(second.predict(noise(37), 1));
    expect(readFileSync(preparedPath)).toEqual(before);
  });
});

describe('a prepared file', () => {
  async function prepared(spec = plain) {
    const network = await trained(spec);
    const path = fileOf(network.toSafetensors({}));
    const preparedPath = `${path}.prepared`;
    const open = () => Network.openSafetensors(spec, path, { preparedPath });
    (await open()).dispose();
    return { network, path, preparedPath, open };
  }

  test('that is as it should be is left alone', async () => {
    const { preparedPath, open } = await prepared();
    const { ino } = statSync(preparedPath);
    await open();
    expect(statSync(preparedPath).ino).toBe(ino);
  });

  test('that is damaged in any part is made anew', async () => {
    const { network, preparedPath, open } = await prepared(folding);
    const whole = readFileSync(preparedPath);
    const damages: ((bytes: Buffer) => Uint8Array)[] = [
      (bytes) => bytes.subarray(0, 0),
      (bytes) => bytes.subarray(0, 100),
      (bytes) => bytes.subarray(0, bytes.length - 4),
      (bytes) => Buffer.concat([bytes, bytes.subarray(0, 64)]),
      ...[0, 24, 32, 40, 48, 65536, whole.length - 64].map((at) => (bytes: Buffer) => {
        bytes[at]! ^= 1;
        return bytes;
      }),
    ];
    for (const damage of damages) {
      const beside = `${preparedPath}.damaged`;
      writeFileSync(beside, damage(Buffer.from(whole)));
      renameSync(beside, preparedPath);
      const opened = await open();
      expect(opened.predict(noise(37), 1)).toEqual(network.predict(noise(37), 1));
      expect(readFileSync(preparedPath)).toEqual(whole);
    }
  });

  test('of a source that has changed is made anew', async () => {
    const { path, preparedPath, open } = await prepared();
    const other = Network.create(plain, 99);
    writeFileSync(`${path}.new`, other.toSafetensors({}));
    renameSync(`${path}.new`, path);
    expect((await open()).predict(noise(37), 1)).toEqual(other.predict(noise(37), 1));
    const { ino } = statSync(preparedPath);
    utimesSync(path, 1, 1);
    await open();
    expect(statSync(preparedPath).ino).not.toBe(ino);
  });

  test('may be removed while a network uses it', async () => {
    const { network, preparedPath, open } = await prepared();
    const opened = await open();
    rmSync(preparedPath);
    expect(opened.predict(noise(37), 1)).toEqual(network.predict(noise(37), 1));
  });

  test('opened by many at once becomes one file', async () => {
    const network = await trained(plain);
    const path = fileOf(network.toSafetensors({}));
    const preparedPath = `${path}.prepared`;
    const opened = await Promise.all(
      Array.from({ length: 8 }, () => Network.openSafetensors(plain, path, { preparedPath })),
    );
    for (const one of opened) expect(one.predict(noise(37), 1)).toEqual(network.predict(noise(37), 1));
    expect(
      readdirSync(folder)
        .filter((name) => name.startsWith(`${files}.`))
        .sort(),
    ).toEqual([`${files}.safetensors`, `${files}.safetensors.prepared`]);
  });

  test.skipIf(process.platform !== 'linux')('takes no private memory (Linux tells by /proc/self/smaps)', async () => {
    const wide = specOf(1024, '1024 relu', '1024 relu', '10 softmax');
    const path = fileOf(Network.create(wide, 1).toSafetensors({}));
    const preparedPath = `${path}.prepared`;
    const opened = await Network.openSafetensors(wide, path, { preparedPath });
    opened.predict(noise(1024), 1);
    const maps = readFileSync('/proc/self/smaps', 'utf8').split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
    const map = maps.find((entry) => entry.includes(preparedPath))!;
    const kilobytes = (field: string) => Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(map)![1]);
    expect(kilobytes('Rss')).toBeGreaterThan(8000);
    expect(kilobytes('Anonymous')).toBe(0);
    opened.dispose();
  });
});
