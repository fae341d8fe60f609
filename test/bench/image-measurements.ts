import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { root } from '../support/mesh.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';
import type { Measurement } from './main.js';
import { environmentOf } from './peers.js';
import { compareMany, lastJson, type ManyContender } from './trial.js';

const side = 256;
const files = 200;
const repeats = 50;
const target = 0.7;

/** JPEG files to tensors, beside Pillow (`MILLRACE_PEERS/pillow`, with numpy). */
export async function imageMeasurements(trials: number, note: (line: string) => void): Promise<Measurement[]> {
  const folder = path.join(tempFolder(), 'jpeg');
  mkdirSync(folder);
  try {
    await Promise.all(Array.from({ length: files }, (_, i) => writeJpeg(path.join(folder, `${i}.jpg`), i)));
    const program = fileURLToPath(new URL('data-images.js', import.meta.url));
    const args = [folder, String(repeats)];
    const contenders = [contender('Millrace', process.execPath, [program, ...args])];
    const peer = environmentOf('pillow');
    if ('missing' in peer) {
      note(`Pillow is not measured: ${peer.missing}`);
    } else {
      const script = [path.join(root, 'test/bench/image_pillow.py'), ...args];
      contenders.push(contender('Pillow', peer.python, [...script, 'whole']));
      contenders.push(contender('Pillow, decoding to half the size', peer.python, [...script, 'smaller']));
    }
    const figures = (await compareMany(contenders, trials)).get('processorSeconds')!;
    const [ours, theirs] = figures;
    return [
      {
        work: `${files * repeats} JPEG files of ${side} x ${side} to 64 x 64 bytes in colour, bilinear: processor time`,
        unit: 's',
        figures,
        target: `at most ${target} of Pillow, decoding the whole`,
        reached: theirs ? ours!.median <= target * theirs.median : null,
      },
    ];
  } finally {
    removeTempFolders();
  }
}

function contender(name: string, command: string, args: string[]): ManyContender {
  return { name, command, args, figures: (stdout) => lastJson<Record<string, number>>(stdout) };
}

/** Waves with some noise, as hard to decode as a photo: 18 to 24 kB. */
async function writeJpeg(file: string, number: number): Promise<void> {
  const pixels = Buffer.alloc(side * side * 3);
  let random = number + 1;
  for (let i = 0; i < pixels.length; i++) {
    const channel = i % 3;
    const x = Math.floor(i / 3) % side;
    const y = Math.floor(i / 3 / side);
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const wave = Math.sin(x / (5 + ((number + 7 * channel) % 40)) + number) * Math.cos(y / (6 + (number % 37)));
    pixels[i] = Math.max(0, Math.min(255, 128 + 100 * wave + ((random >>> 8) / 2 ** 24 - 0.5) * 28));
  }
  await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: 90 })
    .toFile(file);
}
