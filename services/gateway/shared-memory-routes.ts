import { z } from 'zod';
import { optionsOf } from './calls.js';
import type { InferenceClient } from './oip-routes.js';
import { type Call, checkBody, type Route } from './routes.js';

const size = z.int().nonnegative();
const systemRegion = z.strictObject({ key: z.string(), offset: size.default(0), byte_size: size });
const systemStatus = z.array(z.object({ name: z.string(), key: z.string(), offset: size, byte_size: size }));
const cudaRegion = z.strictObject({
  raw_handle: z.strictObject({ b64: z.base64() }),
  device_id: z.int(),
  byte_size: size,
});
const cudaStatus = z.array(z.object({ name: z.string(), device_id: z.int(), byte_size: size }));
const nothing = z.strictObject({});

/** What is done with the regions of one kind of memory. */
interface Memory {
  path: string;
  /** Beginning of the operations' names. */
  operation: string;
  words: string;
  region: z.ZodType;
  statuses: z.ZodType;
  status(name: string, call: Call): Promise<unknown>;
  register(name: string, call: Call): Promise<unknown>;
  unregister(name: string, call: Call): Promise<unknown>;
}

/** Triton's extensions of shared memory; the client must run on the same machine as inference. */
export function sharedMemoryRoutes(inference: InferenceClient): Route[] {
  return [systemMemory(inference), cudaMemory(inference)].flatMap(routesOf);
}

function systemMemory(inference: InferenceClient): Memory {
  return {
    path: '/v2/systemsharedmemory',
    operation: 'systemSharedMemory',
    words: 'system shared memory',
    region: systemRegion,
    statuses: systemStatus,
    async status(name, call) {
      const { regions } = await inference.systemSharedMemoryStatus({ name }, optionsOf(call));
      return Object.values(regions).map(({ name, key, offset, byteSize }) => ({
        name,
        key,
        offset,
        byte_size: byteSize,
      }));
    },
    register(name, call) {
      const { key, offset, byte_size: byteSize } = checkBody(systemRegion, call.body);
      return inference.systemSharedMemoryRegister({ name, key, offset, byteSize }, optionsOf(call));
    },
    unregister: (name, call) => inference.systemSharedMemoryUnregister({ name }, optionsOf(call)),
  };
}

function cudaMemory(inference: InferenceClient): Memory {
  return {
    path: '/v2/cudasharedmemory',
    operation: 'cudaSharedMemory',
    words: 'CUDA memory',
    region: cudaRegion,
    statuses: cudaStatus,
    async status(name, call) {
      const { regions } = await inference.cudaSharedMemoryStatus({ name }, optionsOf(call));
      return Object.values(regions).map(({ name, deviceId, byteSize }) => ({
        name,
        device_id: deviceId,
        byte_size: byteSize,
      }));
    },
    register(name, call) {
      const { raw_handle, device_id: deviceId, byte_size: byteSize } = checkBody(cudaRegion, call.body);
      const rawHandle = Buffer.from(raw_handle.b64, 'base64');
      return inference.cudaSharedMemoryRegister({ name, rawHandle, deviceId, byteSize }, optionsOf(call));
    },
    unregister: (name, call) => inference.cudaSharedMemoryUnregister({ name }, optionsOf(call)),
  };
}

function routesOf(memory: Memory): Route[] {
  const { path, operation, words } = memory;
  const one = `${path}/region/{region}`;
  const status = { method: 'GET', takes: null, gives: memory.statuses } as const;
  const unregister = { method: 'POST', takes: nothing, gives: null } as const;
  return [
    {
      ...status,
      path: `${path}/status`,
      operation: `${operation}Statuses`,
      summary: `Registered regions of ${words}.`,
      handle: (call) => memory.status('', call),
    },
    {
      ...status,
      path: `${one}/status`,
      operation: `${operation}Status`,
      summary: `One region of ${words}.`,
      handle: (call) => memory.status(call.params.region!, call),
    },
    {
      method: 'POST',
      path: `${one}/register`,
      operation: `${operation}Register`,
      summary: `Lets inferences name a region of ${words}.`,
      takes: memory.region,
      gives: null,
      handle: async (call) => void (await memory.register(call.params.region!, call)),
    },
    {
      ...unregister,
      path: `${path}/unregister`,
      operation: `${operation}UnregisterAll`,
      summary: `Forgets every region of ${words}, without freeing it.`,
      handle: async (call) => void (await memory.unregister('', call)),
    },
    {
      ...unregister,
      path: `${one}/unregister`,
      operation: `${operation}Unregister`,
      summary: `Forgets a region of ${words}, without freeing it.`,
      handle: async (call) => void (await memory.unregister(call.params.region!, call)),
    },
  ];
}
