import type { SettingReport } from '../step.js';

/** Two quantiles, each in [0, 1] where it is given, the lower one below. Without them: 0.25 and 0.75. */
export function checkQuantiles(
  { lowerQuantile, upperQuantile }: { lowerQuantile: number | null; upperQuantile: number | null },
  { check }: SettingReport,
  [lowerDefault, upperDefault] = [0.25, 0.75],
): void {
  const isShare = (value: number | null, name: string) =>
    value === null || check(value >= 0 && value <= 1, name, 'from 0 to 1', value);
  const lowerOk = isShare(lowerQuantile, 'lower_quantile');
  const upperOk = isShare(upperQuantile, 'upper_quantile');
  const lower = lowerQuantile ?? lowerDefault!;
  if (lowerOk && upperOk) {
    const upper = upperQuantile ?? upperDefault!;
    check(upper > lower, 'upper_quantile', `greater than \`lower_quantile\`, ${lower},`, upper);
  }
}
