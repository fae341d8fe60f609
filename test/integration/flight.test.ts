import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import * as arrow from 'apache-arrow';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PollInfo__Output } from '../../proto/gen/arrow/flight/protocol/PollInfo.js';
import { contracts, createClient, messageType, type RpcClient, RpcError } from '../../proto/index.js';
import { createMessageWriter, encapsulate, joinBody } from '../../services/platform/arrow-messages.js';
import { readConfig } from '../../services/preprocessing/config.js';
import { startPreprocessing } from '../../services/preprocessing/service.js';
import { getTable, putTable } from '../support/flight-table.js';
import { tempFolder } from '../support/temp-folder.js';

let dataDir: string;
let client: RpcClient<typeof contracts.preprocessing.clientType>;
let flight: RpcClient<typeof contracts.flight.clientType>;
let stop: () => Promise<void>;

beforeEach(async () => {
  dataDir = tempFolder();
  const config = readConfig(
    ['--data-dir', dataDir, '--port', '0', '--stop-grace-ms', '2000', '--import-hosts', '127.0.0.1'],
    {},
  );
  const service = await startPreprocessing(config, pino({ level: 'silent' }));
  client = createClient(contracts.preprocessing, `127.0.0.1:${service.port}`);
  flight = createClient(contracts.flight, `127.0.0.1:${service.port}`);
  stop = async () => {
    client.close();
    flight.close();
    await service.stop();
  };
});
afterEach(() => stop());

const points = arrow.tableFromArrays({
  x: Float64Array.from({ length: 90 }, (_, row) => row / 10),
  n: Int32Array.from({ length: 90 }, (_, row) => row),
  class: Array.from({ length: 90 }, (_, row) => ['a', 'b', 'c'][row % 3]!),
});
const batchesOf = (table: arrow.Table, rows: number) => {
  const parts = Array.from({ length: Math.ceil(table.numRows / rows) }, (_, i) =>
    table.slice(i * rows, (i + 1) * rows),
  );
  return parts[0]!.concat(...parts.slice(1));
};

function toMessages(table: arrow.Table, descriptor: string[], metadata: string[] = []) {
  const writer = createMessageWriter(arrow);
  writer.schema(table.schema);
  for (const batch of table.batches) {
    writer.write(batch);
  }
  let batch = 0;
  return writer.take().map((message, i) => ({
    flightDescriptor: i === 0 ? { type: 'PATH' as const, path: descriptor } : null,
    dataHeader: message.header,
    dataBody: joinBody(message),
    appMetadata: Buffer.from(
      i > 0 && arrow.Message.decode(message.header).isRecordBatch() ? (metadata[batch++] ?? '') : '',
    ),
  }));
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) {
    items.push(item);
  }
  return items;
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}

const byPath = (...segments: string[]) => ({ type: 'PATH' as const, path: segments });
const byCommand = (command: object) => ({ type: 'CMD' as const, cmd: Buffer.from(JSON.stringify(command)) });
const messageOf = (
  name: 'CancelFlightInfoRequest' | 'CancelFlightInfoResult' | 'RenewFlightEndpointRequest' | 'FlightEndpoint',
) => messageType(`arrow.flight.protocol.${name}`);

describe('DoPut', () => {
  it('tells of each batch that came, and then of the version', async () => {
    const results = await all(flight.doPut(toMessages(batchesOf(points, 40), ['datasets', 'points'])));
    expect(results.map(({ appMetadata }) => JSON.parse(appMetadata.toString()))).toEqual([
      { batch: 1, rowCount: 40 },
      { batch: 2, rowCount: 80 },
      { batch: 3, rowCount: 90 },
      { name: 'datasets/points/versions/1', digest: expect.stringMatching(/^sha256:/), rowCount: 90 },
    ]);
  });

  it('tells of batches before the last has come', async () => {
    const messages = toMessages(batchesOf(points, 40), ['datasets', 'points']);
    const told: (() => void)[] = [];
    const sending = async function* () {
      for (const [i, message] of messages.entries()) {
        yield message;
        if (i > 1) {
          await new Promise<void>((resolve) => told.push(resolve));
        }
      }
    };
    const counts: number[] = [];
    for await (const { appMetadata } of flight.doPut(sending())) {
      counts.push(JSON.parse(appMetadata.toString()).rowCount);
      told.shift()?.();
    }
    expect(counts).toEqual([40, 80, 90, 90]);
  });
});

describe('ListFlights', () => {
  const names = async (expression: string) => {
    const infos = await all(flight.listFlights({ expression: Buffer.from(expression) }));
    return infos.map(({ flightDescriptor }) => flightDescriptor!.path.join('/'));
  };

  it('lists what begins with the segments of the criteria', async () => {
    await putTable(flight, 'datasets/a', points);
    await putTable(flight, 'datasets/a', points.slice(0, 10));
    await putTable(flight, 'datasets/ab', points);
    expect(await names('')).toEqual(['datasets/a/versions/1', 'datasets/a/versions/2', 'datasets/ab/versions/1']);
    expect(await names('datasets/a')).toEqual(['datasets/a/versions/1', 'datasets/a/versions/2']);
    expect(await names('datasets/*/versions/1')).toEqual(['datasets/a/versions/1', 'datasets/ab/versions/1']);
    expect(await names('pipelines')).toEqual([]);
    expect(await names('datasets/a/versions/1/more')).toEqual([]);
  });

  it('refuses criteria that are no text', async () => {
    const listed = all(flight.listFlights({ expression: Buffer.from([0xff]) }));
    expect(await failure(listed)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('GetFlightInfo', () => {
  it('gives a ticket for a part of the rows', async () => {
    await putTable(flight, 'datasets/points', batchesOf(points, 40));
    const info = await flight.getFlightInfo(
      byCommand({ name: 'datasets/points', columns: ['n'], offset: 35, limit: 10 }),
    );
    expect(info).toMatchObject({ totalRecords: 10, totalBytes: -1, endpoint: [{ expirationTime: expect.anything() }] });
    const ticket = info.endpoint[0]!.ticket!.ticket.toString();
    expect(JSON.parse(ticket)).toEqual({ name: 'datasets/points/versions/1', columns: ['n'], offset: 35, limit: 10 });
    const part = await getTable(flight, ticket);
    expect(part.schema.names).toEqual(['n']);
    expect([...part.getChild('n')!]).toEqual(Array.from({ length: 10 }, (_, i) => 35 + i));
    const again = await flight.getFlightInfo({ type: 'CMD', cmd: info.flightDescriptor!.cmd });
    expect(again.schema).toEqual(info.schema);
  });
});

const spec = {
  columns: [
    { column: 'x', steps: [{ standardise: {} }] },
    { column: 'class', steps: [{ oneHot: {} }] },
  ],
  label: { column: 'n', kind: 'KIND_NUMBER' as const },
};
const split = { validationFraction: 0, testFraction: 0, seed: 1 };

async function fit(): Promise<string> {
  await putTable(flight, 'datasets/points', points);
  return (await client.fitPipeline({ dataset: 'datasets/points', spec, split })).name;
}

async function exchange(name: string, table: arrow.Table, metadata: string[] = []) {
  const answers = await all(flight.doExchange(toMessages(table, name.split('/'), metadata)));
  const parts = answers.flatMap(({ dataHeader, dataBody }) => [encapsulate(dataHeader), dataBody]);
  const tensors = arrow.tableFromIPC(Buffer.concat(parts));
  return { tensors, metadata: answers.slice(1).map(({ appMetadata }) => appMetadata.toString()) };
}

describe('DoGet', () => {
  it('gives some rows of a split, and features or labels alone', async () => {
    const pipeline = await fit();
    const whole = await getTable(flight, `${pipeline}/splits/train`);
    const request = { name: `${pipeline}/splits/train`, columns: ['label'], offset: 10, limit: 20 };
    const part = await getTable(flight, JSON.stringify(request));
    expect(part.schema.names).toEqual(['label']);
    expect(part.getChild('label')!.toArray()).toEqual(whole.slice(10, 30).getChild('label')!.toArray());
    expect((await flight.getFlightInfo(byCommand(request))).totalRecords).toBe(20);
  });
});

describe('DoExchange', () => {
  it('answers each batch with its features, the same as for training, and what was attached to it', async () => {
    const pipeline = await fit();
    const raw = new arrow.Table({
      class: points.getChild('class')!,
      more: points.getChild('n')!,
      x: points.getChild('x')!,
    });
    const { tensors, metadata } = await exchange(pipeline, batchesOf(raw, 40), ['first', '', 'last']);
    expect(metadata).toEqual(['first', '', 'last']);
    expect(tensors.batches.map(({ numRows }) => numRows)).toEqual([40, 40, 10]);
    const trained = await getTable(flight, `${pipeline}/splits/train`);
    const values = (table: arrow.Table) => JSON.stringify([...table.getChild('features')!]);
    expect(values(tensors)).toBe(values(trained));
  });

  it('reads points in time of any unit as training and records do', async () => {
    const ms = [-1, 0, 1_709_251_199_999, 1_709_251_200_000];
    const nanoseconds = BigInt64Array.from(ms, (value) => BigInt(value) * 1_000_000n + 999_999n);
    const type = new arrow.TimestampNanosecond('UTC');
    const when = arrow.makeVector(arrow.makeData({ type, length: 4, data: nanoseconds }));
    const days = arrow.makeVector(
      arrow.makeData({ type: new arrow.DateDay(), length: 4, data: Int32Array.of(-1, 0, 59, 60) }),
    );
    const table = new arrow.Table({ when, days, y: arrow.vectorFromArray([1, 2, 3, 4], new arrow.Float64()) });
    await putTable(flight, 'datasets/times', table);
    const columns = [
      { column: 'when', steps: [{ calendar: { parts: ['PART_YEAR' as const, 'PART_SECOND' as const] } }] },
      { column: 'when', steps: [{ age: { since: '2024-03-01T00:00:00Z', unit: 'UNIT_SECOND' as const } }] },
      { column: 'days', steps: [{ calendar: { parts: ['PART_MONTH' as const] } }] },
    ];
    const times = { columns, label: { column: 'y', kind: 'KIND_NUMBER' as const } };
    const fitted = await client.fitPipeline({ dataset: 'datasets/times', spec: times, split });
    const rows = ({ tensors }: { tensors: arrow.Table }) =>
      [...tensors.getChild('features')!].map((row) => [...(row as arrow.Vector)]);
    const expected = [
      [1969, 59, Math.fround(1_709_251_200.001), 12],
      [1970, 0, Math.fround(1_709_251_200), 1],
      [2024, 59, Math.fround(0.001), 3],
      [2024, 0, 0, 3],
    ];
    expect(rows(await exchange(fitted.name, table))).toEqual(expected);
    expect(rows({ tensors: await getTable(flight, `${fitted.name}/splits/train`) })).toEqual(expected);
    const records = [
      { when: { text: '1969-12-31T23:59:59.999Z' }, days: { text: '1969-12-31' } },
      { when: { number: 0 }, days: { number: 0 } },
      { when: { text: '2024-03-01T01:59:59.9999999+02:00' }, days: { text: '1970-03-01' } },
      { when: { text: '2024-03-01' }, days: { text: '1970-03-02' } },
    ].map((values) => ({ values }));
    const { features } = await client.transformRecords({ pipeline: fitted.name, records });
    expect([...new Float32Array(Uint8Array.from(features).buffer)]).toEqual(expected.flat());
    const text = { when: { text: '2024-02-30' }, days: { text: 'today' } };
    const { details } = (await failure(
      client.transformRecords({ pipeline: fitted.name, records: [{ values: text }] }),
    )) as RpcError;
    expect(details.fieldViolations.map(({ field }) => field)).toEqual([
      'records[0].values["when"]',
      'records[0].values["days"]',
    ]);
    const other = arrow.tableFromArrays({ when: [1], days: [1] });
    expect((await failure(exchange(fitted.name, other))).message).toContain(
      'Expected column "when" to be Date32, Date64 or Timestamp but it is Float64.',
    );
  });

  it('cuts tensors that are larger than a message may be', async () => {
    const pipeline = await fit();
    const rows = 600_000;
    const raw = arrow.tableFromArrays({ x: new Float64Array(rows), class: new Array<string>(rows).fill('b') });
    const { tensors, metadata } = await exchange(pipeline, raw, ['all']);
    expect(tensors.numRows).toBe(rows);
    expect(metadata).toEqual(['', 'all']);
  });

  it('names every column that is missing or of another type', async () => {
    const pipeline = await fit();
    const raw = arrow.tableFromArrays({ x: Float32Array.of(1), klass: ['a'] });
    const { code, message } = await failure(exchange(pipeline, raw));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message).toContain('Expected column "x" to be Float64 but it is Float32.');
    expect(message).toContain(
      'Expected column "class" to be Utf8, LargeUtf8 or a dictionary of text but there is none',
    );
  });

  it('names the row of a missing value and of one that is no number, counted over all batches', async () => {
    const pipeline = await fit();
    const withGap = (value: number | null) => {
      const x = Array.from({ length: 60 }, (_, row) => (row === 45 ? value : 1));
      const vector = arrow.vectorFromArray(x, new arrow.Float64());
      return batchesOf(new arrow.Table({ x: vector, class: arrow.vectorFromArray(x.map(() => 'a')) }), 40);
    };
    const missing = await failure(exchange(pipeline, withGap(null)));
    expect(missing.message).toContain('column "x" in row 46 is missing');
    const notFinite = await failure(exchange(pipeline, withGap(Number.NaN)));
    expect(notFinite.message).toContain('column "x" to hold finite numbers but received NaN in row 46');
  });

  it('refuses a pipeline that is not there, and a first message without a descriptor', async () => {
    expect(await failure(exchange('pipelines/none', points))).toMatchObject({ code: 'NOT_FOUND' });
    const [first, ...rest] = toMessages(points, []);
    const unnamed = all(flight.doExchange([{ ...first, flightDescriptor: null }, ...rest]));
    expect((await failure(unnamed)).message).toContain('the first message to have a `flight_descriptor`');
  });
});

function writeCsv(rows: number): string {
  const file = path.join(dataDir, 'numbers.csv');
  writeFileSync(file, `a,b\n${Array.from({ length: rows }, (_, row) => `${row},${row / 8}`).join('\n')}\n`);
  return file;
}

/** Polls until the import is over. */
async function poll(descriptor: object) {
  const progress: number[] = [];
  let answer = await flight.pollFlightInfo(descriptor);
  for (; answer.flightDescriptor; answer = await flight.pollFlightInfo(answer.flightDescriptor)) {
    expect(answer.info!.endpoint).toEqual([]);
    progress.push(answer.progress!);
  }
  return { progress, info: answer.info! };
}

describe('PollFlightInfo', () => {
  it('begins an import and follows it to its version', async () => {
    const paths = [writeCsv(300_000)];
    const { progress, info } = await poll(byCommand({ import: { dataset: 'datasets/numbers', paths } }));
    expect(progress.length).toBeGreaterThan(2);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(info).toMatchObject({
      totalRecords: 300_000,
      flightDescriptor: { path: ['datasets', 'numbers', 'versions', '1'] },
    });
    const table = await getTable(flight, info.endpoint[0]!.ticket!.ticket.toString());
    expect(table.numRows).toBe(300_000);
  });

  it('follows an import that another client began', async () => {
    const paths = [writeCsv(300_000)];
    const events = client.importDataset({ dataset: 'datasets/numbers', paths });
    await events.next();
    const first = await flight.pollFlightInfo(byPath('datasets', 'numbers'));
    expect(first.flightDescriptor!.path[0]).toBe('imports');
    const [{ info }] = await Promise.all([poll(first.flightDescriptor!), all(events)]);
    expect(info.totalRecords).toBe(300_000);
  });

  it('tells how much is fetched of what is at an address, and goes on from there', async () => {
    const content = readFileSync(writeCsv(20_000));
    const half = content.length >> 1;
    let sendRest = () => {};
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, half));
      sendRest = () => response.end(content.subarray(half));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/numbers.csv`;
      const told = ({ info }: PollInfo__Output) => JSON.parse(info!.appMetadata.toString());
      let answer = await flight.pollFlightInfo(
        byCommand({ import: { dataset: 'datasets/numbers', paths: [address] } }),
      );
      while (told(answer).fetchedBytes < half) {
        answer = await flight.pollFlightInfo(answer.flightDescriptor!);
      }
      const fetched = { rowCount: 0, bytesDone: 0, bytesTotal: 0, fetchedBytes: half, fetchBytesTotal: content.length };
      expect(told(answer)).toEqual(fetched);
      expect(answer.progress).toBeCloseTo(1 / 4, 4);
      sendRest();
      const { progress, info } = await poll(answer.flightDescriptor!);
      expect(info.totalRecords).toBe(20_000);
      expect([...progress].sort((a, b) => a - b)).toEqual(progress);
    } finally {
      server.close();
    }
  });

  it('ends in the error that the import ended in', async () => {
    const begun = byCommand({ import: { dataset: 'datasets/none', paths: [path.join(dataDir, 'none.csv')] } });
    expect(await failure(poll(begun))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('none.csv'),
    });
  });

  it('is done at once with what is there', async () => {
    await putTable(flight, 'datasets/points', points);
    expect(await poll(byPath('datasets', 'points'))).toMatchObject({ progress: [], info: { totalRecords: 90 } });
  });

  it.each([
    ['a dataset of another form', { dataset: 'x', paths: [] }, '`descriptor.import.dataset` to be like datasets/'],
    [
      'paths that are no list',
      { dataset: 'datasets/x', paths: 'a' },
      '`descriptor.import.paths` to be a list of texts',
    ],
  ])('refuses %s', async (_, command, message) => {
    expect((await failure(poll(byCommand({ import: command })))).message).toContain(message);
  });

  it('refuses an import that never was', async () => {
    expect(await failure(poll(byPath('imports', 'i1')))).toMatchObject({ code: 'NOT_FOUND' });
  });
});

async function act(type: string, body: Uint8Array): Promise<Buffer[]> {
  return (await all(flight.doAction({ type, body }))).map((result) => result.body);
}

describe('DoAction', () => {
  const cancel = async (info: object) => {
    const [result] = await act('CancelFlightInfo', messageOf('CancelFlightInfoRequest').serialize({ info }));
    return (messageOf('CancelFlightInfoResult').deserialize(result!) as { status: string }).status;
  };

  it('cancels an import, of which nothing is left', async () => {
    const paths = [writeCsv(2_000_000)];
    const { info, flightDescriptor } = await flight.pollFlightInfo(
      byCommand({ import: { dataset: 'datasets/numbers', paths } }),
    );
    expect(await cancel(info!)).toBe('CANCEL_STATUS_CANCELLED');
    expect(await failure(poll(flightDescriptor!))).toMatchObject({ code: 'CANCELLED' });
    expect(existsSync(path.join(dataDir, 'preprocessing/datasets/numbers'))).toBe(false);
    expect(readdirSync(path.join(dataDir, 'preprocessing/drafts'))).toEqual([]);
  });

  it('does not cancel what is done', async () => {
    await putTable(flight, 'datasets/points', points);
    const info = await flight.getFlightInfo(byPath('datasets', 'points'));
    expect(await cancel(info)).toBe('CANCEL_STATUS_NOT_CANCELLABLE');
  });

  it('renews a ticket so long as the rows are there', async () => {
    await putTable(flight, 'datasets/points', points);
    const { endpoint } = await flight.getFlightInfo(byPath('datasets', 'points'));
    const request = messageOf('RenewFlightEndpointRequest').serialize({ endpoint: endpoint[0] });
    const [renewed] = await act('RenewFlightEndpoint', request);
    const { ticket, expirationTime } = messageOf('FlightEndpoint').deserialize(renewed!) as (typeof endpoint)[0];
    expect(ticket).toEqual(endpoint[0]!.ticket);
    expect(Number(expirationTime!.seconds)).toBeGreaterThanOrEqual(Number(endpoint[0]!.expirationTime!.seconds));
    await act('DropDataset', Buffer.from('datasets/points'));
    expect(await failure(act('RenewFlightEndpoint', request))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('drops a dataset', async () => {
    await putTable(flight, 'datasets/points', points);
    expect(await act('DropDataset', Buffer.from('datasets/points'))).toEqual([]);
    expect((await client.listDatasets({})).datasets).toEqual([]);
    expect(await failure(act('DropDataset', Buffer.from('datasets/points')))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('refuses an action that is none, and a body that is not its message', async () => {
    expect((await failure(act('DropDatasets', Buffer.alloc(0)))).message).toContain('did you mean DropDataset?');
    expect((await failure(act('toString', Buffer.alloc(0)))).code).toBe('INVALID_ARGUMENT');
    const broken = await failure(act('CancelFlightInfo', Buffer.from([0x0a, 0xff])));
    expect(broken.message).toContain('Expected `body` to be a CancelFlightInfoRequest');
  });

  it('is told of by ListActions', async () => {
    const actions = await all(flight.listActions({}));
    expect(actions.map(({ type }) => type)).toEqual(['CancelFlightInfo', 'RenewFlightEndpoint', 'DropDataset']);
  });
});

describe('Handshake', () => {
  it('answers each step with a token', async () => {
    const answers = await all(flight.handshake([{ protocolVersion: 1, payload: Buffer.from('name') }]));
    expect(answers).toMatchObject([{ protocolVersion: 1, payload: Buffer.from('anonymous') }]);
  });
});
