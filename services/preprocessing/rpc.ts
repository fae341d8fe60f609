import type { Column as ColumnMessage } from '../../proto/gen/millrace/v1/Column.js';
import type { Dataset as DatasetMessage } from '../../proto/gen/millrace/v1/Dataset.js';
import type { DatasetVersion as DatasetVersionMessage } from '../../proto/gen/millrace/v1/DatasetVersion.js';
import type { LabelSpec__Output } from '../../proto/gen/millrace/v1/LabelSpec.js';
import type { Pipeline as PipelineMessage } from '../../proto/gen/millrace/v1/Pipeline.js';
import type {
  PipelineSpec__Output,
  PipelineSpec as PipelineSpecMessage,
} from '../../proto/gen/millrace/v1/PipelineSpec.js';
import type { Record__Output } from '../../proto/gen/millrace/v1/Record.js';
import type { SplitSpec__Output } from '../../proto/gen/millrace/v1/SplitSpec.js';
import type { Value__Output } from '../../proto/gen/millrace/v1/Value.js';
import { contracts, toStatusMessage, toTimestamp } from '../../proto/index.js';
import { checkRecordCount, classesOf, numberNamesOf, type RawRecord, type RawValue } from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';
import { type ImplementedContract, implement } from '../platform/handler.js';
import { decodePageToken, pageSize, toPage } from '../platform/page-token.js';
import { typeName } from './column.js';
import { type Dataset, type DatasetVersion, datasetName, versionNameOf } from './dataset.js';
import { Descriptions } from './description/description.js';
import { previewRows } from './description/preview.js';
import { fromPreviewRequest, toDescription } from './description-rpc.js';
import { parseGivenTypes } from './import/given-types.js';
import { importDataset } from './import/import-dataset.js';
import type { ImportFormat } from './import/import-format.js';
import { parseMissingValues } from './import/missing-values.js';
import { uploadName } from './import/uploads.js';
import type { LabelSpec, PipelineSpec } from './pipeline-spec.js';
import { pipelineName, type StoredPipeline } from './pipeline-store.js';
import type { Preparation } from './preparation.js';
import { type SplitSpec, wholeSplit } from './split.js';
import { fromStep, toStep } from './step-rpc.js';
import type { TrackedImports } from './tracked-imports.js';
import { fromUploadRequests, toUpload } from './upload-rpc.js';

const recordsMax = 10_000;
const formats: Record<string, ImportFormat | undefined> = {
  FORMAT_IDX: 'idx',
  FORMAT_CSV: 'csv',
  FORMAT_TSV: 'tsv',
  FORMAT_JSON_LINES: 'jsonLines',
  FORMAT_PARQUET: 'parquet',
  FORMAT_ARROW: 'arrow',
  FORMAT_NUMPY: 'numpy',
  FORMAT_IMAGES: 'images',
  FORMAT_SOUNDS: 'sounds',
  FORMAT_TEXTS: 'texts',
};

/** `millrace.v1.PreprocessingService`. */
export function preprocessingService(preparation: Preparation, imports: TrackedImports): ImplementedContract {
  const { datasets, pipelines } = preparation;
  const descriptions = new Descriptions(datasets);
  const transform = async (pipeline: string, records: Record__Output[]) => {
    checkRecordCount(records.length, recordsMax);
    const { pipeline: id } = pipelineName.parse(pipeline, 'pipeline');
    const { features, featureCount } = await preparation.transform(id, records.map(fromRecord));
    return { features: Buffer.from(features.buffer, features.byteOffset, features.byteLength), featureCount };
  };
  return implement(contracts.preprocessing, {
    async *ImportDataset({ dataset, paths, format, types, missingValues }, { signal }) {
      const request = {
        dataset: datasetName.parse(dataset, 'dataset').dataset,
        paths,
        format: formats[format] ?? null,
        types: parseGivenTypes(types),
        missingValues: parseMissingValues(missingValues),
      };
      const events = imports.attended(request.dataset, signal, (stop) =>
        importDataset(datasets, imports.access, request, stop),
      );
      for await (const event of events) {
        yield 'digest' in event ? { datasetVersion: toDatasetVersion(event) } : { progress: event };
      }
    },
    async UploadFiles(requests, { signal }) {
      return toUpload(await imports.access.uploads.receive(fromUploadRequests(requests), signal));
    },
    async GetUpload({ name }) {
      return toUpload(imports.access.uploads.state(uploadName.parse(name, 'name').upload));
    },
    async GetDataset({ name }) {
      return toDataset(datasets.getDataset(datasetName.parse(name, 'name').dataset));
    },
    async ListDatasets({ pageSize: requested, pageToken }) {
      const size = pageSize(requested);
      const after = decodePageToken(pageToken, 'string') ?? '';
      const rows = datasets.listDatasets().filter(({ name }) => name > after);
      const [page, nextPageToken] = toPage(rows, size, ({ name }) => name);
      return { datasets: page.map(toDataset), nextPageToken };
    },
    async DeleteDataset({ name }) {
      await datasets.deleteDataset(datasetName.parse(name, 'name').dataset);
      return {};
    },
    async GetDatasetVersion({ name }) {
      return toDatasetVersion(datasets.resolve(name, 'name'));
    },
    async ListDatasetVersions({ parent, pageSize: requested, pageToken }) {
      const size = pageSize(requested);
      const before = decodePageToken(pageToken, 'number') ?? Number.POSITIVE_INFINITY;
      const versions = datasets.listVersions(datasetName.parse(parent, 'parent').dataset);
      const rows = versions.filter(({ version }) => version < before).reverse();
      const [page, nextPageToken] = toPage(rows, size, ({ version }) => version);
      return { datasetVersions: page.map(toDatasetVersion), nextPageToken };
    },
    async DescribeDatasetVersion({ name, labelColumns, labelSeparator, split }, { signal }) {
      const spec = { labelColumns, labelSeparator, split: split && fromSplitSpec(split) };
      return toDescription(await descriptions.describe(name, spec, signal));
    },
    async PreviewDatasetVersion(request, { signal }) {
      const { version, rows } = await previewRows(datasets, request.name, fromPreviewRequest(request), signal);
      return { datasetVersion: versionNameOf(version), rows };
    },
    async FitPipeline({ dataset, spec, split, sampleWeight, part }, { signal }) {
      const asked = { spec: fromPipelineSpec(spec), split: fromSplitSpec(split), sampleWeight, part };
      const fitted = await preparation.fit(dataset, asked, signal);
      return toPipeline(fitted, preparation);
    },
    async GetPipeline({ name }) {
      return toPipeline(pipelines.get(pipelineName.parse(name, 'name').pipeline), preparation);
    },
    async ListPipelines({ pageSize: requested, pageToken }) {
      const size = pageSize(requested);
      const before = decodePageToken(pageToken, 'number') ?? Number.POSITIVE_INFINITY;
      const rows = pipelines.list().filter(({ createTimeMs }) => createTimeMs < before);
      const [page, nextPageToken] = toPage(rows, size, ({ createTimeMs }) => createTimeMs);
      return { pipelines: page.map((pipeline) => toPipeline(pipeline, preparation)), nextPageToken };
    },
    TransformRecords: ({ pipeline, records }) => transform(pipeline, records),
    async *TransformRecordsStream(requests, caller) {
      let pipelineBefore = '';
      for await (const { id, pipeline, records } of requests) {
        caller.throwIfGone();
        pipelineBefore = pipeline || pipelineBefore;
        try {
          yield { id, ...(await transform(pipelineBefore, records)) };
        } catch (error) {
          if (!(error instanceof ServiceError)) {
            throw error;
          }
          // The other messages of the stream go on, unless nobody waits for them any more.
          caller.throwIfGone();
          yield { id, error: toStatusMessage(error.code, error.message, error) };
        }
      }
    },
  });
}

function toDataset({ name, createTimeMs, latestVersion }: Dataset): DatasetMessage {
  return { name: datasetName.format({ dataset: name }), createTime: toTimestamp(createTimeMs), latestVersion };
}

function toDatasetVersion(version: DatasetVersion): DatasetVersionMessage {
  return {
    name: versionNameOf(version),
    digest: version.digest,
    columns: version.columns.map(
      ({ name, type, shape }, i): ColumnMessage => ({
        name,
        type: typeName(type),
        shape,
        nullCount: version.nullCounts[i]!,
      }),
    ),
    rowCount: version.rowCount,
    sizeBytes: version.sizeBytes,
    createTime: toTimestamp(version.createTimeMs),
    sources: version.sources,
  };
}

const labelKinds = {
  KIND_CLASSES: 'classes',
  KIND_BINARY: 'binary',
  KIND_NUMBER: 'number',
  KIND_LABELS: 'labels',
  KIND_NUMBERS: 'numbers',
} as const;

function fromPipelineSpec(spec: PipelineSpec__Output | null): PipelineSpec {
  const label = spec?.label;
  return {
    columns: (spec?.columns ?? []).map(({ column, steps }) => ({ column, steps: steps.map(fromStep) })),
    label: label ? fromLabel(label) : null,
  };
}

function fromLabel({ column, kind, standardise, columns, separator }: LabelSpec__Output): LabelSpec {
  // What is not asked for is left out: a pipeline has the same name as before there was this setting.
  return {
    column,
    kind: labelKinds[kind as keyof typeof labelKinds] ?? null,
    ...(standardise ? { standardise } : {}),
    ...(columns.length > 0 ? { columns } : {}),
    ...(separator === '' ? {} : { separator }),
  };
}

function fromSplitSpec(split: SplitSpec__Output | null): SplitSpec {
  const { column, stratifyColumn, groupColumn, timeColumn, validationFraction, testFraction, seed } =
    split ?? wholeSplit;
  return { column, stratifyColumn, groupColumn, timeColumn, validationFraction, testFraction, seed };
}

function toPipeline(stored: StoredPipeline, preparation: Preparation): PipelineMessage {
  const { featureCount, featureNames, featureType, featureScale, featureOffset, label } = preparation.parsed(stored);
  const labelUnits = 'standardise' in label ? [label.standardise ?? []].flat() : [];
  const { train, validation, test } = stored.rowCounts;
  return {
    name: pipelineName.format({ pipeline: stored.id }),
    digest: stored.digest,
    datasetVersion: versionNameOf(stored),
    datasetDigest: stored.datasetDigest,
    spec: toPipelineSpec(stored.spec),
    split: stored.split,
    definition: Buffer.from(stored.definition),
    featureCount,
    featureType: featureType === 'uint8' ? 'FEATURE_TYPE_UINT8' : 'FEATURE_TYPE_FLOAT32',
    featureScale,
    featureOffset,
    classes: [...(classesOf(label) ?? [])],
    trainRowCount: train,
    validationRowCount: validation,
    testRowCount: test,
    createTime: toTimestamp(stored.createTimeMs),
    featureNames,
    labelScale: labelUnits.map(({ divide }) => divide),
    labelOffset: labelUnits.map(({ subtract }) => subtract),
    numbers: [...(numberNamesOf(label) ?? [])],
    sampleWeight: stored.sampleWeight,
    part: stored.part,
  };
}

function toPipelineSpec({ columns, label }: PipelineSpec): PipelineSpecMessage {
  return {
    columns: columns.map(({ column, steps }) => ({ column, steps: steps.map(toStep) })),
    label: label && toLabel(label),
  };
}

const labelKindNames = {
  classes: 'KIND_CLASSES',
  binary: 'KIND_BINARY',
  number: 'KIND_NUMBER',
  labels: 'KIND_LABELS',
  numbers: 'KIND_NUMBERS',
} as const satisfies Record<NonNullable<LabelSpec['kind']>, string>;

function toLabel({ column, kind, standardise = false, columns = [], separator = '' }: LabelSpec) {
  const name = kind ? labelKindNames[kind] : ('KIND_UNSPECIFIED' as const);
  return { column, kind: name, standardise, columns, separator };
}

function fromRecord({ values }: Record__Output): RawRecord {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fromValue(value)]));
}

function fromValue(value: Value__Output): RawValue {
  switch (value.kind) {
    case 'number':
      return value.number!;
    case 'text':
      return value.text!;
    case 'boolean':
      return value.boolean!;
    case 'content':
      return value.content!;
    case 'numbers':
      return value.numbers!.values;
    default:
      return null;
  }
}
