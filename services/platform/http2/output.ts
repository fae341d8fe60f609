import type { Writable } from 'node:stream';
import { frameHeadBytes, writeFrameHead } from './protocol.js';

const chunkBytes = 16_384;
/** A longer piece is sent from where it lies. */
const copiedBytesMax = 2_048;
/** With more than this waiting in the socket there is no hurry to make more. */
const backlogBytesMax = 1024 ** 2;

/** Gathers the frames of one turn of the event loop, and writes them to the socket together. */
export class Output {
  #chunk = Buffer.allocUnsafeSlow(chunkBytes);
  #start = 0;
  #end = 0;
  #ready: Uint8Array[] = [];
  /** Told once what is ready now has left. */
  #onSent: (() => void)[] = [];
  #isScheduled = false;

  constructor(private readonly socket: Writable) {}

  /** The peer does not read what is written. */
  get isBackedUp(): boolean {
    return this.socket.writableLength > backlogBytesMax;
  }

  /** @param pieces the payload, `length` bytes; they must not change until they are sent */
  frame(type: number, flags: number, stream: number, pieces: readonly Uint8Array[], length: number): void {
    this.#reserve(frameHeadBytes);
    this.#end = writeFrameHead(this.#chunk, this.#end, length, type, flags, stream);
    for (const piece of pieces) {
      if (piece.length > copiedBytesMax) {
        this.#seal();
        this.#ready.push(piece);
      } else {
        this.#reserve(piece.length);
        this.#chunk.set(piece, this.#end);
        this.#end += piece.length;
      }
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      process.nextTick(this.flush);
    }
  }

  /** Calls back once the frames of this turn have left; never, if they do not. */
  whenSent(onSent: () => void): void {
    this.#onSent.push(onSent);
  }

  readonly flush = (): void => {
    this.#isScheduled = false;
    this.#seal();
    const ready = this.#ready;
    const last = ready.pop();
    if (!last || this.socket.destroyed) {
      ready.length = 0;
      this.#onSent = [];
      return;
    }
    this.#ready = [];
    if (ready.length === 0) {
      this.#write(last);
      return;
    }
    this.socket.cork();
    for (const bytes of ready) {
      this.socket.write(bytes);
    }
    this.#write(last);
    this.socket.uncork();
  };

  /** The last of a turn. */
  #write(bytes: Uint8Array): void {
    const onSent = this.#onSent;
    if (onSent.length === 0) {
      this.socket.write(bytes);
      return;
    }
    this.#onSent = [];
    this.socket.write(bytes, (error) => {
      for (const tell of error ? [] : onSent) {
        tell();
      }
    });
  }

  #reserve(length: number): void {
    if (this.#end + length > this.#chunk.length) {
      this.#seal();
      this.#chunk = Buffer.allocUnsafeSlow(chunkBytes);
      this.#start = 0;
      this.#end = 0;
    }
  }

  #seal(): void {
    if (this.#end > this.#start) {
      this.#ready.push(this.#chunk.subarray(this.#start, this.#end));
      this.#start = this.#end;
    }
  }
}
