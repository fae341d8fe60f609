const golden = (3 - Math.sqrt(5)) / 2;
const tolerance = 1.48e-8;
const evaluationsMax = 500;

/** Where a function of one number is smallest between two bounds (Brent 1973, chapter 5, as in `fminbound`). */
export async function minimumWithin(
  low: number,
  high: number,
  valueAt: (x: number) => Promise<number>,
): Promise<number> {
  let [a, b] = [low, high];
  let x = a + golden * (b - a);
  let fx = await valueAt(x);
  // The second and the third best so far.
  let [second, fSecond, third, fThird] = [x, fx, x, fx];
  let step = 0;
  let stepBefore = 0;
  for (let evaluations = 1; evaluations < evaluationsMax; evaluations++) {
    const middle = (a + b) / 2;
    const near = Math.sqrt(Number.EPSILON) * Math.abs(x) + tolerance / 3;
    if (Math.abs(x - middle) <= 2 * near - (b - a) / 2) {
      break;
    }
    const parabolic = Math.abs(stepBefore) > near ? parabolaStep(x, fx, second, fSecond, third, fThird) : null;
    if (
      parabolic !== null &&
      Math.abs(parabolic) < Math.abs(stepBefore / 2) &&
      x + parabolic > a &&
      x + parabolic < b
    ) {
      stepBefore = step;
      step = parabolic;
      if (x + step - a < 2 * near || b - (x + step) < 2 * near) {
        step = middle >= x ? near : -near;
      }
    } else {
      stepBefore = x >= middle ? a - x : b - x;
      step = golden * stepBefore;
    }
    const u = x + (step >= 0 ? 1 : -1) * Math.max(Math.abs(step), near);
    const fu = await valueAt(u);
    if (fu <= fx) {
      [a, b] = u >= x ? [x, b] : [a, x];
      [third, fThird, second, fSecond, x, fx] = [second, fSecond, x, fx, u, fu];
      continue;
    }
    [a, b] = u < x ? [u, b] : [a, u];
    if (fu <= fSecond || second === x) {
      [third, fThird, second, fSecond] = [second, fSecond, u, fu];
    } else if (fu <= fThird || third === x || third === second) {
      [third, fThird] = [u, fu];
    }
  }
  return x;
}

/** To the lowest point of the parabola through three points; null: there is none. */
function parabolaStep(x: number, fx: number, v: number, fv: number, w: number, fw: number): number | null {
  const r = (x - v) * (fx - fw);
  const q = (x - w) * (fx - fv);
  const numerator = (x - w) * q - (x - v) * r;
  const denominator = 2 * (r - q);
  const step = numerator / denominator;
  return Number.isFinite(step) ? step : null;
}
