import type { Output } from './output.js';
import { errorCode, frameType, windowBytesMax } from './protocol.js';
import { uint32 } from './stream.js';

/** Time for the peer to learn that it should open no more streams, or why it is sent away. */
const noticeMs = 1_000;
const noticePing = Buffer.from('draining', 'latin1');

/**
 * How a connection takes its leave: it says so, serves what comes until the peer has heard it, and then names the last stream that it
 * serves. Requests that come later are the peer's own to send elsewhere.
 */
export class Departure {
  #stage: 'none' | 'announced' | 'final' = 'none';
  #timer: NodeJS.Timeout | null = null;

  /** @param onHeard called once the peer has heard the announcement, or had the time to */
  constructor(
    private readonly output: Output,
    private readonly onHeard: () => void,
  ) {}

  /** Streams that were not opened before are not served. */
  get isFinal(): boolean {
    return this.#stage === 'final';
  }

  announce(): void {
    if (this.#stage !== 'none') {
      return;
    }
    this.#stage = 'announced';
    this.goAway(windowBytesMax, errorCode.noError, '');
    this.output.frame(frameType.ping, 0, 0, [noticePing], noticePing.length);
    this.after(this.onHeard);
  }

  /** The peer has answered a PING: it has read all that was sent before. */
  answered(ping: Buffer): void {
    if (this.#stage === 'announced' && ping.equals(noticePing)) {
      this.onHeard();
    }
  }

  /** @param lastStream that is served */
  finish(lastStream: number): void {
    this.cancel();
    this.#stage = 'final';
    this.goAway(lastStream, errorCode.noError, '');
  }

  goAway(lastStream: number, code: number, message: string): void {
    const payload = Buffer.concat([uint32(lastStream), uint32(code), Buffer.from(message, 'latin1')]);
    this.output.frame(frameType.goAway, 0, 0, [payload], payload.length);
  }

  /** Does `work` when the peer has had its time, unless it is cancelled. */
  after(work: () => void): void {
    this.cancel();
    this.#timer = setTimeout(work, noticeMs);
  }

  cancel(): void {
    if (this.#timer) {
      clearTimeout(this.#timer);
    }
  }
}
