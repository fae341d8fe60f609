/**
 * `node dist/test/bench/data-images.js FOLDER REPEATS` prints, as JSON, the processor time and the time in seconds of decoding the
 * JPEG files of a folder, each so many times, to tensors [64, 64, 3] of bytes, as training and serving do.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pipelineFormat, preparePipeline, transformColumns } from '../../services/pipeline/index.js';

const [folder, repeats] = process.argv.slice(2) as [string, string];
const side = 64;
const width = side * side * 3;
const shape = [side, side, 3];
const size = { height: side, width: side, channels: 3 } as const;
const pipeline = preparePipeline({
  format: pipelineFormat,
  columns: [
    {
      column: 'image',
      type: 'binary',
      width: null,
      shape: [],
      steps: [{ kind: 'decodeImage', ...size, fit: 'fill', filter: 'bilinear' }],
    },
  ],
  label: { column: 'y', kind: 'classes', classes: ['0', '1'] },
  features: { count: width, type: 'uint8', scale: 1, offset: 0 },
});

const files = readdirSync(folder).map((name) => readFileSync(path.join(folder, name)));
const offsets = new Int32Array(files.length + 1);
files.forEach((file, i) => {
  offsets[i + 1] = offsets[i]! + file.length;
});
const bytes = Buffer.concat(files);
const chunk = { kind: 'binary', length: files.length, bytes, offsets, validity: null } as const;
const rows = Int32Array.from(files.keys());

// What loading the libraries takes does not count, as in the peer's program.
await transformColumns(pipeline, [chunk], rows.subarray(0, 1));
const began = performance.now();
const used = process.cpuUsage();
for (let i = 0; i < Number(repeats); i++) {
  const tensors = await transformColumns(pipeline, [chunk], rows);
  if (tensors.length !== files.length * width || !(tensors instanceof Uint8Array)) {
    throw new Error(`the tensors of ${files.length} images of ${shape} have ${tensors.length} elements`);
  }
}
const { user, system } = process.cpuUsage(used);
const processorSeconds = (user + system) / 1e6;
process.stdout.write(`${JSON.stringify({ processorSeconds, seconds: (performance.now() - began) / 1e3 })}\n`);
