import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldAtEnd, type JsonField, readJsonRecord } from '../../../../services/preprocessing/import/json-record.js';

function read(text: string): [string, JsonField][] {
  const fields: [string, JsonField][] = [];
  readJsonRecord(text, (name, field) => fields.push([name, field]));
  return fields;
}

/** As `JSON.parse` would have it. */
function plain(field: JsonField): unknown {
  switch (field.kind) {
    case 'null':
      return null;
    case 'number':
      return Number(field.text);
    case 'numbers':
      return field.texts.map(Number);
    case 'object':
      return {};
    default:
      return field.value;
  }
}

describe('readJsonRecord', () => {
  it.each<[string, string]>([
    ['', 'Expected an object, { ... }, but the line ends at character 1'],
    ['[1]', 'Expected an object, { ... }, but received "[1]"'],
    ['{', 'the name of a field in quotes, but the line ends at character 2'],
    ['{a:1}', 'the name of a field in quotes, but received "a:1}" at character 2'],
    ['{"a" 1}', 'Expected a colon after "a", but received "1}"'],
    ['{"a":1', 'Expected a comma or the end of the object, but the line ends'],
    ['{"a":1,}', 'the name of a field in quotes, but received "}"'],
    ['{"a":1} {}', 'Expected nothing after the object, but received "{}"'],
    ['{"a":01}', 'Expected a comma or the end of the object, but received "1}"'],
    ['{"a":1,"a":2}', 'Expected each field once but "a" comes twice'],
    ['{"a":(1)}', 'Expected "a" to be text, a number, true, false, null, a list of numbers or an object, but received'],
    [
      '{"a":[[1]]}',
      'Expected the list "a" to hold numbers, but received "[1]]}" at character 7. Write null for a list',
    ],
    ['{"a":[]}', 'Expected the list "a" to hold numbers, but received "]}"'],
    ['{"a":{"b":["x"]}}', 'Expected the list "a.b" to hold numbers, but received'],
    ['{"a":{"b":1}', 'Expected a comma or the end of the object, but the line ends'],
    ['{"a":{"b":1,"b":2}}', 'Expected each field once but "a.b" comes twice'],
    ['{"a.b":1,"a":{"b":2}}', 'Expected each field once but "a.b" comes twice'],
    ['{"":{"b":2}}', 'Expected objects with names but received one more in ""'],
    [`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, 'Expected objects at most 32 deep but received one more in "a.a.a'],
    ['{"a":[1 2]}', 'Expected a comma or the end of the list'],
    ['{"a":"x}', 'Expected "a" to be text'],
    ['{"a":"\\x"}', 'Expected "a" to be text'],
    ['{"a":"\t"}', 'Expected "a" to be text'],
    ['{"a":"\\ud800"}', 'half of a surrogate pair'],
    ...['NaN', '-NaN', 'nan', 'Infinity', '-Infinity', 'inf', 'undefined', '.5', '+1', '1.', '0x10', "'x'"].map(
      (value): [string, string] => [`{"a":${value}}`, 'Expected '],
    ),
  ])('refuses %s', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('keeps the digits of numbers', () => {
    expect(read('{"a":9007199254740993,"b":[1.0,-2e3]}')).toEqual([
      ['a', { kind: 'number', text: '9007199254740993' }],
      ['b', { kind: 'numbers', texts: ['1.0', '-2e3'] }],
    ]);
  });

  it('names the fields of objects by all the names that lead to them', () => {
    expect(read('{"a":{"b":true,"c":{"d.e":"x","":null}},"f":{}}')).toEqual([
      ['a', { kind: 'object' }],
      ['a.b', { kind: 'boolean', value: true }],
      ['a.c', { kind: 'object' }],
      ['a.c.d.e', { kind: 'text', value: 'x' }],
      ['a.c.', { kind: 'null' }],
      ['f', { kind: 'object' }],
    ]);
    expect(fieldAtEnd('{"a":{"b":1,"c":"x')).toBe('a.c');
    expect(fieldAtEnd('{"a":{"b":1}, ')).toBeNull();
  });

  it('reads long texts', () => {
    const text = 'ä"\\'.repeat(300_000);
    expect(read(JSON.stringify({ text }))).toEqual([['text', { kind: 'text', value: text }]]);
  });

  it('reads what JSON.parse reads', () => {
    const value = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((one) => !Object.is(one, -0)),
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.integer(), { minLength: 1 }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value), fc.constantFrom(0, 1), (record, indent) => {
        const fields = read(JSON.stringify(record, null, indent));
        expect(fields.map(([name, field]) => [name, plain(field)])).toEqual(Object.entries(record));
      }),
    );
  });
});
