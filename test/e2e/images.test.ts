import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Millrace } from '../../clients/sdk/index.js';
import { millrace, mnistFolder, root, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';

const folder = tempFolder();
let mesh: TestMesh;
beforeAll(async () => {
  mesh = await TestMesh.start(tempFolder());
}, 60_000);
afterAll(() => mesh?.stop());

interface Digit {
  file: string;
  label: string;
}

/** Writes the first digits of MNIST as PNG files into a folder a class. */
async function writeDigits(part: 'train' | 'test', count: number): Promise<Digit[]> {
  const prefix = path.join(mnistFolder, part === 'train' ? 'train' : 't10k');
  const pixels = readFileSync(`${prefix}-images-idx3-ubyte`).subarray(16);
  const labels = readFileSync(`${prefix}-labels-idx1-ubyte`).subarray(8);
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const label = String(labels[i]);
      const file = path.join(folder, part, label, `${i}.png`);
      mkdirSync(path.dirname(file), { recursive: true });
      const raw = { width: 28, height: 28, channels: 1 as const };
      const png = sharp(pixels.subarray(i * 784, (i + 1) * 784), { raw }).png();
      writeFileSync(file, await png.toBuffer());
      return { file, label };
    }),
  );
}

async function succeed(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await millrace(...args, `--port-base=${mesh.portBase}`);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe('digits as PNG files in class folders', () => {
  it('are imported, trained on and recognised when they are sent as files', { timeout: 120_000 }, async () => {
    await writeDigits('train', 2_500);
    const digits = await writeDigits('test', 300);
    await succeed('data', 'import', 'digits', folder);
    await succeed('train', '-f', path.join(root, 'clients/examples/mnist-png.yaml'), '--follow');
    const client = new Millrace({ portBase: mesh.portBase });
    try {
      const { pipelines } = await client.preprocessing.listPipelines({});
      expect(pipelines[0]).toMatchObject({ featureType: 'FEATURE_TYPE_UINT8', featureCount: 784 });
      const records = digits.map(({ file }) => ({ values: { image: { content: readFileSync(file) } } }));
      const { predictions } = await client.prediction.predict({ model: 'models/digits', records });
      const right = predictions.filter(({ label }, i) => label === digits[i]!.label).length;
      // The most frequent digit makes up an eighth of these.
      expect(right / digits.length).toBeGreaterThan(0.85);
      const place = predictions.findIndex(({ label }, i) => label === digits[i]!.label);
      const printed = await succeed('predict', 'digits', '--file', digits[place]!.file, '--json');
      expect(JSON.parse(printed).predictions[0].label).toBe(digits[place]!.label);
      const broken = records[0]!.values.image.content.subarray(0, 100);
      const call = client.prediction.predict({
        model: 'models/digits',
        records: [{ values: { image: { content: broken } } }],
      });
      await expect(call).rejects.toThrow('`records[0].values["image"]` to be a whole PNG');
    } finally {
      client.close();
    }
  });
});
