import { expect, it } from 'vitest';
import { formatFlightRequest, parseFlightRequest } from '../../../services/preprocessing/flight-request.js';

const parse = (request: object) => parseFlightRequest(JSON.stringify(request), 'ticket');

it.each([
  ['a key that is none', { name: 'datasets/a', colums: ['x'] }, 'no key "colums"; did you mean columns?'],
  ['no name', { columns: ['x'] }, '`ticket.name` to be a text but received undefined'],
  ['a name of another form', { name: 'tables/a' }, '`ticket.name` to be datasets/NAME'],
  ['columns that are no list', { name: 'datasets/a', columns: 'x' }, '`ticket.columns` to be names of columns'],
  ['no column', { name: 'datasets/a', columns: [] }, 'names of columns, each once, but received []'],
  ['a column twice', { name: 'datasets/a', columns: ['x', 'x'] }, 'each once, but received ["x","x"]'],
  ['a negative offset', { name: 'datasets/a', offset: -1 }, '`ticket.offset` to be a number of rows from 0'],
  ['half a row', { name: 'datasets/a', limit: 1.5 }, '`ticket.limit` to be a number of rows from 0 but received 1.5'],
])('refuses %s', (_, request, message) => {
  expect(() => parse(request)).toThrow(message);
});

it('refuses what begins as JSON and is none', () => {
  expect(() => parseFlightRequest('{datasets/a}', 'ticket')).toThrow('to be a name or a JSON object');
});

it('reads a plain name as the whole', () => {
  const request = parseFlightRequest('datasets/a', 'ticket');
  expect(request).toMatchObject({ flight: { name: 'datasets/a' }, columns: null, rows: { offset: 0, limit: null } });
  expect(parse({ name: 'datasets/a' })).toEqual(request);
  expect(formatFlightRequest(request)).toBe('datasets/a');
});

it('reads what it has written', () => {
  const request = parse({ name: 'pipelines/p1/splits/test', columns: ['label'], offset: 5, limit: 10 });
  expect(parseFlightRequest(formatFlightRequest(request), 'ticket')).toEqual(request);
});
