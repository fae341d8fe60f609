import type { ColumnDescription as ColumnMessage } from '../../proto/gen/millrace/v1/ColumnDescription.js';
import type { DatasetDescription as DescriptionMessage } from '../../proto/gen/millrace/v1/DatasetDescription.js';
import type { Finding as FindingMessage } from '../../proto/gen/millrace/v1/Finding.js';
import type { PreviewDatasetVersionRequest__Output } from '../../proto/gen/millrace/v1/PreviewDatasetVersionRequest.js';
import { type Column, typeName } from './column.js';
import { versionNameOf } from './dataset.js';
import type { ColumnStatistics, NumberStatistics } from './description/column-statistics.js';
import type { Description } from './description/description.js';
import type { Finding } from './description/finding.js';
import type { PreviewSpec } from './description/preview.js';
import { quantileFractions } from './description/quantiles.js';

export function toDescription({ version, columns, findings }: Description): DescriptionMessage {
  return {
    datasetVersion: versionNameOf(version),
    digest: version.digest,
    rowCount: version.rowCount,
    columns: columns.map((statistics, i) => toColumn(version.columns[i]!, statistics)),
    findings: findings.map(toFinding),
  };
}

function toColumn({ name, type, shape }: Column, statistics: ColumnStatistics): ColumnMessage {
  return {
    name,
    type: typeName(type),
    shape,
    nullCount: statistics.nullCount,
    valueCount: statistics.count,
    distinctCount: statistics.distinct,
    distinctExact: statistics.distinctIsExact,
    numbers: statistics.numbers && toNumbers(statistics.numbers),
    lengths: statistics.lengths,
    topValues: statistics.topValues,
  };
}

function toNumbers({ minimum, maximum, mean, deviation, quantiles, histogram }: NumberStatistics) {
  return {
    minimum,
    maximum,
    mean,
    standardDeviation: deviation,
    quantiles: quantiles.map((value, i) => ({ fraction: quantileFractions[i]!, value })),
    histogram,
  };
}

const findingKinds = {
  constantColumn: 'KIND_CONSTANT_COLUMN',
  duplicatedColumn: 'KIND_DUPLICATED_COLUMN',
  leaksLabel: 'KIND_LEAKS_LABEL',
  unparsableValues: 'KIND_UNPARSABLE_VALUES',
  imbalancedClasses: 'KIND_IMBALANCED_CLASSES',
  duplicatedRows: 'KIND_DUPLICATED_ROWS',
  rowsInSeveralSplits: 'KIND_ROWS_IN_SEVERAL_SPLITS',
} as const;

function toFinding({ kind, severity, measure, ...rest }: Finding): FindingMessage {
  return {
    ...rest,
    kind: findingKinds[kind],
    severity: severity === 'error' ? 'SEVERITY_ERROR' : 'SEVERITY_WARNING',
    measure: measure ?? undefined,
  };
}

export function fromPreviewRequest(request: PreviewDatasetVersionRequest__Output): PreviewSpec {
  const { rowCount, selection, columns } = request;
  return {
    rowCount,
    firstRow: selection === 'firstRow' ? request.firstRow! : null,
    sampleSeed: selection === 'sampleSeed' ? request.sampleSeed! : null,
    columns,
  };
}
