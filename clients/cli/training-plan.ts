import type { TrainingPlan__Output as TrainingPlan } from '../../proto/gen/millrace/v1/TrainingPlan.js';
import { writeTrainingSpec } from '../sdk/index.js';
import { table } from './output.js';

const namesShown = 10;
const layersShown = 100;

/** A plan for people: the spec in full, which may be trained as it stands, and what it comes to as comments. */
export function planLines(plan: TrainingPlan): string[] {
  const { layers, featureNames, classes } = plan;
  const folds = plan.spec?.crossValidation?.folds;
  const curve = plan.spec?.learningCurve;
  const count = (value: number) => value.toLocaleString('en-US');
  const shown = layers
    .slice(0, layersShown)
    .map(({ place, kind, outputs, parameterCount }) => [place, kind, count(outputs), count(parameterCount)]);
  const rows = `${count(plan.trainRowCount)} training, ${count(plan.validationRowCount)} validation, ${count(plan.testRowCount)} test`;
  const steps = plan.steps > 0 ? `, ${count(plan.steps)} in all` : '';
  const facts = [
    `rows        ${rows}`,
    `features    ${count(featureNames.length)}: ${listed(featureNames)}`,
    ...(classes.length > 0 ? [`classes     ${count(classes.length)}: ${listed(classes)}`] : []),
    `parameters  ${count(plan.parameterCount)}`,
    `steps       ${count(plan.stepsPerEpoch)} an epoch${steps}`,
    ...(folds ? [`folds       ${folds}, each a training more, on the training rows without it`] : []),
    ...(curve
      ? [`curve       ${curve.trainSizes.length} sizes of ${curve.folds} folds each, each a training more`]
      : []),
    `memory      about ${size(plan.memoryBytes)}`,
    ...table([['LAYER', 'KIND', 'OUTPUTS', 'PARAMETERS'], ...shown]),
    ...(layers.length > layersShown ? [`and ${layers.length - layersShown} more layers`] : []),
  ];
  return [
    ...writeTrainingSpec(plan.spec ?? {})
      .trimEnd()
      .split('\n'),
    ...facts.map((fact) => `# ${fact}`),
  ];
}

function listed(names: string[]): string {
  const more = names.length - namesShown;
  // A comment ends with its line, whatever a name holds.
  const shown = names.slice(0, namesShown).map((name) => name.replaceAll('\n', '\\n').replaceAll('\r', '\\r'));
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function size(bytes: number): string {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 2 ** 10)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
