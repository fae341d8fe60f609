// IEEE 754 binary16: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. Node 20 has no Float16Array.

const exponentMin = -14;
const exponentMax = 15;
const fractionBits = 10;

export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> fractionBits) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) {
    return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  }
  const isSubnormal = exponent === 0;
  const significand = isSubnormal ? fraction : fraction + 1024;
  return sign * significand * 2 ** ((isSubnormal ? 1 : exponent) - 15 - fractionBits);
}

/** The nearest half to a number, ties to even; null when it is not finite or would not be. */
export function numberToHalf(value: number): number | null {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (!Number.isFinite(magnitude)) {
    return null;
  }
  const exponent = Math.max(magnitude === 0 ? exponentMin : exponentOf(magnitude), exponentMin);
  // Exact: a power of two only moves the binary point. What is left is to be rounded to a whole number.
  let significand = roundToEven(magnitude * 2 ** (fractionBits - Math.min(exponent, exponentMax + 1)));
  let rounded = exponent;
  if (significand === 2048) {
    significand = 1024;
    rounded += 1;
  }
  if (rounded > exponentMax) {
    return null;
  }
  // A subnormal has the exponent field 0 and no hidden bit.
  return sign | (significand < 1024 ? significand : ((rounded + 15) << fractionBits) | (significand - 1024));
}

/** Of a positive number that a double holds without being subnormal itself. */
function exponentOf(magnitude: number): number {
  const estimate = Math.floor(Math.log2(magnitude));
  // The logarithm may be off by one beside a power of two.
  return 2 ** estimate > magnitude ? estimate - 1 : 2 ** (estimate + 1) <= magnitude ? estimate + 1 : estimate;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
