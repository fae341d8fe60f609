import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CsvTarget, readCsvRecords, readPlainCsvRecords, scanPlainRecords } from '../../native/index.js';

const comma = 0x2c;
const form = { delimiter: comma, isCrLf: false, recordBytesMax: 100 };
const [missing, integer, number, text] = [0, 1, 2, 3];
const scan = (content: string, kinds: number[], given = form) => {
  const bytes = Buffer.from(content);
  const { end, count } = scanPlainRecords(bytes, 0, bytes.length, given, Uint8Array.from(kinds));
  return { rest: content.slice(end), count };
};

describe('scanPlainRecords', () => {
  it('refuses a range outside the bytes', () => {
    expect(() => scanPlainRecords(new Uint8Array(3), 0, 4, form, new Uint8Array(1))).toThrow('`bytes`');
    expect(() => scanPlainRecords(new Uint8Array(3), 3, 2, form, new Uint8Array(1))).toThrow('`from`');
  });

  it.each([
    ['a quote', '1,"a"\n'],
    ['a carriage return', '1,a\r\n'],
    ['a field too few', '1\n'],
    ['a field too many', '1,a,b\n'],
    ['an empty line', '\n'],
    ['a record that has not ended', '1,a'],
    ['a record that is too long', `1,${'a'.repeat(100)}\n`],
    ['an integer of 19 digits', '1234567890123456789,a\n'],
    ['a number among integers', '1.5,a\n'],
    ['a text among integers', 'x,a\n'],
    ['a sign alone', '-,a\n'],
  ])('ends before %s', (_, rest) => {
    expect(scan(`1,a\n-20,\n,b\n${rest}`, [integer, text])).toEqual({ rest, count: 3 });
  });

  it.each(['.', '1e', '1e+', '1.5x', ' 1', 'nan', '1'.repeat(120)])('leaves the number %s to the caller', (rest) => {
    expect(scan(`1\n-1.\n+.5\n1e5\n1.25E-300\n${rest}\n`, [number])).toEqual({ rest: `${rest}\n`, count: 5 });
  });

  it('takes lines that end with two characters where all do', () => {
    const given = { ...form, isCrLf: true };
    expect(scan('1,a\r\n2,b\r\n3,c\n', [integer, text], given)).toEqual({ rest: '3,c\n', count: 2 });
    expect(scan('1,a\r\n2,b\r', [integer, text], given)).toEqual({ rest: '2,b\r', count: 1 });
  });

  it('takes a column of missing values', () => {
    expect(scan(',a\n,\n1,\n', [missing, text])).toEqual({ rest: '1,\n', count: 2 });
  });
});

function targetsFor(types: CsvTarget['type'][], rows: number): CsvTarget[] {
  const values = {
    int64: () => new BigInt64Array(rows),
    float64: () => new Float64Array(rows),
    text: () => new Int32Array(rows + 1),
  };
  return types.map((type) => ({ type, values: values[type](), validity: new Uint8Array(Math.ceil(rows / 8)) }));
}

async function read(content: string, types: CsvTarget['type'][], rows: number) {
  const targets = targetsFor(types, rows);
  const { rowCount, missing: missed, texts } = await readCsvRecords(Buffer.from(content), comma, targets, rows);
  const columns = targets.map(({ values, validity }, i) =>
    Array.from({ length: rows }, (_, row) => {
      if (!((validity[row >> 3]! >> (row & 7)) & 1)) {
        return null;
      }
      const [from, to] = [Number(values[row]), Number(values[row + 1])];
      return texts[i] ? Buffer.from(texts[i]).toString('utf8', from, to) : values[row];
    }),
  );
  return { rowCount, missed, columns };
}

describe('readCsvRecords', () => {
  it('refuses targets without room, of another type, or none', () => {
    const bytes = Buffer.from('1\n');
    const [column] = targetsFor(['int64'], 1) as [CsvTarget];
    expect(() => readCsvRecords(bytes, comma, [column], 2)).toThrow('columns[0].values');
    expect(() => readCsvRecords(bytes, comma, [{ ...column, values: new Float64Array(1) }], 1)).toThrow(
      'columns[0].values',
    );
    expect(() => readCsvRecords(bytes, comma, [{ ...column, validity: new Uint8Array(0) }], 1)).toThrow('validity');
    expect(() => readCsvRecords(bytes, comma, [], 1)).toThrow('`columns`');
  });

  it.each([
    ['a text among numbers', 'x,1\n'],
    ['a number that goes on', '1.5.2,1\n'],
    ['an integer beyond 64 bits', '1,9223372036854775808\n'],
    ['a field too few', '1\n'],
    ['a field too many', '1,2,3\n'],
    ['a quote that is not closed', '"1,2\n'],
  ])('refuses %s', async (_, content) => {
    await expect(read(content, ['float64', 'int64'], 1)).rejects.toThrow('Expected');
  });

  it('tells of more rows than there is room for', async () => {
    expect((await read('1\n2\n3\n', ['int64'], 2)).rowCount).toBe(3);
    expect((await read('1\n2\n\n', ['int64', 'int64'], 2).catch((error) => error)).message).toContain('2 fields');
  });

  it('reads the nearest float64 of any number', async () => {
    const numbers = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
    );
    const spelled = fc.tuple(numbers, fc.integer({ min: 0, max: 20 }), fc.boolean()).map(([value, digits, fixed]) => {
      return fixed && Math.abs(value) < 1e20 ? value.toFixed(digits) : `${value}`;
    });
    await fc.assert(
      fc.asyncProperty(fc.array(spelled, { minLength: 1, maxLength: 50 }), async (fields) => {
        const { columns, rowCount } = await read(fields.join('\n'), ['float64'], fields.length);
        expect(rowCount).toBe(fields.length);
        expect(columns[0]).toEqual(fields.map(Number));
      }),
      { numRuns: 200 },
    );
  });

  it('reads signs, spaces, exponents and what is too large as what they are', async () => {
    const fields = ['+1', ' 2 ', '"3"', '1e400', '-1e400', '1e-400', '.5', '5.', 'inf', '-Infinity', 'NaN', '-0'];
    const values = [1, 2, 3, Infinity, -Infinity, 0, 0.5, 5, Infinity, -Infinity, Number.NaN, -0];
    expect((await read(fields.join('\n'), ['float64'], fields.length)).columns[0]).toEqual(values);
  });

  it('reads integers of 64 bits', async () => {
    const fields = ['-9223372036854775808', '9223372036854775807', '+7', ' -8', '000000000000000000000001'];
    const { columns } = await read(fields.join('\n'), ['int64'], fields.length);
    expect(columns[0]).toEqual([-(2n ** 63n), 2n ** 63n - 1n, 7n, -8n, 1n]);
  });

  it('reads texts however they are quoted and lines however they end', async () => {
    const cell = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('a"b', 'a,b', 'a\nb', 'a\r\nb', '"', ' x ', 'ä'),
    );
    const rows = fc.array(fc.tuple(cell, fc.boolean(), fc.option(fc.integer())), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(rows, fc.constantFrom('\n', '\r\n', '\r'), fc.boolean(), async (table, lineEnd, isEnded) => {
        const needsQuotes = (value: string) => /^"|[,\r\n]/.test(value);
        const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
        const lines = table.map(([value, isQuoted, count]) =>
          [needsQuotes(value) || isQuoted ? quoted(value) : value, count ?? ''].join(','),
        );
        const content = lines.join(lineEnd) + (isEnded ? lineEnd : '');
        const result = await read(content, ['text', 'int64'], table.length);
        expect(result.rowCount).toBe(table.length);
        expect(result.columns[0]).toEqual(table.map(([value]) => (value === '' ? null : value)));
        expect(result.columns[1]).toEqual(table.map(([, , count]) => (count === null ? null : BigInt(count))));
        expect(result.missed).toEqual(result.columns.map((values) => values.filter((value) => value === null).length));
      }),
      { numRuns: 200 },
    );
  });

  it('takes an empty line for a missing value of a single column, and for nothing where there are more', async () => {
    expect((await read('1\n\n2\n', ['int64'], 3)).columns[0]).toEqual([1n, null, 2n]);
    expect((await read('\n1,2\n\n3,4\n\n', ['int64', 'int64'], 2)).columns).toEqual([
      [1n, 3n],
      [2n, 4n],
    ]);
  });
});

describe('readPlainCsvRecords', () => {
  const form = { delimiter: comma, isCrLf: false, recordBytesMax: 100 };
  const readPlain = (content: string, types: CsvTarget['type'][] = ['float64', 'int64']) =>
    readPlainCsvRecords(Buffer.from(content), form, targetsFor(types, 2), 2);

  it('refuses a single column, of which any empty line is a record', () => {
    expect(() => readPlain('1\n', ['int64'])).toThrow('`columns`');
  });

  it.each([
    'x,1\n',
    'nan,1\n',
    ' 1,1\n',
    '1,1.5\n',
    '1,1234567890123456789\n',
    '1,"1"\n',
    '1\n',
    '1,2,3\n',
    '1,2\r\n',
    '\n',
  ])('tells that %j is not plain', async (line) => {
    expect(await readPlain(line)).toBeNull();
    expect(await readPlain(`1,2\n${line}`)).toBeNull();
  });

  it('tells of a record that is longer than it may be', async () => {
    expect(await readPlain(`1,${'0'.repeat(200)}1\n`)).toBeNull();
  });

  it('reads numbers as they are where they are checked, and tells of more rows than there is room for', async () => {
    expect(await readPlain('+1.5e3,-7\n,\n')).toEqual({ rowCount: 2, missing: [1, 1], texts: [null, null] });
    expect((await readPlain('1,2\n3,4\n5,6\n'))!.rowCount).toBe(3);
  });
});
