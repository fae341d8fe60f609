import { Admission } from '../../../services/inference/admission.js';
import { LoadedVersion } from '../../../services/inference/loaded-version.js';
import {
  NetworkExecutable,
  type PredictingNetwork,
  toBytes,
  toFloats,
} from '../../../services/inference/network-executable.js';

/** A network of two inputs and one output, their sum, that remembers being freed. */
export class SumNetwork implements PredictingNetwork {
  disposals = 0;
  predictions = 0;

  predictInto(input: Uint8Array, rows: number, output: Uint8Array): void {
    if (this.disposals > 0) {
      throw new Error('used after it was freed');
    }
    this.predictions++;
    const values = toFloats(input);
    output.set(toBytes(Float32Array.from({ length: rows }, (_, row) => values[2 * row]! + values[2 * row + 1]!)));
  }

  async predictIntoAsync(input: Uint8Array, rows: number, output: Uint8Array): Promise<void> {
    this.predictInto(input, rows, output);
  }

  dispose(): void {
    this.disposals++;
  }
}

export const digestOfVersion = (number: number) => `sha256:${String(number).padStart(64, '0')}`;

/** A version of models/sums that can be loaded. */
export function sumVersion(
  number: number,
  change: { digest?: string; rowWork?: number; batchRowsMax?: number; messageBytesMax?: number } = {},
) {
  const network = new SumNetwork();
  const version = new LoadedVersion(
    {
      model: 'sums',
      number,
      digest: change.digest ?? digestOfVersion(number),
      executable: new NetworkExecutable(network, {
        input: { name: 'input', width: 2 },
        output: { name: 'output', width: 1 },
        rowWork: change.rowWork ?? 2,
        sizeBytes: 8,
      }),
      transform: async () => new Float32Array(),
      classes: null,
      multiLabel: false,
      numbers: null,
    },
    {
      admission: new Admission({ requestsMax: 8, bytesMax: 1_000, threadsMax: 1 }),
      batchRowsMax: change.batchRowsMax ?? 8,
      messageBytesMax: change.messageBytesMax ?? 64 * 1024 * 1024,
    },
  );
  return { version, network };
}

export const describeVersion = (number: number, digest = digestOfVersion(number)) => ({
  number,
  digest,
  artifacts: new Map(),
});

/** A version that every worker has, and that remembers being retired. */
export function preparedVersion(number: number, digest = digestOfVersion(number)) {
  const prepared = {
    id: 100 + number,
    number,
    digest,
    retirements: 0,
    retire() {
      prepared.retirements++;
    },
  };
  return prepared;
}
