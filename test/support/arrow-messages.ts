import {
  Field,
  FixedSizeList,
  Float32,
  Int32,
  Message,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Uint8,
} from 'apache-arrow';

/** Rows of prepared tensors: features row-major, one label a row, or `labelWidth` of them. */
export interface TensorRows {
  features: Uint8Array | Float32Array;
  labels: Int32Array | Float32Array;
}

/** An Arrow IPC message as FlightData holds it. */
export interface ArrowMessage {
  header: Uint8Array;
  body: Uint8Array;
}

/** The messages of a table of prepared tensors, one record batch for each element; made with Arrow's own writer. */
export function tensorMessages(
  batches: TensorRows[],
  options: { featureCount: number; labelFirst?: boolean; labelWidth?: number },
): ArrowMessage[] {
  const { features, labels } = batches[0]!;
  const value = features instanceof Uint8Array ? new Uint8() : new Float32();
  const list = new FixedSizeList(options.featureCount, new Field('item', value));
  const target = labels instanceof Int32Array ? new Int32() : new Float32();
  const { labelWidth } = options;
  const label = labelWidth === undefined ? target : new FixedSizeList(labelWidth, new Field('item', target));
  const inOrder = <T>(columns: T[]) => (options.labelFirst ? columns.reverse() : columns);
  const schema = new Schema(inOrder([new Field('features', list), new Field('label', label)]));
  const recordBatches = batches.map((rows) => {
    const length = rows.labels.length / (labelWidth ?? 1);
    const child = makeData({ type: value, data: rows.features } as Parameters<typeof makeData>[0]);
    const targets = makeData({ type: target, data: rows.labels } as Parameters<typeof makeData>[0]);
    const children = inOrder([
      makeData({ type: list, length, nullCount: 0, child } as Parameters<typeof makeData>[0]),
      labelWidth === undefined
        ? targets
        : makeData({ type: label, length, nullCount: 0, child: targets } as Parameters<typeof makeData>[0]),
    ]);
    return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, children }));
  });
  return splitStream(RecordBatchStreamWriter.writeAll(recordBatches).toUint8Array(true));
}

const prefixBytes = 8;

/** Takes an IPC stream apart: continuation and length, header, body, and so on. */
export function splitStream(stream: Uint8Array): ArrowMessage[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const messages: ArrowMessage[] = [];
  for (let at = 0; at + prefixBytes <= stream.length; ) {
    const length = view.getInt32(at + 4, true);
    if (length === 0) {
      break;
    }
    const header = stream.subarray(at + prefixBytes, at + prefixBytes + length);
    const bodyBegin = at + prefixBytes + length;
    at = bodyBegin + Message.decode(header).bodyLength;
    messages.push({ header, body: stream.subarray(bodyBegin, at) });
  }
  return messages;
}
