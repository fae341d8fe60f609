/**
 * `node dist/test/bench/engine-rows.js [ROWS] [THREADS]` trains a small network for one epoch over a mapped file of as
 * many rows and prints the figures as one line of JSON: time an example and memory should not depend on ROWS.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Examples, MappedArray, Network, Trainer } from '../../native/index.js';

const [rows = 1_000_000, threads = 2] = process.argv.slice(2).map(Number);
const columns = 32;
const rowsAtOnce = 10_000;

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-rows-'));
try {
  writeFiles();
  console.log(JSON.stringify(await trainOneEpoch()));
} finally {
  rmSync(folder, { recursive: true });
}

/** Bytes without a pattern, of class 1 where the first is above the second; a part at a time, so that none stays in memory. */
function writeFiles(): void {
  const features = openSync(path.join(folder, 'features'), 'w');
  const targets = openSync(path.join(folder, 'targets'), 'w');
  let state = 1;
  const bytes = new Uint8Array(rowsAtOnce * columns);
  const classes = new Int32Array(rowsAtOnce);
  for (let first = 0; first < rows; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - first);
    for (let index = 0; index < count * columns; index += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bytes[index] = state >>> 24;
    }
    for (let row = 0; row < count; row += 1) classes[row] = Number(bytes[row * columns]! > bytes[row * columns + 1]!);
    writeSync(features, bytes.subarray(0, count * columns));
    writeSync(targets, new Uint8Array(classes.buffer, 0, count * 4));
  }
  closeSync(features);
  closeSync(targets);
}

async function trainOneEpoch() {
  const network = Network.create(
    {
      inputs: columns,
      layers: [
        { type: 'dense', units: 16, activation: 'relu', kernelInitializer: 'heUniform' },
        { type: 'dense', units: 2, activation: 'softmax', kernelInitializer: 'glorotUniform' },
      ],
    },
    1,
  );
  const trainer = new Trainer(network, {
    loss: 'categoricalCrossEntropy',
    optimizer: { type: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false },
    batchSize: 256,
    seed: 1,
    threads,
  });
  const data = MappedArray.open(path.join(folder, 'features'), 'uint8');
  const targets = MappedArray.open(path.join(folder, 'targets'), 'int32');
  const examples: Examples = { rows, features: [{ type: 'uint8', columns, data, scale: 1 / 255 }], targets };
  const options = { progressIntervalMs: 1000, onProgress: null, signal: null };
  // One step starts the threads and looks through the examples once, which later epochs do not.
  await trainer.trainEpoch(examples, { ...options, epoch: 0, maxSteps: 1 });
  const anonymousBefore = anonymousBytes();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const { loss, accuracy } = await trainer.trainEpoch(examples, { ...options, epoch: 1 });
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const anonymous = anonymousBytes();
  trainer.dispose();
  network.dispose();
  return {
    rows,
    seconds,
    nanosecondsPerExample: (seconds * 1e9) / rows,
    /** Of all threads: less disturbed by other work on the machine. */
    cpuNanosecondsPerExample: ((user + system) * 1e3) / rows,
    fileBytes: rows * (columns + 4),
    rssAnonBytes: anonymous,
    rssAnonGrowthBytes: anonymous - anonymousBefore,
    loss,
    accuracy,
  };
}

/** Memory of this process that no file backs. */
function anonymousBytes(): number {
  const line = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line?.[1]) * 1024;
}
