import { describe, expect, it } from 'vitest';
import type { ColumnChunk } from '../../../services/pipeline/index.js';
import { createArrowEncoder } from '../../../services/preprocessing/arrow-encoder.js';
import type { ColumnType } from '../../../services/preprocessing/column.js';
import { DatasetStore } from '../../../services/preprocessing/dataset-store.js';
import { Descriptions } from '../../../services/preprocessing/description/description.js';
import { previewRows } from '../../../services/preprocessing/description/preview.js';
import { tempFolder } from '../../support/temp-folder.js';

const never = new AbortController().signal;
const bytes = (...values: number[]) => Uint8Array.from(values);
/** Rows 0 and 2 have a value, row 1 has none. */
const validity = bytes(0b101);
const numbers: ColumnChunk = {
  kind: 'number',
  length: 3,
  width: 1,
  values: Int32Array.of(7, 8, 9),
  validity: null,
};

/** A column of each type that pipelines do not read: its type, its chunk, and rows 0 and 2 as JSON. */
const columns: [string, ColumnType, ColumnChunk, unknown, unknown][] = [
  [
    'day',
    { kind: 'date', unit: 'day' },
    { kind: 'time', length: 3, unit: 'day', values: Int32Array.of(0, 0, -1), validity },
    '1970-01-01',
    '1969-12-31',
  ],
  [
    'moment',
    { kind: 'date', unit: 'millisecond' },
    { kind: 'time', length: 3, unit: 'millisecond', values: BigInt64Array.of(1n, 0n, 86_400_000n), validity },
    '1970-01-01T00:00:00.001',
    '1970-01-02T00:00:00.000',
  ],
  [
    'bytes',
    { kind: 'binary', large: false, width: null },
    { kind: 'binary', length: 3, offsets: Int32Array.of(0, 2, 2, 3), bytes: bytes(0, 255, 16), validity },
    'AP8=',
    'EA==',
  ],
  [
    'price',
    { kind: 'decimal', precision: 5, scale: 2 },
    {
      kind: 'opaque',
      length: 3,
      width: 16,
      bytes: new Uint8Array(BigInt64Array.of(-5n, -1n, 0n, 0n, 12_345n, 0n).buffer),
      validity,
    },
    '-0.05',
    '123.45',
  ],
  [
    'items',
    { kind: 'nested', form: 'List', width: null, item: { kind: 'number', type: 'int32' } },
    { kind: 'list', length: 3, offsets: Int32Array.of(0, 2, 2, 3), width: 0, items: numbers, validity },
    [7, 8],
    [9],
  ],
  [
    'record',
    { kind: 'struct', fields: [{ name: 'n', type: { kind: 'number', type: 'int32' } }] },
    { kind: 'struct', length: 3, fields: [numbers], validity },
    { n: 7 },
    { n: 9 },
  ],
  ['nothing', { kind: 'null' }, { kind: 'null', length: 3, validity: bytes(0) }, null, null],
];

async function storeAll(): Promise<DatasetStore> {
  const store = await DatasetStore.open(tempFolder());
  const described = columns.map(([name, type]) => ({ name, type, shape: [] }));
  const chunks = columns.map(([, , chunk]) => chunk);
  const encoder = await createArrowEncoder(described);
  const draft = await store.draft(described, encoder.schema());
  await draft.append(encoder.batch(3, chunks), chunks);
  await store.commit('table', draft, ['test']);
  return store;
}

describe('columns that no pipeline reads', () => {
  it('are described as far as their values have an order or a length', async () => {
    const spec = { labelColumns: [], labelSeparator: '', split: null };
    const { columns: found, findings } = await new Descriptions(await storeAll()).describe(
      'datasets/table',
      spec,
      never,
    );
    expect(found.map(({ name, nullCount, distinct }) => [name, nullCount, distinct])).toEqual(
      columns.map(([name]) => (name === 'nothing' ? [name, 3, 0] : [name, 1, 2])),
    );
    expect(found[0]).toMatchObject({ numbers: { minimum: -1, maximum: 0 }, topValues: [{ value: '1969-12-31' }, {}] });
    expect(found[2]).toMatchObject({
      lengths: { minimum: 1, maximum: 2 },
      topValues: [{ value: '00ff' }, { value: '10' }],
    });
    expect(findings).toMatchObject([{ kind: 'constantColumn', columns: ['nothing'] }]);
  });

  it('are shown as JSON', async () => {
    const spec = { rowCount: 3, firstRow: null, sampleSeed: null, columns: [] };
    const { rows } = await previewRows(await storeAll(), 'datasets/table', spec, never);
    const expected = (part: 3 | 4 | null) =>
      Object.fromEntries(columns.map((column) => [column[0], part === null ? null : column[part]]));
    expect(rows.map(({ json }) => JSON.parse(json))).toEqual([expected(3), expected(null), expected(4)]);
  });
});
