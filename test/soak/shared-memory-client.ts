import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import type { InferenceClient } from '../bench/serving/own-server.js';
import { bytesOf, seedInputs, seedModel, seedOutputs, sharedMemoryRequest } from '../bench/serving/requests.js';
import { check, rowsMax, type Session } from './good-clients.js';
import { add } from './ledger.js';

const inputBytesMax = rowsMax * seedInputs * Float32Array.BYTES_PER_ELEMENT;
const outputBytesMax = rowsMax * seedOutputs * Float32Array.BYTES_PER_ELEMENT;
const requestsOfARegion = 500;

/** Asks with tensors in shared memory; registers its region anew from time to time. */
export async function askBySharedMemory(session: Session, inference: InferenceClient, number: number): Promise<void> {
  const name = `soak-${process.pid}-${number}`;
  const file = openSync(`/dev/shm/${name}`, 'w+');
  writeSync(file, Buffer.alloc(inputBytesMax + outputBytesMax));
  const region = { name, key: `/${name}`, offset: 0, byteSize: inputBytesMax + outputBytesMax };
  try {
    while (!session.ending.aborted) {
      const begin = performance.now();
      try {
        await inference.systemSharedMemoryRegister(region);
        for (let i = 0; i < requestsOfARegion && !session.ending.aborted; i++) {
          await askOnce(session, inference, name, file);
        }
        await inference.systemSharedMemoryUnregister({ name });
        add(session.ledger.changes, 'regions registered');
      } catch (error) {
        session.ledger.failed('shared memory, registration', begin, error as Error);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        await inference.systemSharedMemoryUnregister({ name }).catch(() => undefined);
      }
    }
  } finally {
    closeSync(file);
    rmSync(`/dev/shm/${name}`);
  }
}

async function askOnce(session: Session, inference: InferenceClient, name: string, file: number): Promise<void> {
  const rows = session.answers.pick(rowsMax);
  const bytes = bytesOf(session.answers.inputOf(rows));
  writeSync(file, bytes, 0, bytes.length, 0);
  const output = Buffer.alloc(rows.count * seedOutputs * Float32Array.BYTES_PER_ELEMENT, 0xff);
  // What an earlier request left there is no answer to this one.
  writeSync(file, output, 0, output.length, inputBytesMax);
  const request = sharedMemoryRequest(
    seedModel,
    [rows.count, seedInputs],
    { region: name, offset: 0, byteSize: bytes.length },
    { region: name, offset: inputBytesMax, byteSize: output.length },
  );
  const begin = performance.now();
  try {
    const { modelVersion } = await inference.modelInfer(request);
    readSync(file, output, 0, output.length, inputBytesMax);
    check(session, 'shared memory', modelVersion, rows, output);
  } catch (error) {
    session.ledger.failed('shared memory', begin, error as Error);
  }
}
