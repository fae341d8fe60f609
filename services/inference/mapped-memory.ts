import { SharedMemory } from '../../native/index.js';
import type { SharedRegion } from './control.js';
import type { MappedMemory } from './shared-memory.js';

/** Maps POSIX shared memory by the engine's binding. */
export function mapMemory({ key, offset, byteSize }: SharedRegion): MappedMemory {
  return SharedMemory.open({ key, offset, byteSize });
}
