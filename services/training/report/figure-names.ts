import type { LabelKind } from '../training-spec.js';

const ranking = ['roc_auc', 'average_precision'];
const ofClasses = [
  ...['loss', 'accuracy', 'balanced_accuracy', 'macro_precision', 'macro_recall', 'macro_f1', 'weighted_precision'],
  ...['weighted_recall', 'weighted_f1', ...ranking, 'log_loss', 'brier_score', 'calibration_error'],
];

const ofNumbers = ['loss', 'rmse', 'mae', 'median_absolute_error', 'r2'];

/** What is measured on test rows, by the kind of the label: metrics of a version, with `test_` before them. */
export const figureNames: Record<LabelKind, readonly string[]> = {
  classes: [...ofClasses, 'top_5_accuracy'],
  binary: ofClasses,
  number: ofNumbers,
  numbers: ofNumbers,
  labels: [
    ...[
      'loss',
      'accuracy',
      'subset_accuracy',
      'hamming_loss',
      'micro_precision',
      'micro_recall',
      'micro_f1',
      'macro_f1',
    ],
    ...ranking,
  ],
};
