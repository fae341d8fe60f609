import { ServiceError } from '../platform/errors.js';
import type { SharedRegion } from './control.js';
import type { RegionPart } from './request-parameters.js';
import type { SharedMemory } from './tensor-request.js';

/** Memory of another program, where it lies. */
export interface MappedMemory {
  /** A view; fails where the memory has been cut short. */
  bytes(offset: number, length: number): Uint8Array;
  /** Fails where the memory has been cut short since `bytes`. */
  expectWhole(): void;
  close(): void;
}

/** Maps a region; fails with words when it cannot. */
export type MapMemory = (region: SharedRegion) => MappedMemory;

/** The regions of shared memory that this process has open, by the names that requests use. */
export class SharedMemoryRegions implements SharedMemory {
  readonly #regions = new Map<string, { region: SharedRegion; memory: MappedMemory }>();

  constructor(private readonly map: MapMemory) {}

  /** A region that cannot be opened is INVALID_ARGUMENT, and nothing is registered. */
  register(region: SharedRegion): void {
    let memory: MappedMemory;
    try {
      memory = this.map(region);
    } catch (error) {
      const { name, key } = region;
      const reason = error instanceof Error ? error.message : String(error);
      const message = `failed to register shared memory region '${name}': Unable to open shared memory region: '${key}'. ${reason}`;
      throw new ServiceError('INVALID_ARGUMENT', 'SHARED_MEMORY_NOT_OPENED', message, { cause: error });
    }
    this.#regions.get(region.name)?.memory.close();
    this.#regions.set(region.name, { region, memory });
  }

  /** @param name empty: all regions */
  unregister(name: string): void {
    for (const known of name === '' ? [...this.#regions.keys()] : [name]) {
      this.#regions.get(known)?.memory.close();
      this.#regions.delete(known);
    }
  }

  bytes({ region: name, offset, byteSize }: RegionPart): Uint8Array {
    const { region, memory } = this.#find(name);
    const isWithin = offset >= 0 && byteSize >= 0 && offset + byteSize <= region.byteSize;
    if (!isWithin) {
      const message = `Invalid offset + byte size for shared memory region: '${name}' has ${region.byteSize} bytes, but ${byteSize} from ${offset} on were asked for.`;
      throw new ServiceError('INVALID_ARGUMENT', 'SHARED_MEMORY_TOO_SHORT', message);
    }
    return this.#use(name, () => memory.bytes(offset, byteSize));
  }

  expectWhole(name: string): void {
    // One that was unregistered meanwhile was whole when it was: its memory stays mapped as long as it is in use.
    const entry = this.#regions.get(name);
    if (entry) {
      this.#use(name, () => entry.memory.expectWhole());
    }
  }

  #find(name: string) {
    const entry = this.#regions.get(name);
    if (!entry) {
      const message = `Unable to find shared memory region: '${name}'`;
      throw new ServiceError('NOT_FOUND', 'SHARED_MEMORY_NOT_FOUND', message);
    }
    return entry;
  }

  #use<T>(name: string, use: () => T): T {
    try {
      return use();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `Shared memory region '${name}' cannot be used: ${reason}`;
      throw new ServiceError('INVALID_ARGUMENT', 'SHARED_MEMORY_GONE', message, { cause: error });
    }
  }
}
