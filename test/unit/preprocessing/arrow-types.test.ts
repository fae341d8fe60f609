import * as arrow from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import type { ColumnChunk } from '../../../services/pipeline/index.js';
import {
  createMessageWriter,
  type EncodedMessage,
  encapsulate,
  joinBody,
} from '../../../services/platform/arrow-messages.js';
import { createArrowEncoder } from '../../../services/preprocessing/arrow-encoder.js';
import { sliceChunk } from '../../../services/preprocessing/chunk-slice.js';
import type { Column } from '../../../services/preprocessing/column.js';
import { ColumnDigest } from '../../../services/preprocessing/column-digest.js';
import { DatasetStore } from '../../../services/preprocessing/dataset-store.js';
import { putDataset } from '../../../services/preprocessing/flight-put.js';
import { wholeTable } from '../../../services/preprocessing/row-range.js';
import type { StoredTable } from '../../../services/preprocessing/stored-table.js';
import { selectTable } from '../../../services/preprocessing/table-selection.js';
import { everyType, rows, rowsOf } from '../../support/every-type.js';
import { tempFolder } from '../../support/temp-folder.js';

const rowNumbers = arrow.vectorFromArray(
  rowsOf((row) => `${row}`),
  new arrow.Utf8(),
);

/** Puts tables as the versions of one dataset. */
async function put(tables: arrow.Table[]): Promise<{ digests: string[]; table: StoredTable }> {
  const store = await DatasetStore.open(tempFolder());
  const digests: string[] = [];
  for (const table of tables) {
    const writer = createMessageWriter(arrow);
    writer.schema(table.schema);
    for (const batch of table.batches) {
      writer.write(batch);
    }
    const messages = writer.take().map((message, i) => ({
      name: i === 0 ? 'datasets/table' : null,
      header: message.header,
      body: joinBody(message),
      appMetadata: new Uint8Array(0),
    }));
    for await (const result of putDataset(store, streamOf(messages), new AbortController().signal)) {
      if ('digest' in result) {
        digests.push(result.digest);
      }
    }
  }
  return { digests, table: await store.openTable(store.getVersion('table', 1)) };
}

async function* streamOf<T>(values: T[]): AsyncGenerator<T> {
  yield* values;
}

const tableOf = (parts: arrow.Vector[]) =>
  new arrow.Table({ column: parts.length === 1 ? parts[0]! : parts[0]!.concat(...parts.slice(1)) });

const valuesOf = (table: arrow.Table) =>
  JSON.stringify([...table.getChildAt(0)!], (_, value) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof Uint32Array ? [...value] : value,
  );

/** With Arrow's own reader. */
async function readAll(messages: AsyncIterable<EncodedMessage>): Promise<arrow.Table> {
  const parts: Uint8Array[] = [];
  for await (const { header, body } of messages) {
    parts.push(encapsulate(header), ...body);
  }
  return arrow.tableFromIPC(Buffer.concat(parts));
}

function digestOf(column: Column, chunks: ColumnChunk[]): string {
  const digest = new ColumnDigest(column);
  for (const chunk of chunks) {
    digest.update(chunk);
  }
  return digest.finish();
}

describe.each(Object.entries(everyType))('a column of type %s', (_, vector) => {
  it('is kept as it came', async () => {
    const sent = tableOf([vector]);
    const { table } = await put([sent]);
    const returned = await readAll(selectTable(table, [0], wholeTable));
    expect(returned.schema.toString()).toBe(sent.schema.toString());
    expect(valuesOf(returned)).toBe(valuesOf(sent));
    await table.close();
  });

  it.each([
    [0, 100],
    [0, 30],
    [3, 41],
    [30, 30],
    [77, 1_000],
  ])('gives rows from %i on, %i at most, out of batches of 30', async (offset, limit) => {
    const sent = new arrow.Table({ before: rowNumbers, column: vector, after: rowNumbers });
    const cut = [0, 30, 60, 90].map((from) => sent.slice(from, from + 30));
    const { table } = await put([cut[0]!.concat(...cut.slice(1))]);
    const selected = await readAll(selectTable(table, [1], { offset, limit }));
    const whole = new arrow.Table({ column: vector });
    expect(selected.schema.toString()).toBe(whole.schema.toString());
    expect(valuesOf(selected)).toBe(valuesOf(whole.slice(offset, offset + limit)));
    await table.close();
  });

  it('has one digest, however it is cut', async () => {
    const cuts = [0, 1, 7, 8, 30, rows];
    const parts = cuts.slice(1).map((to, i) => vector.slice(cuts[i], to));
    const { digests, table } = await put([tableOf([vector]), tableOf(parts), tableOf([vector.slice(0, 99)])]);
    expect(digests[1]).toBe(digests[0]);
    expect(digests[2]).not.toBe(digests[0]);
    await table.close();
  });

  it('is decoded, cut and encoded without a change', async () => {
    const sent = tableOf([vector]);
    const { table } = await put([sent]);
    const [column] = table.columns;
    const chunk = await table.readColumn(table.batches[0]!, 0);
    const cuts = [0, 3, 16, 41, rows];
    const chunks = cuts.slice(1).map((to, i) => sliceChunk(chunk, cuts[i]!, to));
    expect(digestOf(column!, chunks)).toBe(digestOf(column!, [chunk]));
    const encoder = await createArrowEncoder(table.columns);
    const messages = [encoder.schema(), ...chunks.flatMap((part) => encoder.batch(part.length, [part]))];
    const bytes = messages.flatMap((message) => [encapsulate(message.header), joinBody(message)]);
    const encoded = arrow.tableFromIPC(Buffer.concat(bytes));
    expect(encoded.schema.fields[0]!.type.toString()).toBe(sent.schema.fields[0]!.type.toString());
    expect(valuesOf(encoded)).toBe(valuesOf(sent));
    await table.close();
  });
});

describe('ColumnDigest', () => {
  const lists = (values: number[], offsets: number[]): ColumnChunk => ({
    kind: 'list',
    length: 3,
    offsets: Int32Array.from(offsets),
    width: 0,
    items: { kind: 'number', length: values.length, width: 1, values: Int32Array.from(values), validity: null },
    validity: Uint8Array.of(0b101),
  });
  const list: Column = {
    name: 'list',
    type: { kind: 'nested', form: 'List', width: null, item: { kind: 'number', type: 'int32' } },
    shape: [],
  };

  it('leaves out items of a list that is missing, and before the first', () => {
    const plain = digestOf(list, [lists([1, 2, 3], [0, 2, 2, 3])]);
    expect(digestOf(list, [lists([9, 9, 1, 2, 7, 8, 3, 4], [2, 4, 6, 7])])).toBe(plain);
    expect(digestOf(list, [lists([1, 2, 3], [0, 1, 1, 3])])).not.toBe(plain);
  });

  it('takes the fields of a struct that is missing for missing', () => {
    const struct: Column = {
      name: 'struct',
      type: { kind: 'struct', fields: [{ name: 'x', type: { kind: 'number', type: 'int32' } }] },
      shape: [],
    };
    const rowsWith = (values: number[], field: number): ColumnChunk => ({
      kind: 'struct',
      length: 2,
      fields: [
        { kind: 'number', length: 2, width: 1, values: Int32Array.from(values), validity: Uint8Array.of(field) },
      ],
      validity: Uint8Array.of(0b01),
    });
    const plain = digestOf(struct, [rowsWith([5, 0], 0b01)]);
    expect(digestOf(struct, [rowsWith([5, 6], 0b11)])).toBe(plain);
    expect(digestOf(struct, [rowsWith([6, 0], 0b01)])).not.toBe(plain);
  });
});
