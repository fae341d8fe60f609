import type { Socket } from 'node:net';
import { AbandonedStreams } from './abandoned-streams.js';
import { Departure } from './departure.js';
import { dependsOnItself, expectConnection, expectSize, expectStream, unpadded } from './frame-checks.js';
import { FrameReader } from './frame-reader.js';
import { type HeaderBlock, HeaderBlocks } from './header-blocks.js';
import { type Header, HeaderDecoder } from './hpack.js';
import { Output } from './output.js';
import {
  ConnectionError,
  errorCode,
  frameBytesDefault,
  frameFlag,
  frameType,
  initialWindowBytes,
  preface,
  StreamError,
  setting,
  windowBytesMax,
} from './protocol.js';
import { encodeSettings, readSettings } from './settings.js';
import {
  Http2Stream,
  receiveWindowBytes,
  type StreamHost,
  type StreamReceiver,
  writeReset,
  writeWindowUpdate,
} from './stream.js';

/** Decides what becomes of a request. @param headers null: there are more than `headerListBytesMax` of them */
export type Accept = (stream: Http2Stream, headers: readonly Header[] | null) => StreamReceiver;

/** Streams of one connection that may be open at once. */
const streamsMax = 10_000;
const headerListBytesMax = 65_536;
/** What may be on its way on all streams of a connection together. */
const connectionWindowBytes = 16 * 1024 ** 2;
const sentFrameBytesMax = 65_536;
/** SETTINGS in what is read at once. Each may change the windows of all streams: more of them are an attack. */
const settingsMax = 100;
/** Mistakes that end a stream: to tell each of them takes longer than to make it. */
const mistakesMax = 1_000;
const keepAliveMs = 60_000;
/** Of the table of headers, in a header block. */
const emptyTable = Buffer.from([0x20]);

/**
 * The server's side of one HTTP/2 connection, RFC 9113. Node's own `http2` spends some 80 us on a stream, most of it between C++ and
 * JavaScript and in stream objects; here it is a few.
 */
export class Http2Connection implements StreamHost {
  readonly output: Output;
  readonly #streams = new Map<number, Http2Stream>();
  readonly #blocked = new Set<Http2Stream>();
  readonly #abandoned = new AbandonedStreams();
  readonly #headerBlocks = new HeaderBlocks();
  readonly #headerDecoder = new HeaderDecoder();
  readonly #frames = new FrameReader((type, flags, stream, payload) => this.#frame(type, flags, stream, payload));
  readonly #handlers: Record<number, (flags: number, stream: number, payload: Buffer) => void> = {
    [frameType.data]: (flags, id, payload) => this.#data(flags, id, payload),
    [frameType.headers]: (flags, id, payload) => this.#headerBlock(this.#headerBlocks.begin(flags, id, payload)),
    [frameType.continuation]: (flags, _, payload) => this.#headerBlock(this.#headerBlocks.continue(flags, payload)),
    [frameType.priority]: (_, id, payload) => this.#priority(id, payload),
    [frameType.rstStream]: (_, id, payload) => this.#rstStream(id, payload),
    [frameType.settings]: (flags, id, payload) => this.#settings(flags, id, payload),
    [frameType.ping]: (flags, id, payload) => this.#ping(flags, id, payload),
    [frameType.goAway]: (_, id) => expectConnection(id, 'GOAWAY'),
    [frameType.windowUpdate]: (_, id, payload) => this.#windowUpdate(id, payload),
    [frameType.pushPromise]: () => {
      throw new ConnectionError(errorCode.protocolError, 'Expected no PUSH_PROMISE from a client.');
    },
  };
  #prefaceRead = 0;
  #hasSettings = false;
  #settingsCount = 0;
  #mistakes = 0;
  #lastStream = 0;
  #headerPrefix: Buffer | null = null;
  #received = 0;
  #streamWindow = initialWindowBytes;
  readonly #departure: Departure;
  #isOver = false;
  /** Streams, open or not, for which somebody works. */
  held = 0;
  sendWindow = initialWindowBytes;
  frameBytesMax = frameBytesDefault;

  constructor(
    private readonly socket: Socket,
    private readonly accept: Accept,
  ) {
    this.output = new Output(socket);
    this.#departure = new Departure(this.output, () => this.#finalGoAway());
    socket.setNoDelay(true);
    // A peer whose machine is gone says nothing of it.
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('drain', () => this.#drained());
    // What goes wrong with a socket closes it.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
    this.#writeSettings();
    socket.resume();
  }

  /** Takes no more requests, and closes when those that are there are answered. */
  drain(): void {
    if (!this.#isOver) {
      this.#departure.announce();
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** What is remembered: all 0 where nothing is under way. */
  get counts(): { open: number; blocked: number; abandoned: number; held: number } {
    const { held } = this;
    return { open: this.#streams.size, blocked: this.#blocked.size, abandoned: this.#abandoned.size, held };
  }

  takeHeaderPrefix(): Buffer | null {
    const prefix = this.#headerPrefix;
    this.#headerPrefix = null;
    return prefix;
  }

  block(stream: Http2Stream): void {
    this.#blocked.add(stream);
  }

  close(stream: Http2Stream): void {
    stream.close();
    this.#streams.delete(stream.id);
    this.#blocked.delete(stream);
    if (!stream.isRemoteClosed) {
      this.#abandoned.add(stream.id);
    }
    this.#endIfDrained();
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) {
      return;
    }
    this.#settingsCount = 0;
    try {
      const rest = this.#prefaceRead < preface.length ? this.#readPreface(chunk) : chunk;
      if (rest.length > 0) {
        this.#frames.push(rest);
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) {
        throw error;
      }
      this.#fail(error);
    }
    if (this.output.isBackedUp) {
      // A peer that does not read is not read either.
      this.socket.pause();
    }
  }

  #readPreface(chunk: Buffer): Buffer {
    const length = Math.min(chunk.length, preface.length - this.#prefaceRead);
    if (!chunk.subarray(0, length).equals(preface.subarray(this.#prefaceRead, this.#prefaceRead + length))) {
      throw new ConnectionError(errorCode.protocolError, 'Expected the preface of HTTP/2.');
    }
    this.#prefaceRead += length;
    return chunk.subarray(length);
  }

  #drained(): void {
    this.socket.resume();
    for (const stream of [...this.#streams.values()]) {
      stream.pump();
    }
  }

  #closed(): void {
    this.#departure.cancel();
    this.#leave();
  }

  #leave(): void {
    this.#isOver = true;
    for (const stream of [...this.#streams.values()]) {
      this.close(stream);
      stream.receiver.onGone();
    }
  }

  #fail(error: ConnectionError): void {
    this.#departure.goAway(this.#lastStream, error.code, error.message);
    this.#leave();
    this.#end();
    // For a peer that does not read it.
    this.#departure.after(() => this.socket.destroy());
  }

  #end(): void {
    this.output.flush();
    this.socket.destroySoon();
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.#isOver) {
      return;
    }
    if (!this.#hasSettings && type !== frameType.settings) {
      throw new ConnectionError(errorCode.protocolError, 'Expected SETTINGS to come first.');
    }
    this.#headerBlocks.expectContinuation(type, id);
    try {
      // Unknown frames are extensions that the sender does not rely on.
      this.#handlers[type]?.(flags, id, payload);
    } catch (error) {
      if (!(error instanceof StreamError)) {
        throw error;
      }
      this.#resetStream(id, error.code);
      this.#mistakes++;
      if (this.#mistakes > mistakesMax) {
        throw new ConnectionError(errorCode.enhanceYourCalm, `Expected at most ${mistakesMax} mistakes.`);
      }
    }
  }

  #resetStream(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream) {
      stream.reset(code);
      stream.receiver.onGone();
    } else {
      writeReset(this.output, id, code);
    }
  }

  #data(flags: number, id: number, payload: Buffer): void {
    expectStream(id, 'DATA');
    this.#received += payload.length;
    if (this.#received >= connectionWindowBytes / 2) {
      writeWindowUpdate(this.output, 0, this.#received);
      this.#received = 0;
    }
    const isLast = (flags & frameFlag.endStream) !== 0;
    const stream = this.#streams.get(id);
    if (!stream) {
      this.#strayData(id, isLast);
      return;
    }
    if (stream.isRemoteClosed) {
      throw new StreamError(errorCode.streamClosed, 'Expected no DATA after the end of the stream.');
    }
    stream.receive(unpadded(flags, payload), payload.length, isLast);
  }

  #strayData(id: number, isLast: boolean): void {
    if (!this.#expectOpened(id, 'DATA')) {
      return;
    }
    if (!this.#abandoned.has(id)) {
      throw new ConnectionError(errorCode.streamClosed, `Expected no DATA on stream ${id}, which is closed.`);
    }
    if (isLast) {
      this.#abandoned.delete(id);
    }
  }

  #headerBlock(block: HeaderBlock | null): void {
    if (block) {
      this.#request(block.stream, block.isLast, block.bytes);
    }
  }

  #request(id: number, isLast: boolean, block: Buffer): void {
    // Also of a stream that nobody wants: the table of the ones after depends on it.
    const headers = this.#headerDecoder.decode(block, headerListBytesMax);
    const open = this.#streams.get(id);
    if (open) {
      this.#trailers(open, headers, isLast);
      return;
    }
    if (this.#abandoned.has(id)) {
      if (isLast) {
        this.#abandoned.delete(id);
      }
      return;
    }
    if (id % 2 === 0 || id <= this.#lastStream) {
      const code = id % 2 === 0 || id === 0 ? errorCode.protocolError : errorCode.streamClosed;
      throw new ConnectionError(code, `Expected a new stream of the client but received HEADERS on ${id}.`);
    }
    if (this.#departure.isFinal) {
      return;
    }
    this.#lastStream = id;
    const stream = new Http2Stream(id, this, this.#streamWindow);
    stream.isRemoteClosed = isLast;
    // A method may still run whose stream was reset: whoever resets streams in haste must not make more and more of them.
    if (this.#streams.size >= streamsMax || this.held >= streamsMax) {
      stream.reset(errorCode.refusedStream);
      return;
    }
    this.#streams.set(id, stream);
    stream.receiver = this.accept(stream, headers);
    if (isLast && !stream.isClosed) {
      stream.endOfRequest();
    }
  }

  #trailers(stream: Http2Stream, headers: readonly Header[] | null, isLast: boolean): void {
    if (stream.isRemoteClosed) {
      throw new StreamError(errorCode.streamClosed, 'Expected no HEADERS after the end of the stream.');
    }
    if (!isLast || !headers || headers.some(([name]) => name.startsWith(':'))) {
      throw new StreamError(errorCode.protocolError, 'Expected trailers to end the stream.');
    }
    stream.endOfRequest();
  }

  #priority(id: number, payload: Buffer): void {
    expectStream(id, 'PRIORITY');
    if (payload.length !== 5) {
      throw new StreamError(errorCode.frameSizeError, 'Expected 5 bytes of priority.');
    }
    if (dependsOnItself(id, payload)) {
      throw new StreamError(errorCode.protocolError, 'Expected a stream not to depend on itself.');
    }
  }

  #rstStream(id: number, payload: Buffer): void {
    expectStream(id, 'RST_STREAM');
    expectSize(payload, 4, 'RST_STREAM');
    this.#expectOpened(id, 'RST_STREAM');
    this.#abandoned.delete(id);
    const stream = this.#streams.get(id);
    if (stream) {
      stream.isRemoteClosed = true;
      this.close(stream);
      stream.receiver.onGone();
    }
  }

  #settings(flags: number, id: number, payload: Buffer): void {
    expectConnection(id, 'SETTINGS');
    this.#hasSettings = true;
    this.#settingsCount++;
    if (this.#settingsCount > settingsMax) {
      throw new ConnectionError(errorCode.enhanceYourCalm, `Expected at most ${settingsMax} SETTINGS at once.`);
    }
    if (flags & frameFlag.ack) {
      expectSize(payload, 0, 'an acknowledgement of SETTINGS');
      return;
    }
    // Before anything that makes use of them: the peer counts from there.
    this.output.frame(frameType.settings, frameFlag.ack, 0, [], 0);
    let streamWindow = this.#streamWindow;
    for (const [name, value] of readSettings(payload)) {
      if (name === setting.headerTableSize) {
        // Nothing is ever put into the table: to the peer its size is 0, whatever it may be.
        this.#headerPrefix = emptyTable;
      } else if (name === setting.initialWindowSize) {
        streamWindow = value;
      } else if (name === setting.maxFrameSize) {
        this.frameBytesMax = Math.min(value, sentFrameBytesMax);
      }
    }
    this.#setStreamWindow(streamWindow);
  }

  #setStreamWindow(bytes: number): void {
    const change = bytes - this.#streamWindow;
    this.#streamWindow = bytes;
    if (change === 0) {
      return;
    }
    for (const stream of [...this.#streams.values()]) {
      try {
        stream.widen(change);
      } catch (error) {
        throw new ConnectionError(errorCode.flowControlError, (error as Error).message);
      }
    }
  }

  #ping(flags: number, id: number, payload: Buffer): void {
    expectConnection(id, 'PING');
    expectSize(payload, 8, 'PING');
    if ((flags & frameFlag.ack) === 0) {
      this.output.frame(frameType.ping, frameFlag.ack, 0, [payload], payload.length);
    } else {
      this.#departure.answered(payload);
    }
  }

  #windowUpdate(id: number, payload: Buffer): void {
    expectSize(payload, 4, 'WINDOW_UPDATE');
    const bytes = payload.readUInt32BE() & windowBytesMax;
    this.#expectOpened(id, 'WINDOW_UPDATE');
    if (id !== 0) {
      if (bytes === 0) {
        throw new StreamError(errorCode.protocolError, 'Expected WINDOW_UPDATE by more than 0.');
      }
      this.#streams.get(id)?.widen(bytes);
      return;
    }
    this.sendWindow += bytes;
    if (bytes === 0 || this.sendWindow > windowBytesMax) {
      const code = bytes === 0 ? errorCode.protocolError : errorCode.flowControlError;
      throw new ConnectionError(code, `Expected WINDOW_UPDATE to a window below 2 GiB but received ${bytes}.`);
    }
    for (const stream of this.#blocked) {
      if (this.sendWindow <= 0) {
        return;
      }
      // One that is still blocked puts itself back, at the end: then the window is used up.
      this.#blocked.delete(stream);
      stream.pump();
    }
  }

  #finalGoAway(): void {
    this.#departure.finish(this.#lastStream);
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#departure.isFinal && this.#streams.size === 0 && !this.#isOver) {
      this.#isOver = true;
      this.#end();
    }
  }

  #writeSettings(): void {
    const payload = encodeSettings([
      [setting.maxConcurrentStreams, streamsMax],
      [setting.initialWindowSize, receiveWindowBytes],
      [setting.maxHeaderListSize, headerListBytesMax],
    ]);
    this.output.frame(frameType.settings, 0, 0, [payload], payload.length);
    writeWindowUpdate(this.output, 0, connectionWindowBytes - initialWindowBytes);
  }

  /** @returns false: it belongs to a stream that came too late to be served. @throws ConnectionError if it was never opened */
  #expectOpened(id: number, frame: string): boolean {
    if (id <= this.#lastStream) {
      return true;
    }
    if (!this.#departure.isFinal) {
      throw new ConnectionError(errorCode.protocolError, `Expected no ${frame} on stream ${id}, which is idle.`);
    }
    return false;
  }
}
