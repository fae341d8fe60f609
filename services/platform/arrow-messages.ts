import type { Message, RecordBatch, Schema } from 'apache-arrow';

export type Arrow = typeof import('apache-arrow');

/** A message as Flight carries it: the bare flatbuffer, and the buffers padded to 8 bytes each. */
export interface EncodedMessage {
  header: Uint8Array;
  body: Uint8Array[];
  bodyBytes: number;
  /** Says that nobody looks at the body any more. Absent: its memory is not used again. */
  release?: () => void;
}

/** The buffers of a message in one piece. */
export function joinBody({ body, bodyBytes }: EncodedMessage): Uint8Array {
  return body.length === 1 ? body[0]! : Buffer.concat(body, bodyBytes);
}

/** As Arrow's stream format has it: a marker and the length before the flatbuffer, padded to 8 bytes. */
export function encapsulate(header: Uint8Array): Buffer {
  const padded = header.length + (-header.length & 7);
  const message = Buffer.alloc(8 + padded);
  message.writeInt32LE(-1, 0);
  message.writeInt32LE(padded, 4);
  message.set(header, 8);
  return message;
}

/** Makes messages of what it is given; `take` hands them over. */
export interface MessageWriter {
  schema(schema: Schema): void;
  /** A record batch; new dictionaries come before it. */
  write(batch: RecordBatch): void;
  take(): EncodedMessage[];
}

/** Arrow's stream writer with its last step turned aside: messages are kept in parts instead of being written out. */
export function createMessageWriter(arrow: Arrow): MessageWriter {
  class TurnedAside extends arrow.RecordBatchStreamWriter {
    #messages: EncodedMessage[] = [];

    schema(schema: Schema): void {
      this._writeSchema(schema);
      this._schema = schema;
      this._started = true;
    }

    take(): EncodedMessage[] {
      const messages = this.#messages;
      this.#messages = [];
      return messages;
    }

    override write(batch: RecordBatch): void {
      this._writeRecordBatch(batch);
    }

    protected override _writeMessage(message: Message): this {
      this.#messages.push({ header: arrow.Message.encode(message), body: [], bodyBytes: 0 });
      return this;
    }

    protected override _writeBodyBuffers(buffers: ArrayBufferView[]): this {
      const message = this.#messages.at(-1)!;
      for (const { buffer, byteOffset, byteLength } of buffers) {
        if (byteLength > 0) {
          message.body.push(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
          const padding = -byteLength & 7;
          if (padding > 0) {
            message.body.push(new Uint8Array(padding));
          }
          message.bodyBytes += byteLength + padding;
        }
      }
      return this;
    }
  }
  return new TurnedAside();
}
