import * as arrow from 'apache-arrow';
import { expect, it } from 'vitest';
import { encapsulate } from '../../../services/platform/arrow-messages.js';
import type { RowRange } from '../../../services/preprocessing/row-range.js';
import type { StoredTable } from '../../../services/preprocessing/stored-table.js';
import { findColumns, selectTable } from '../../../services/preprocessing/table-selection.js';
import { openTable } from './table.js';

const rows = Array.from({ length: 10 }, (_, row) => row);

const open = () =>
  openTable(
    { x: ['float64', rows], name: ['text', rows.map((row) => (row % 4 ? `row ${row}` : null))], n: ['int64', rows] },
    4,
  );

async function select(table: StoredTable, names: string[], range: RowRange) {
  const parts: Uint8Array[] = [];
  for await (const { header, body } of selectTable(table, findColumns(names, table.columns, 'ticket'), range)) {
    parts.push(encapsulate(header), ...body);
  }
  const { schema, numRows, batches, ...found } = arrow.tableFromIPC(Buffer.concat(parts));
  return { names: schema.names, numRows, batches: batches.map((batch) => batch.numRows), found };
}

it('gives columns in the order that was asked for', async () => {
  const table = await open();
  const { names, numRows } = await select(table, ['n', 'x'], { offset: 0, limit: null });
  expect({ names, numRows }).toEqual({ names: ['n', 'x'], numRows: 10 });
  await table.close();
});

it('reads only batches that have wanted rows', async () => {
  const table = await open();
  expect((await select(table, ['name'], { offset: 4, limit: 4 })).batches).toEqual([4]);
  expect((await select(table, ['name'], { offset: 2, limit: 7 })).batches).toEqual([2, 4, 1]);
  expect((await select(table, ['name'], { offset: 10, limit: null })).numRows).toBe(0);
  expect((await select(table, ['name'], { offset: 3, limit: 0 })).numRows).toBe(0);
  await table.close();
});

it('refuses a column that is not there, naming the nearest', async () => {
  const table = await open();
  expect(() => findColumns(['nam'], table.columns, 'ticket.columns')).toThrow(
    '`ticket.columns` to be a column of the dataset but received "nam"; did you mean "name"?',
  );
  await table.close();
});
