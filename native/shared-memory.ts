import { markAsUntransferable } from 'node:worker_threads';
import { addon, type SharedMemoryHandle } from './addon.js';
import { invalidArgument } from './engine-error.js';

/** `byteSize` bytes (at least 1) from byte `offset` on of the POSIX shared memory object that `shm_open` knows as `key`. */
export interface SharedMemoryRegion {
  /** With or without its leading slash, as the system has it; no other slash, at most 255 bytes. */
  key: string;
  offset: number;
  byteSize: number;
}

/**
 * Shared memory that another program has made, read and written where it lies. Every method throws EngineError:
 * INVALID_ARGUMENT for a wrong argument, FAILED_PRECONDITION after `close` and once the memory has been cut short.
 *
 * That program may write at any time, so that two readings of a byte may differ, and cut the object short. The latter does
 * not end this process: what lay behind the cut is replaced by zeros of its own, and writes there reach nobody. Work that
 * used a view therefore calls `expectWhole` when it has ended, before its result counts.
 */
export class SharedMemory implements SharedMemoryRegion {
  readonly key: string;
  readonly offset: number;
  readonly byteSize: number;
  readonly #handle: SharedMemoryHandle;
  #buffer: ArrayBuffer | null;

  private constructor({ key, offset, byteSize }: SharedMemoryRegion) {
    this.#handle = new addon.SharedMemoryHandle(key, offset, byteSize);
    this.key = key;
    this.offset = offset;
    this.byteSize = byteSize;
    this.#buffer = this.#handle.buffer();
    markAsUntransferable(this.#buffer);
  }

  /**
   * Refuses with INVALID_ARGUMENT, naming `key` or `byteSize`, an object that does not exist, that this process may not read
   * and write, or that is too short.
   */
  static open(region: SharedMemoryRegion): SharedMemory {
    return new SharedMemory(region);
  }

  /**
   * A view of `length` bytes from `offset` on within the region, without a copy. It may be used after `close`: the memory
   * stays mapped until the last view is gone, those that asynchronous work holds included.
   */
  bytes(offset: number, length: number): Uint8Array {
    const memory = SharedMemory.#of(this);
    memory.#handle.expectWhole();
    if (!isCount(offset) || offset > memory.byteSize) {
      throw invalidArgument('offset', `Expected \`offset\` to be from 0 to ${memory.byteSize} but received ${offset}.`);
    }
    const rest = memory.byteSize - offset;
    if (!isCount(length) || length > rest) {
      throw invalidArgument('length', `Expected \`length\` to be from 0 to ${rest} but received ${length}.`);
    }
    return new Uint8Array(memory.#buffer as ArrayBuffer, offset, length);
  }

  /** Throws FAILED_PRECONDITION if the object is shorter than the region now, or was while a view was used. */
  expectWhole(): void {
    SharedMemory.#of(this).#handle.expectWhole();
  }

  /** The object itself stays: whoever made it removes it. A second call does nothing. */
  close(): void {
    const memory = SharedMemory.#of(this);
    memory.#handle.close();
    memory.#buffer = null;
  }

  static #of(memory: SharedMemory): SharedMemory {
    if (typeof memory === 'object' && memory !== null && #handle in memory) return memory;
    throw invalidArgument('sharedMemory', 'Expected a SharedMemory.');
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
