/**
 * Run by quantized.test.ts with MILLRACE_INSTRUCTION_SET: prints the instruction set and the SHA-256 of answers in int8.
 * Without exponentials between the layers these are sums of integers and single roundings.
 */
import { createHash } from 'node:crypto';
import { engineInfo, Network } from '../../native/index.js';
import { noise, specOf } from './build-network.js';

const digest = createHash('sha256');
for (const [rows, widths] of Object.entries({ 1: '257 relu', 7: '31 relu', 33: '128 relu', 65: '1030 relu' })) {
  const network = Network.create(specOf(1041, widths, '17 relu', '10 linear'), 4);
  const input = noise(Number(rows) * 1041, 3);
  for (const calibration of [null, { input, rows: Number(rows) }]) {
    digest.update(network.quantize({ type: 'int8', calibration }).predict(input, Number(rows)));
  }
}
// exit: the loader of sources would go on waiting for more.
process.stdout.write(`${engineInfo().instructionSet} ${digest.digest('hex')}\n`, () => process.exit());
