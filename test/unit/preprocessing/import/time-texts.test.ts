import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTimeText } from '../../../../services/pipeline/index.js';
import { typeName } from '../../../../services/preprocessing/column.js';
import { timeTypes, timeValue } from '../../../../services/preprocessing/import/time-texts.js';
import { readImport } from './read-import.js';

const typeOf = (name: string) => timeTypes.find((type) => typeName(type) === name)!;
/** With the second, DuckDB reads what the engine does with the first. */
const otherTypes: Record<string, string>[] = [{}, { n: 'Int8' }];
const csvOf = (texts: readonly string[]) => ['when,n', ...texts.map((text, i) => `${text},${i}`)].join('\n');
const jsonOf = (texts: readonly string[]) => texts.map((when, n) => JSON.stringify({ when, n })).join('\n');

/** The same column by each way that text is read: by the engine, by DuckDB (which other types and words make necessary), and JSON lines. */
async function readEveryWay(texts: readonly string[], types: Record<string, string> = {}) {
  const csv = csvOf(texts);
  const reads = await Promise.all([
    readImport({ 'a.csv': csv }, types),
    readImport({ 'a.tsv': csv.replaceAll(',', '\t') }, types),
    readImport({ 'a.csv': csv }, { ...types, n: 'Int32' }),
    readImport({ 'a.csv': csv }, types, null, ['none']),
    readImport({ 'a.jsonl': jsonOf(texts) }, types),
  ]);
  return reads.map(({ columns, rows }) => ({ type: columns[0]![1], values: rows.map(([value]) => value) }));
}

describe('timeValue', () => {
  it.each<[string, string, number | bigint | null]>([
    ['Date32', '1970-01-02', 1],
    ['Date32', '1969-12-31', -1],
    ['Date32', '2024-02-30', null],
    ['Date32', '2024-01-01T00:00', null],
    ['Timestamp[s]', '1969-12-31T23:59:59', -1n],
    ['Timestamp[s]', '1970-01-01T00:00:00.5', null],
    ['Timestamp[ms]', '1969-12-31 23:59:59.999', -1n],
    ['Timestamp[ms]', '1970-01-01T00:00:00.0001', null],
    ['Timestamp[us]', '1970-01-02', 86_400_000_000n],
    ['Timestamp[us]', '1969-12-31T23:59:59.999999', -1n],
    ['Timestamp[us]', '1970-01-01T00:00:00Z', null],
    ['Timestamp[us, UTC]', '1970-01-01T02:00:00+02:00', 0n],
    ['Timestamp[us, UTC]', '1970-01-01T00:00', 0n],
    ['Timestamp[us, UTC]', '-271821-04-20T00:00:00Z', -8_640_000_000_000_000_000n],
    ['Timestamp[ns]', '2024-01-01T00:00:00.123456789', 1_704_067_200_123_456_789n],
    ['Timestamp[ns]', '1677-01-01', null],
    ['Timestamp[ns]', 'yesterday', null],
  ])('counts, as %s, %s', (name, text, value) => {
    expect(timeValue(typeOf(name), readTimeText(text))).toBe(value);
  });
});

/** A time by the platform's own dates, whose parser takes what is alike too, and days that are none. */
function readByDate(text: string): number | null {
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const [, day, minute = '00:00', second = ':00', offset = 'Z'] = found ?? [];
  const ms = Date.parse(`${day}T${minute}${second.slice(0, 7)}${offset}`);
  const isDay =
    Date.parse(`${day}T00:00Z`) === Date.parse(`${day?.slice(0, 7)}-01`) + (Number(day?.slice(8)) - 1) * 86_400_000;
  const isThere = new Date(`${day}T00:00Z`).getUTCMonth() + 1 === Number(day?.slice(5, 7));
  return isDay && isThere && !minute.startsWith('24') && !Number.isNaN(ms) ? ms : null;
}

describe('readTimeText', () => {
  it('reads what the platform reads, and no more', () => {
    const two = fc.integer({ min: 0, max: 70 }).map((value) => String(value).padStart(2, '0'));
    const part = fc.integer({ min: 1, max: 12 }).map((value) => String(value).padStart(2, '0'));
    const year = fc.integer({ min: 0, max: 9999 }).map((value) => String(value).padStart(4, '0'));
    const fraction = fc.stringMatching(/^[0-9]{1,10}$/);
    const end = fc.constantFrom('', 'Z', '+05:30', '-23:59', '+24:00', '+1:00', 'z', '+05:60', ' ');
    const written = fc
      .tuple(
        year,
        part,
        fc.oneof(part, two),
        fc.constantFrom('T', ' ', 't', '-'),
        two,
        two,
        two,
        fraction,
        end,
        fc.nat(40),
      )
      .chain(([y, month, day, separator, hour, minute, second, digits, offset, cut]) => {
        const date = `${y}-${month}-${day}`;
        const time = `${date}${separator}${hour}:${minute}`;
        return fc.constantFrom(
          date,
          `${time}${offset}`,
          `${time}:${second}${offset}`,
          `${time}:${second}.${digits}${offset}`,
          `${time}:${second}.${digits}${offset}`.slice(0, cut),
          `${date}T1${hour.slice(1)}:${minute}:0${second.slice(1)}.${digits}${offset}`,
        );
      });
    fc.assert(
      fc.property(written, (text) => {
        expect(readTimeText(text)?.ms ?? null, text).toBe(readByDate(text));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('times in tables of text', () => {
  it.each<[string, string[], string]>([
    ['dates', ['2024-02-29', '1900-01-01'], 'Date32'],
    ['times of day', ['2024-02-29T12:00', '2024-02-29 12:00:00.5', '2024-03-01'], 'Timestamp[us]'],
    ['times with offsets', ['2024-02-29T12:00Z', '2024-02-29T12:00:00-05:30'], 'Timestamp[us, UTC]'],
    ['parts of a microsecond', ['2024-02-29T12:00:00.000000001', '2024-03-01'], 'Timestamp[ns]'],
    ['parts of a microsecond too long ago', ['2024-02-29T12:00:00.000000001', '1600-03-01'], 'Utf8'],
    ['times with and without an offset', ['2024-02-29T12:00', '2024-02-29T12:00Z'], 'Utf8'],
    ['a day that is none', ['2024-02-29', '2023-02-29'], 'Utf8'],
    ['a number among dates', ['2024-02-29', '2024'], 'Utf8'],
    ['a word among dates', ['2024-02-29', 'soon'], 'Utf8'],
    ['months', ['2024-02', '2024-03'], 'Utf8'],
  ])('are recognised: %s', async (_, texts, type) => {
    const reads = [await readImport({ 'a.csv': csvOf(texts) }), await readImport({ 'a.jsonl': jsonOf(texts) })];
    expect(reads.map(({ columns }) => columns[0]![1])).toEqual([type, type]);
  });

  it('are the same however they are read', async () => {
    const year = fc.integer({ min: 1700, max: 2200 });
    const digits = fc.integer({ min: 0, max: 9 });
    const written = fc
      .tuple(
        year,
        fc.nat(364),
        fc.nat(86_399),
        digits,
        fc.nat(999_999_999),
        fc.constantFrom('', 'Z', '+05:30', '-11:00'),
      )
      .map(([y, day, second, places, fraction, offset]) => {
        const start = new Date(Date.UTC(y, 0, 1 + day, 0, 0, second)).toISOString().slice(0, 19);
        return { start, fraction: String(fraction).padStart(9, '0').slice(0, places), offset };
      });
    const columns = fc.tuple(
      fc.array(written, { minLength: 1, maxLength: 30 }),
      fc.constantFrom('date', 'local', 'offset'),
    );
    await fc.assert(
      fc.asyncProperty(columns, async ([times, form]) => {
        const texts = times.map(({ start, fraction, offset }) =>
          form === 'date'
            ? start.slice(0, 10)
            : `${start}${fraction && `.${fraction}`}${form === 'local' ? '' : offset || 'Z'}`,
        );
        const reads = await readEveryWay(texts);
        const isFine = form !== 'date' && times.some(({ fraction }) => /[^0]/.test(fraction.slice(6)));
        const unit = isFine ? 'ns' : 'us';
        const expected = times.map(({ start, fraction, offset }) => {
          if (form === 'date') {
            return Date.parse(start.slice(0, 10)) / 86_400_000;
          }
          const seconds = BigInt(Date.parse(`${start}${form === 'local' ? 'Z' : offset || 'Z'}`) / 1_000);
          return (seconds * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))) / (isFine ? 1n : 1_000n);
        });
        const type = form === 'date' ? 'Date32' : `Timestamp[${unit}${form === 'local' ? '' : ', UTC'}]`;
        expect(reads).toEqual(reads.map(() => ({ type, values: expected })));
      }),
      { numRuns: 8 },
    );
  });

  it('are of the type that is given', async () => {
    const texts = ['2024-02-29', '2024-02-29T12:00'];
    const values = [1_709_164_800n, 1_709_208_000n];
    for (const type of ['Timestamp[s]', 'Timestamp[s, UTC]']) {
      expect(await readEveryWay(texts, { when: type })).toEqual(Array(5).fill({ type, values }));
    }
    const asText = await readEveryWay(texts, { when: 'Utf8' });
    expect(asText).toEqual(Array(5).fill({ type: 'Utf8', values: texts }));
  });

  it.each([
    ['Date32', '2024-02-29T12:00', 'Expected Date32, like 2024-01-31, but received "2024-02-29T12:00".'],
    ['Timestamp[ms]', '2024-02-29T12:00:00.0001', 'at most 3 digits after the second and no offset, but received'],
    ['Timestamp[us]', '2024-02-29T12:00Z', 'at most 6 digits after the second and no offset, but received'],
    ['Timestamp[s, UTC]', 'soon', 'no fraction of a second and an offset or in UTC, but received "soon".'],
  ])('are refused with row and column where they are no %s', async (type, text, message) => {
    const csv = csvOf(['2024-02-29', '', text]);
    for (const others of otherTypes) {
      const read = readImport({ 'a.csv': csv }, { when: type, ...others });
      await expect(read).rejects.toThrow('a.csv: Row 3, column "when": Expected');
      await expect(readImport({ 'a.csv': csv }, { when: type, ...others })).rejects.toThrow(message);
    }
    const json = readImport({ 'a.jsonl': jsonOf(['2024-02-29', text]) }, { when: type });
    await expect(json).rejects.toThrow(/Line 2: Expected column "when" to hold (Date32|Timestamp)/);
  });

  it('may be missing, by a word too, and may have spaces around them in CSV', async () => {
    const csv = 'when,n\nNA,1\n 2024-02-29 ,2\n,3\n"2024-03-01",4\nnull,5\n';
    for (const types of otherTypes) {
      const { columns, rows } = await readImport({ 'a.csv': csv }, types);
      expect(columns[0]).toEqual(['when', 'Date32']);
      expect(rows.map(([when]) => when)).toEqual([null, 19_782, null, 19_783, null]);
    }
    const given = await readImport({ 'a.csv': 'when,n\n-,1\n2024-02-29,2\n' }, {}, null, ['-']);
    expect(given.rows.map(([when]) => when)).toEqual([null, 19_782]);
    const json = await readImport({ 'a.jsonl': '{"when":null}\n{"when":"2024-02-29"}\n{}' });
    expect(json.rows).toEqual([[null], [19_782], [null]]);
  });

  it('of several files are one type that fits all', async () => {
    const files = (second: string) => ({ 'a.csv': 'when\n2024-02-29\n', 'b.csv': `when\n${second}\n` });
    const typeWith = async (second: string) => (await readImport(files(second))).columns[0]![1];
    expect(await typeWith('2024-02-29T12:00')).toBe('Timestamp[us]');
    expect(await typeWith('"NA"')).toBe('Date32');
    expect(await typeWith('2024-02-29T12:00Z')).toBe('Utf8');
    expect(await typeWith('5')).toBe('Utf8');
    await expect(readImport(files('soon'), { when: 'Date32' })).rejects.toThrow('b.csv: Row 1, column "when"');
  });
});
