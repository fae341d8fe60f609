import type { Socket } from 'node:net';
import type { FieldViolation, StatusName } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';
import { BrokenArtifact } from './model-files.js';

/** One end of a channel between two processes of Node, as `ChildProcess` and `process` both have it. */
export interface Channel {
  send?(message: unknown, handle?: Socket, options?: object, sent?: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
}

/** The other process has gone before it answered. */
export class LinkBroken extends Error {
  override readonly name = 'LinkBroken';
}

interface EncodedError {
  kind: 'service' | 'broken' | 'other';
  message: string;
  code: StatusName;
  reason: string;
  fieldViolations: FieldViolation[];
}

type Message =
  | { link: 'call'; id: number; method: string; args: unknown[] }
  | { link: 'answer'; id: number; value: unknown }
  | { link: 'failure'; id: number; error: EncodedError };

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

type AsyncMethods = Record<string, (...args: never[]) => Promise<unknown>>;

/** Calls from process to process and back: methods of an object over there, with plain data as arguments and answers. */
export class ProcessLink {
  readonly #waiting = new Map<number, Waiting>();
  readonly #served = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  #nextId = 1;
  #isBroken = false;

  constructor(private readonly channel: Channel) {
    channel.on('message', (message) => this.#receive(message));
  }

  /** Lets the other side call these methods of `target`. */
  serve<T extends object>(target: T, methods: readonly (keyof T & string)[]): void {
    for (const method of methods) {
      const implementation = target[method] as (...args: unknown[]) => Promise<unknown>;
      this.#served.set(method, (...args) => implementation.apply(target, args));
    }
  }

  /** The object over there. */
  remote<T extends object>(methods: readonly (keyof T & string)[]): T {
    const remote: AsyncMethods = {};
    for (const method of methods) {
      remote[method] = (...args) => this.#call(method, args);
    }
    return remote as T;
  }

  /** The other process has gone: whoever waits for it learns so. */
  break(): void {
    this.#isBroken = true;
    for (const { reject } of this.#waiting.values()) {
      reject(new LinkBroken('The process has ended.'));
    }
    this.#waiting.clear();
  }

  #call(method: string, args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isBroken) {
        reject(new LinkBroken('The process has ended.'));
        return;
      }
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#send({ link: 'call', id, method, args });
    });
  }

  #receive(message: unknown): void {
    if (typeof message !== 'object' || message === null || !('link' in message)) {
      return;
    }
    const known = message as Message;
    if (known.link === 'call') {
      void this.#answer(known.id, known.method, known.args);
      return;
    }
    const waiting = this.#waiting.get(known.id);
    this.#waiting.delete(known.id);
    if (known.link === 'answer') {
      waiting?.resolve(known.value);
    } else {
      waiting?.reject(decodeError(known.error));
    }
  }

  async #answer(id: number, method: string, args: unknown[]): Promise<void> {
    try {
      const implementation = this.#served.get(method);
      if (!implementation) {
        throw new Error(`nothing here answers to ${method}`);
      }
      this.#send({ link: 'answer', id, value: await implementation(...args) });
    } catch (error) {
      this.#send({ link: 'failure', id, error: encodeError(error) });
    }
  }

  #send(message: Message): void {
    // A channel that has closed says so by an event too, upon which the link is broken.
    this.channel.send?.(message, undefined, {}, () => undefined);
  }
}

function encodeError(error: unknown): EncodedError {
  const plain = { message: error instanceof Error ? error.message : String(error), reason: '', fieldViolations: [] };
  if (error instanceof ServiceError) {
    const { code, reason, fieldViolations } = error;
    return { ...plain, kind: 'service', code, reason, fieldViolations };
  }
  return { ...plain, kind: error instanceof BrokenArtifact ? 'broken' : 'other', code: 'INTERNAL' };
}

function decodeError({ kind, message, code, reason, fieldViolations }: EncodedError): Error {
  if (kind === 'service') {
    return new ServiceError(code, reason, message, { fieldViolations });
  }
  return kind === 'broken' ? new BrokenArtifact(message) : new Error(message);
}
