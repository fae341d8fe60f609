import { canonicalJson } from '../../pipeline/index.js';
import { digestOf } from '../../platform/blob-store.js';
import { quote, Violations } from '../../platform/errors.js';
import { isText } from '../column.js';
import { type DatasetVersion, versionNameOf } from '../dataset.js';
import type { DatasetStore } from '../dataset-store.js';
import { SharedWork } from '../shared-work.js';
import { checkSplit, findColumn, type SplitSpec } from '../split.js';
import { assignSplits } from '../split-assignment.js';
import type { StoredTable } from '../stored-table.js';
import { constantColumns, duplicatedColumns, unparsableValues } from './column-findings.js';
import { type ColumnStatistics, describeColumn } from './column-statistics.js';
import type { Finding } from './finding.js';
import { labelColumn } from './label-column.js';
import { imbalancedClasses, leakingColumns } from './label-findings.js';
import { duplicatedRows, rowsInSeveralSplits } from './row-findings.js';

const format = 'millrace.description/1';
/** Label columns of a report: each takes a pass over every other column. */
const labelsMax = 100;

/** What a dataset version holds, in figures. */
export interface Statistics {
  columns: ColumnStatistics[];
  /** What is found without knowing the label or the split. */
  findings: Finding[];
}

export interface Description extends Statistics {
  version: DatasetVersion;
}

/** What a quality report is asked for beside the table: empty and null leave out what depends on them. */
export interface ReportSpec {
  /** Each is reported on by itself, and none is taken for a clue to another. */
  labelColumns: readonly string[];
  /** What parts the classes in label columns of text whose rows may be of several; empty: they are of one. */
  labelSeparator: string;
  split: SplitSpec | null;
}

/** Describes dataset versions. What was found is kept with the version, so that the next answer is there at once. */
export class Descriptions {
  readonly #work = new SharedWork<unknown>();

  constructor(private readonly datasets: DatasetStore) {}

  /** @param name `datasets/NAME` or `datasets/NAME/versions/N` */
  async describe(name: string, spec: ReportSpec, signal: AbortSignal): Promise<Description> {
    const version = this.datasets.resolve(name, 'name');
    checkReport(spec, version);
    const statistics = await this.#kept('statistics.json', version, signal, (table, scratch, signal) =>
      describeTable(table, scratch, signal),
    );
    if (spec.labelColumns.length === 0 && spec.split === null) {
      return { version, ...statistics };
    }
    const key = digestOf(canonicalJson({ ...spec })).slice('sha256:'.length, 'sha256:'.length + 32);
    const findings = await this.#kept(`report-${key}.json`, version, signal, (table, scratch, signal) =>
      reportOn(table, statistics.columns, spec, scratch, signal),
    );
    return { version, columns: statistics.columns, findings: [...findings, ...statistics.findings] };
  }

  /** What stands in a file beside the version; if it does not yet, it is worked out and written there. */
  #kept<T>(
    file: string,
    version: DatasetVersion,
    signal: AbortSignal,
    work: (table: StoredTable, scratch: string, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const key = canonicalJson([versionNameOf(version), version.digest, file]);
    return this.#work.run(key, signal, async (signal) => {
      const files = this.datasets.derivedFiles(version);
      const known = await files.read<T>(file, format);
      if (known) {
        return known;
      }
      const table = await this.datasets.openTable(version);
      try {
        const found = await this.datasets.withScratch((scratch) => work(table, scratch, signal));
        signal.throwIfAborted();
        await files.write(file, format, found);
        await files.trim('report-');
        return found;
      } catch (error) {
        // Deleted meanwhile, it has no folder to write into: that is what the caller hears.
        this.datasets.resolve(versionNameOf(version), 'name');
        throw error;
      } finally {
        await table.close();
      }
    }) as Promise<T>;
  }
}

function checkReport({ labelColumns, labelSeparator, split }: ReportSpec, { columns }: DatasetVersion): void {
  const violations = new Violations();
  violations.check(
    labelColumns.length <= labelsMax,
    'label_columns',
    `at most ${labelsMax} names`,
    labelColumns.length,
  );
  const found = labelColumns.map((name, i) => {
    const field = `label_columns[${i}]`;
    if (labelColumns.indexOf(name) < i) {
      violations.add(field, `Expected \`${field}\` to be named once but ${quote(name)} is named twice.`);
    }
    return findColumn(name, field, columns, violations);
  });
  const rule = 'unset, since no label column is one of text,';
  violations.check(
    labelSeparator === '' || found.some((one) => !one || isText(one)),
    'label_separator',
    rule,
    labelSeparator,
  );
  if (split) {
    checkSplit(split, columns, violations);
  }
  violations.throwIfAny();
}

async function describeTable(table: StoredTable, scratch: string, signal: AbortSignal): Promise<Statistics> {
  const columns: ColumnStatistics[] = [];
  for (const index of table.columns.keys()) {
    columns.push(await describeColumn(table, index, signal));
  }
  const findings = [
    ...constantColumns(columns, table.rowCount),
    ...duplicatedColumns(columns, table.rowCount),
    ...(await unparsableValues(table, signal)),
    ...(await duplicatedRows(table, scratch, signal)),
  ];
  return { columns, findings };
}

async function reportOn(
  table: StoredTable,
  statistics: readonly ColumnStatistics[],
  spec: ReportSpec,
  scratch: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const splitColumn = spec.split?.column ?? '';
  const others = new Set([splitColumn, ...spec.labelColumns]);
  for (const name of spec.labelColumns) {
    const label = labelColumn(table, statistics, name, spec.labelSeparator);
    findings.push(...(await leakingColumns(table, statistics, label, others, signal)));
    findings.push(...(await imbalancedClasses(table, label, signal)));
  }
  if (spec.split) {
    const assignment = await assignSplits(spec.split, table);
    findings.push(...(await rowsInSeveralSplits(table, assignment, splitColumn, scratch, signal)));
  }
  return findings;
}
