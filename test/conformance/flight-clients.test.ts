import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Table } from 'apache-arrow';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Millrace, readTrainingSpec } from '../../clients/sdk/index.js';
import { contracts, createClient } from '../../proto/index.js';
import { everyType } from '../support/every-type.js';
import { putTable } from '../support/flight-table.js';
import { millrace as command, mnistFolder, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';
import { flightProgram, runFlightProgram } from './flight-program.js';
import { describeWith, type Tool } from './installed-tools.js';
import { testLabels } from './trained-mesh.js';

const exampleFile = createRequire(import.meta.url).resolve('#examples/mnist.yaml');
const languages = ['go', 'java'] as const;
const importedRows = 20_000;
const tools = new Map<(typeof languages)[number], Tool>();
for (const language of languages) {
  // One after another: each of them uses all cores.
  tools.set(language, await flightProgram(language));
}

let mesh: TestMesh;
let millrace: Millrace;
let pipeline: string;
let source: string;
let csvFile: string;

beforeAll(async () => {
  const folder = tempFolder();
  mesh = await TestMesh.start(path.join(folder, 'data'));
  millrace = new Millrace({ portBase: mesh.portBase });
  const imported = await command('data', 'import', 'mnist', mnistFolder, `--port-base=${mesh.portBase}`);
  expect(imported).toMatchObject({ status: 0 });
  const { dataset, pipeline: spec, split } = readTrainingSpec(readFileSync(exampleFile, 'utf8'));
  pipeline = (await millrace.preprocessing.fitPipeline({ dataset, spec, split })).name;
  csvFile = path.join(folder, 'numbers.csv');
  writeFileSync(csvFile, `a,b\n${Array.from({ length: importedRows }, (_, row) => `${row},${row / 4}`).join('\n')}\n`);
  const flight = createClient(contracts.flight, `127.0.0.1:${mesh.portBase + 5}`);
  source = await putTable(flight, 'datasets/types', new Table(everyType));
  flight.close();
});
afterAll(async () => {
  millrace?.close();
  await mesh?.stop();
});

for (const [language, tool] of tools) {
  describeWith(tool, `the Flight client of ${language}`, () => {
    let report: Record<string, { value: unknown; raised?: string }>;

    beforeAll(async () => {
      const args = [`127.0.0.1:${mesh.portBase + 5}`, source, `datasets/${language}`, pipeline, csvFile];
      report = await runFlightProgram(language, args);
    });

    const value = (check: string) => {
      const { value: found, raised } = report[check]!;
      expect(raised).toBeUndefined();
      return found;
    };

    it('puts every type, gets it back and puts it again unchanged, each batch acknowledged', async () => {
      const { digest, columns } = await millrace.preprocessing.getDatasetVersion({ name: source });
      const name = `datasets/${language}/versions/1`;
      expect(value('copy')).toEqual({ name, digest, all: true });
      const copied = await millrace.preprocessing.getDatasetVersion({ name });
      expect(copied.columns).toEqual(columns);
    });

    it('gets some rows of one column', () => {
      // The files of the test come first, and those of training after them.
      const labels = [...testLabels().subarray(-10)];
      const found = value('part') as { labels: number[] };
      expect(found).toMatchObject({ rows: 20, columns: ['label'] });
      expect(found.labels.slice(0, 10)).toEqual(labels);
    });

    it('exchanges images for the bytes that the network is fed with', () => {
      expect(value('exchange')).toEqual({ rows: 2_000, same: true, metadata: true });
    });

    it('begins an import and follows it to its end', () => {
      expect(value('poll')).toBe(importedRows);
    });

    it.each<[string, string, unknown]>([
      ['logs in', 'handshake', true],
      ['lists flights by criteria', 'criteria', ['datasets/mnist/versions/1']],
      ['gets the schema', 'schema', true],
      ['renews a ticket', 'renew', true],
      ['learns that what is done cannot be cancelled', 'cancel', expect.stringMatching(/NOT_?CANCELLABLE$/i)],
      ['drops a dataset', 'drop', []],
      ['lists actions', 'actions', ['CancelFlightInfo', 'RenewFlightEndpoint', 'DropDataset']],
      ['learns that a dataset is not there', 'unknown', expect.stringMatching(/^NOT_?FOUND$/i)],
    ])('%s', (_, check, expected) => {
      expect(value(check)).toEqual(expected);
    });
  });
}
