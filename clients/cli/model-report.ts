import { type Millrace, pages } from '../sdk/index.js';
import { CommandError, type CommonOptions, show, table } from './output.js';
import { type Curve, curveLines } from './progress-bar.js';
import { fullName } from './resource-name.js';

/** What `report.json` of a trained version holds of what is shown here. */
interface Report {
  evaluation: Evaluation | null;
  findings?: { text: string; advice: string[] }[];
  learningCurve?: Curve;
  crossValidation?: { folds: unknown[]; mean: Record<string, number>; deviation: Record<string, number> };
}

interface Evaluation {
  rowCount: number;
  figures: Record<string, number | null>;
  bootstrap: { intervals: Record<string, { low: number; high: number }> };
  classes?: ClassLine[];
  labels?: ClassLine[];
  targets?: { name: string; figures: Record<string, number | null> }[];
  confusion?: number[][];
  temperature?: { value: number; logLossBefore: number; logLossAfter: number } | null;
  worstErrors?: { row: number; truth: string | number; answer: string | number; probability?: number }[];
}

interface ClassLine {
  name: string;
  rowCount: number;
  precision: number;
  recall: number;
  f1: number;
  rocArea: number | null;
}

/** Wider tables are unreadable; `--json` has them. */
const confusionClassesMax = 20;
const worstShown = 5;

export async function modelsReport(millrace: Millrace, text: string, options: CommonOptions): Promise<void> {
  const version = await millrace.registry.getModelVersion({ name: await versionName(millrace, text) });
  const artifact = version.artifacts.find(({ path }) => path === 'report.json');
  if (!artifact) {
    throw new CommandError(`${version.name} has no report: it was imported, not trained here.`);
  }
  const chunks: Uint8Array[] = [];
  for await (const { chunk } of millrace.registry.downloadBlob({ digest: artifact.digest })) {
    chunks.push(chunk);
  }
  const report = JSON.parse(Buffer.concat(chunks).toString()) as Report;
  show(options, report, [version.name, ...reportLines(report)]);
}

/** `mnist`: the newest version; `mnist:3` or `mnist:champion`: that one. */
async function versionName(millrace: Millrace, text: string): Promise<string> {
  const [model, version] = text.split(':') as [string, string | undefined];
  const name = fullName('models', model);
  if (version !== undefined) {
    return `${name}/${/^\d+$/.test(version) ? 'versions' : 'aliases'}/${version}`;
  }
  for await (const { modelVersions } of pages((pageToken) =>
    millrace.registry.listModelVersions({ parent: name, pageToken }),
  )) {
    if (modelVersions[0]) {
      return modelVersions[0].name;
    }
  }
  throw new CommandError(`${name} has no versions.`);
}

export function reportLines({ evaluation, findings = [], crossValidation, learningCurve }: Report): string[] {
  return [
    ...(evaluation ? evaluationLines(evaluation) : ['It had no test rows.']),
    ...(crossValidation ? foldLines(crossValidation) : []),
    ...(learningCurve ? ['', ...curveLines(learningCurve)] : []),
    ...findings.flatMap(({ text, advice }) => ['', text, ...advice.map((line) => `  - ${line}`)]),
  ];
}

function foldLines({ folds, mean, deviation }: NonNullable<Report['crossValidation']>): string[] {
  const rows = Object.entries(mean).map(([name, value]) => [name, shown(value), shown(deviation[name]!)]);
  return ['', ...table([[`OVER ${folds.length} FOLDS`, 'MEAN', 'DEVIATION'], ...rows])];
}

function evaluationLines(evaluation: Evaluation): string[] {
  const {
    rowCount,
    figures,
    bootstrap,
    classes,
    labels,
    targets,
    confusion,
    temperature,
    worstErrors = [],
  } = evaluation;
  const figureRows = Object.entries(figures).map(([name, value]) => {
    const interval = bootstrap.intervals[name];
    return [name, shown(value), interval ? `${shown(interval.low)} to ${shown(interval.high)}` : ''];
  });
  const classRows = (classes ?? labels ?? []).map(({ name, rowCount: rows, precision, recall, f1, rocArea }) => [
    ...[name, String(rows), shown(precision), shown(recall), shown(f1), shown(rocArea)],
  ]);
  const kind = classes ? 'CLASS' : 'LABEL';
  return [
    ...['', ...table([[`ON ${rowCount} TEST ROWS`, 'VALUE', '95 % INTERVAL'], ...figureRows])],
    ...(classRows.length > 0
      ? ['', ...table([[kind, 'ROWS', 'PRECISION', 'RECALL', 'F1', 'ROC AREA'], ...classRows])]
      : []),
    ...(targets ? targetLines(targets) : []),
    ...(confusion && classes ? confusionLines(confusion, classes) : []),
    ...(temperature
      ? [
          '',
          `Temperature ${shown(temperature.value)} (above 1: too sure of itself); with it the log loss is ` +
            `${shown(temperature.logLossAfter)} and not ${shown(temperature.logLossBefore)}.`,
        ]
      : []),
    ...(worstErrors.length > 0 ? ['', 'Worst answers, by row of the test split:'] : []),
    ...worstErrors.slice(0, worstShown).map(({ row, truth, answer, probability }) => {
      const sure = probability === undefined ? '' : ` (${shown(probability)})`;
      return `  row ${row}: ${said(answer)}${sure}, where ${said(truth)} is right`;
    }),
  ];
}

function targetLines(targets: NonNullable<Evaluation['targets']>): string[] {
  const names = Object.keys(targets[0]!.figures);
  const head = ['TARGET', ...names.map((name) => name.toUpperCase().replaceAll('_', ' '))];
  const rows = targets.map(({ name, figures }) => [name, ...names.map((figure) => shown(figures[figure]!))]);
  return ['', ...table([head, ...rows])];
}

function confusionLines(confusion: number[][], classes: ClassLine[]): string[] {
  if (classes.length > confusionClassesMax) {
    return [];
  }
  const rows = confusion.map((counts, k) => [classes[k]!.name, ...counts.map(String)]);
  return ['', ...table([['TRUE \\ ANSWER', ...classes.map(({ name }) => name)], ...rows])];
}

const shown = (value: number | null) => (value === null ? '-' : String(Number(value.toPrecision(4))));

const said = (value: string | number) => (typeof value === 'number' ? shown(value) : value);
