import { rmSync, writeFileSync } from 'node:fs';
import type { InferenceClient } from './own-server.js';
import { bytesOf, framed, seedInputs, seedModel, seedOutputs, sharedMemoryRequest, testImages } from './requests.js';

/** Calls `use` with a framed request whose tensors lie in a registered region of shared memory. */
export async function withSharedMemory<T>(
  inference: InferenceClient,
  rows: number,
  use: (body: Uint8Array) => Promise<T>,
): Promise<T> {
  const name = `bench-${process.pid}`;
  const file = `/dev/shm/${name}`;
  const images = bytesOf(testImages(rows));
  const outputBytes = rows * seedOutputs * Float32Array.BYTES_PER_ELEMENT;
  const byteSize = images.length + outputBytes;
  writeFileSync(file, Buffer.concat([images, Buffer.alloc(outputBytes)]));
  try {
    await inference.systemSharedMemoryRegister({ name, key: `/${name}`, offset: 0, byteSize });
    const input = { region: name, offset: 0, byteSize: images.length };
    const output = { region: name, offset: images.length, byteSize: outputBytes };
    const result = await use(framed(sharedMemoryRequest(seedModel, [rows, seedInputs], input, output)));
    await inference.systemSharedMemoryUnregister({ name });
    return result;
  } finally {
    rmSync(file);
  }
}
