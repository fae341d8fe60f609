import type { PreprocessingServiceClient } from '../../proto/gen/millrace/v1/PreprocessingService.js';
import type { RpcClient } from '../../proto/index.js';

/** Which rows a preview shows. */
export interface PreviewOptions {
  /** Rows, 1 to 1,000; default 10. */
  rowCount?: number;
  /** The first of them, from 1; not with `sampleSeed`. */
  firstRow?: number;
  /** Draw them at random with this seed. */
  sampleSeed?: number;
  /** Columns to show; default all. */
  columns?: string[];
}

/** A row of a dataset: values by column name. Integers beyond 2^53 are rounded; `json` has them in full. */
export interface PreviewedRow {
  /** From 1. */
  number: number;
  values: Record<string, unknown>;
  json: string;
}

export async function previewDataset(
  preprocessing: RpcClient<PreprocessingServiceClient>,
  name: string,
  { rowCount, firstRow, sampleSeed, columns = [] }: PreviewOptions,
): Promise<PreviewedRow[]> {
  const request = { name, rowCount, firstRow, sampleSeed, columns };
  const { rows } = await preprocessing.previewDatasetVersion(request);
  return rows.map(({ number, json }) => ({ number, json, values: JSON.parse(json) }));
}
