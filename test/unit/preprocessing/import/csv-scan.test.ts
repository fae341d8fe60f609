import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { scanCsv } from '../../../../services/preprocessing/import/csv-scan.js';
import { parseMissingValues } from '../../../../services/preprocessing/import/missing-values.js';
import { tempFolder } from '../../../support/temp-folder.js';

function scan(content: string | Buffer, signal = new AbortController().signal) {
  const file = path.join(tempFolder(), 'data.csv');
  writeFileSync(file, content);
  return scanCsv({ path: file, folders: [], sizeBytes: content.length }, ',', parseMissingValues([]), signal);
}

describe('scanCsv', () => {
  it.each<[string, string | Buffer, string]>([
    ['an empty file', '', 'the file is empty'],
    ['a header alone', 'a,b\n', 'at least one row'],
    [
      'a row that is too short',
      'a,b\n1,2\n3\n',
      'Line 3, row 2: Expected 2 fields, as in the header, but received 1: there is none for column "b".',
    ],
    [
      'a row that is too long',
      'a,b\n1,2,3\n',
      'Line 2, row 1: Expected 2 fields, as in the header, but received 3: the header ends with column "b".',
    ],
    ['a last row that is cut off', 'a,b,c\n1,2,3\n4,5', 'Line 3, row 2: Expected 3 fields'],
    [
      'a quote that is not closed',
      'a,b\n1,"2\n3,4\n',
      'Line 2, row 1, column "b": Expected a closing quote but the file ends',
    ],
    [
      'text after a closing quote',
      'a,b\n1,"2"x\n',
      'Line 2, row 1, column "b": Expected a comma or the end of the line',
    ],
    ['a Windows line after a Unix one', 'a,b\n1,"2\r\n"\n3,4\r\n', 'Line 4: Expected it to end with LF'],
    ['a Unix line after a Windows one', 'a,b\r\n1,"2\n"\r\n3,4\n', 'Line 4: Expected it to end with CR LF'],
    ['a Windows line after one of an old Mac', 'a,b\r1,2\r\n', 'Line 2: Expected it to end with CR, as'],
    [
      'a record of more than 2 MiB',
      `a\n1\n${'x'.repeat(2 ** 21)}\n`,
      'Line 3, row 2, column "a": Expected records of at most 2097152 bytes',
    ],
    ['a name twice', 'a,A\n1,2\n', 'Line 1: Expected columns with names of their own'],
    ['more columns than a dataset may have', `${'a,'.repeat(10_000)}a\n`, 'Line 1: Expected at most 10000 columns'],
    ['a column without a name', 'a,\n1,2\n', 'Line 1: Expected a name for column 2'],
    [
      'bytes that are not UTF-8',
      Buffer.from('a,b\n1,2\n3,\xff\n', 'latin1'),
      'Line 3, row 2, column "b": Expected UTF-8 but received 0xff as byte 3 of the line.',
    ],
    [
      'bytes in a piece after that of their line',
      Buffer.concat([Buffer.from('a\n'), Buffer.alloc(1024 * 1024, 'é'), Buffer.from([0xc3, 0x28])]),
      'Line 2, row 1, column "a": Expected UTF-8 but received 0xc3 as byte 1048577 of the line.',
    ],
    [
      'a character that is cut off',
      Buffer.from('a\n\xc3', 'latin1'),
      'Line 2, row 1, column "a": Expected UTF-8 but received 0xc3 as byte 1 of the line.',
    ],
    ['a fault after quoted line ends, by its line', 'a,b\n"x\ny\nz",1\n2\n', 'Line 5, row 2: Expected 2 fields'],
    [
      'a fault of UTF-8 after rows that are plain, empty lines and line ends in quotes',
      Buffer.from('a,b\r\n1,2\r\n\r\n3,"x\r\n"\r\n4,"y\r\n\xe9"\r\n', 'latin1'),
      'Line 7, row 3, column "b": Expected UTF-8 but received 0xe9 as byte 1 of the line.',
    ],
    ['a name that is not UTF-8', Buffer.from('a,\xff\n1,2\n', 'latin1'), 'Line 1, field 2: Expected UTF-8'],
    ['a fault in a field too many', Buffer.from('a\n1\n2,\xff\n', 'latin1'), 'Line 3, row 2, field 2: Expected UTF-8'],
    [
      'a ragged row before a fault of UTF-8',
      Buffer.from('a,b\n1\n2,\xff\n', 'latin1'),
      'Line 2, row 1: Expected 2 fields',
    ],
  ])('refuses %s', async (_, content, message) => {
    await expect(scan(content)).rejects.toThrow(message);
  });

  it('ends when it is cancelled', async () => {
    await expect(scan('a\n1\n', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  });

  it.each<[string, string, string[], number]>([
    ['lines that end in CR LF', 'a,b\r\n1,2\r\n3,4\r\n', ['a', 'b'], 2],
    ['a last line without its end', 'a,b\n1,2\n3,4', ['a', 'b'], 2],
    ['a byte order mark before a quote', '\ufeff"a",b\n1,2\n', ['a', 'b'], 1],
    ['a byte order mark', '\ufeffa,b\n1,2\n', ['a', 'b'], 1],
    ['quotes, commas and line ends within quotes', '"a ""x""","b,c"\n"1\n2","3"",4"\n', ['a "x"', 'b,c'], 1],
    ['empty fields', 'a,b\n,\n', ['a', 'b'], 1],
    ['empty lines between records', 'a,b\n\n1,2\n\n', ['a', 'b'], 1],
    ['an empty line as a missing value of a single column', 'a\n1\n\n2\n', ['a'], 3],
    ['characters of several bytes', 'größe,€\n1,😀\n', ['größe', '€'], 1],
  ])('reads %s', async (_, content, names, rowCount) => {
    expect(await scan(content)).toMatchObject({ columns: names.map((name) => ({ name })), rowCount });
  });

  it('counts across the pieces in which a file is read', async () => {
    const row = `${'ä'.repeat(300)},"${'b'.repeat(300)}\n"\n`;
    expect(await scan(`x,y\n${row.repeat(3_000)}`)).toMatchObject({
      columns: [{ name: 'x' }, { name: 'y' }],
      rowCount: 3_000,
    });
  });

  it('says where a column stops being integers, and numbers', async () => {
    const { columns } = await scan('a,b\n1,\n2,3\n"4.5","\n"\n,x\nz,1\n');
    expect(columns).toEqual([
      {
        name: 'a',
        kind: 3,
        hasMissingWords: false,
        firstBeyond: { integer: { line: 4, text: '4.5' }, number: { line: 7, text: 'z' } },
      },
      {
        name: 'b',
        kind: 3,
        hasMissingWords: false,
        firstBeyond: { integer: { line: 4, text: '\n' }, number: { line: 4, text: '\n' } },
      },
    ]);
  });

  describe.each([
    ['LF', '\n'],
    ['CR LF', '\r\n'],
  ])('of a long file with lines that end in %s', (_, lineEnd) => {
    const plainRows = 500_000;
    const plain = `1234567,ab cd${lineEnd}`.repeat(plainRows);
    const head = `a,b${lineEnd}`;

    it('goes on with what is not plain, and with what is plain again', async () => {
      const content = `${head}${plain}"1\n2","x,""y"${lineEnd}${plain}1.5,${lineEnd}${plain}`;
      const { columns, rowCount, pieces } = await scan(content);
      expect(columns[0]!.firstBeyond).toEqual({
        integer: { line: plainRows + 2, text: '1\n2' },
        number: { line: plainRows + 2, text: '1\n2' },
      });
      expect(columns.map(({ kind }) => kind)).toEqual([3, 3]);
      expect(rowCount).toBe(3 * plainRows + 2);
      expect(pieces.reduce((sum, piece) => sum + piece.rowCount, 0)).toBe(rowCount);
      let end = head.length;
      for (const { offset, sizeBytes } of pieces) {
        // Where lines end with two characters, the second may be in the next piece.
        expect(Math.abs(offset - end)).toBeLessThan(lineEnd.length);
        end = offset + sizeBytes;
      }
      expect(end).toBe(content.length);
    });

    it.each<[string, string | Buffer, string]>([
      ['a row that is too short', '1', ': Expected 2 fields'],
      [
        'a character that is none',
        Buffer.from('1,\xff', 'latin1'),
        ', column "b": Expected UTF-8 but received 0xff as byte 3',
      ],
    ])('names the line and the row of %s', async (_, line, message) => {
      const content = Buffer.concat([Buffer.from(head + plain), Buffer.from(line), Buffer.from(lineEnd + plain)]);
      await expect(scan(content)).rejects.toThrow(`Line ${plainRows + 2}, row ${plainRows + 1}${message}`);
    });
  });
});
