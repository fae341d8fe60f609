import { invalidField } from '../platform/errors.js';
import { nearest } from '../platform/nearest-name.js';
import { type Flight, resolveFlight } from './flights.js';
import { type RowRange, wholeTable } from './row-range.js';

/** A flight, or a part of it. */
export interface FlightRequest {
  flight: Flight;
  /** Names in the order they are wanted in; null: all columns. */
  columns: string[] | null;
  rows: RowRange;
}

const keys = ['name', 'columns', 'offset', 'limit'];

/**
 * Reads a ticket, or what a descriptor says: the name of a flight, or a JSON object with its `name`, and optionally `columns`
 * (names), `offset` (rows to leave out at the start) and `limit` (rows at most).
 * @param field where the text stood
 */
export function parseFlightRequest(text: string, field: string): FlightRequest {
  if (!text.startsWith('{')) {
    return { flight: resolveFlight(text, field), columns: null, rows: wholeTable };
  }
  const given = parseObject(text, field);
  const unknown = Object.keys(given).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    const guess = nearest(unknown, keys);
    const hint = guess ? `did you mean ${guess}?` : `there are ${keys.join(', ')}.`;
    throw invalidField(field, `Expected \`${field}\` to have no key ${JSON.stringify(unknown)}; ${hint}`);
  }
  const { name, columns = null, offset = 0, limit = null } = given;
  if (typeof name !== 'string') {
    throw invalidField(
      `${field}.name`,
      `Expected \`${field}.name\` to be a text but received ${JSON.stringify(name)}.`,
    );
  }
  return {
    flight: resolveFlight(name, `${field}.name`),
    columns: columns === null ? null : parseColumns(columns, `${field}.columns`),
    rows: {
      offset: parseCount(offset, `${field}.offset`),
      limit: limit === null ? null : parseCount(limit, `${field}.limit`),
    },
  };
}

/** The text that stands for a request; a flight as a whole has its plain name. */
export function formatFlightRequest({ flight, columns, rows: { offset, limit } }: FlightRequest): string {
  if (columns === null && offset === 0 && limit === null) {
    return flight.name;
  }
  return JSON.stringify({
    name: flight.name,
    ...(columns && { columns }),
    ...(offset > 0 && { offset }),
    ...(limit !== null && { limit }),
  });
}

function parseObject(text: string, field: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    const problem = (error as Error).message;
    throw invalidField(field, `Expected \`${field}\` to be a name or a JSON object but it cannot be read: ${problem}.`);
  }
}

function parseColumns(columns: unknown, field: string): string[] {
  const isList = Array.isArray(columns) && columns.length > 0 && columns.every((name) => typeof name === 'string');
  if (!isList || new Set(columns).size < columns.length) {
    const received = JSON.stringify(columns);
    throw invalidField(field, `Expected \`${field}\` to be names of columns, each once, but received ${received}.`);
  }
  return columns;
}

function parseCount(count: unknown, field: string): number {
  if (!Number.isSafeInteger(count) || (count as number) < 0) {
    const received = JSON.stringify(count);
    throw invalidField(field, `Expected \`${field}\` to be a number of rows from 0 but received ${received}.`);
  }
  return count as number;
}
