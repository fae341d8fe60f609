import { RecordBatchStreamWriter, tableFromArrays } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { decodeColumn, layOut } from '../../../services/preprocessing/arrow-batch.js';
import { decodeMessage } from '../../../services/preprocessing/arrow-message.js';
import type { Column } from '../../../services/preprocessing/column.js';
import { updateDictionaries } from '../../../services/preprocessing/stored-table.js';
import { splitStream } from '../../support/arrow-messages.js';

/** A column of two texts whose bytes are cut at `cut`. */
function decodeTexts(bytes: Buffer, cut: number) {
  const column: Column = { name: 'word', type: { kind: 'text', large: false }, shape: [] };
  const body = Buffer.concat([Buffer.from(Int32Array.of(0, cut, bytes.length).buffer), bytes]);
  const buffers = [
    { offset: 0, length: 0 },
    { offset: 0, length: 12 },
    { offset: 12, length: bytes.length },
  ];
  const batch = { length: 2, nodes: [{ length: 2, nullCount: 0 }], buffers, compression: null };
  const read = ({ offset, length }: { offset: number; length: number }) => body.subarray(offset, offset + length);
  return decodeColumn(column, layOut([column])[0]!, batch, read, new Map());
}

describe('decodeColumn', () => {
  it.each([
    ['bytes that are not UTF-8', Buffer.from([0x61, 0xff]), 1],
    ['a text that begins within a character', Buffer.from('éx'), 1],
    ['texts that overlap the end', Buffer.from('éx'), 4],
  ])('refuses %s', (_, bytes, cut) => {
    expect(() => decodeTexts(bytes, cut)).toThrow(expect.objectContaining({ reason: 'MALFORMED_ARROW' }));
  });

  it('takes texts that are cut between characters', () => {
    expect(decodeTexts(Buffer.from('éx'), 2)).toMatchObject({ kind: 'text', length: 2 });
    expect(decodeTexts(Buffer.from('é'), 2)).toMatchObject({ kind: 'text', length: 2 });
  });
});

describe('updateDictionaries', () => {
  const [schema, dictionary] = splitStream(
    RecordBatchStreamWriter.writeAll(tableFromArrays({ word: ['p', 'q', 'p'] })).toUint8Array(true),
  );
  const { columns } = decodeMessage(schema!.header) as { columns: Column[] };
  const message = decodeMessage(dictionary!.header) as Parameters<typeof updateDictionaries>[2];

  it('refuses a dictionary that belongs to no column', () => {
    const stray = { ...message, id: message.id + 1 };
    expect(() => updateDictionaries(new Map(), columns, stray, dictionary!.body)).toThrow('belongs to no column');
  });

  it('replaces the values, or adds to them where the message says so', () => {
    const before = new Map([[message.id, ['o']]]);
    expect(updateDictionaries(before, columns, message, dictionary!.body).get(message.id)).toEqual(['p', 'q']);
    const delta = { ...message, isDelta: true };
    expect(updateDictionaries(before, columns, delta, dictionary!.body).get(message.id)).toEqual(['o', 'p', 'q']);
    expect(before.get(message.id)).toEqual(['o']);
  });
});
