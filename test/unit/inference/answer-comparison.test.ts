import { describe, expect, it } from 'vitest';
import { type AnswerForm, compareAnswers, isComparable } from '../../../services/inference/answer-comparison.js';
import type { Datatype } from '../../../services/inference/tensor.js';

const form = (width: number, classes: string[] | null = null, datatype: Datatype = 'FP32'): AnswerForm => ({
  outputs: [{ name: 'output', datatype, shape: [width] }],
  classes,
  multiLabel: false,
  numbers: null,
});
const fp32 = (...numbers: number[]) => [new Uint8Array(Float32Array.from(numbers).buffer)];
const words = (...bits: number[]) => [new Uint8Array(Uint16Array.from(bits).buffer)];

describe('isComparable', () => {
  it.each<[string, AnswerForm]>([
    ['another width', form(3)],
    ['another datatype', form(2, null, 'FP64')],
    ['classes', form(2, ['a', 'b'])],
    ['another name', { ...form(2), outputs: [{ ...form(2).outputs[0]!, name: 'other' }] }],
    ['another output more', { ...form(2), outputs: [...form(2).outputs, ...form(1).outputs] }],
  ])('refuses %s', (_, other) => {
    expect(isComparable(form(2), other)).toBe(false);
    expect(isComparable(other, form(2))).toBe(false);
  });

  it('refuses classes in another order, and takes the same', () => {
    expect(isComparable(form(2, ['a', 'b']), form(2, ['b', 'a']))).toBe(false);
    expect(isComparable(form(2, ['a', 'b']), form(2, ['a', 'b']))).toBe(true);
    expect(isComparable(form(2, ['a', 'b']), { ...form(2, ['a', 'b']), multiLabel: true })).toBe(false);
    const numbers = (...names: string[]) => ({ ...form(2), numbers: names });
    expect(isComparable(numbers('a', 'b'), numbers('a', 'b'))).toBe(true);
    expect(isComparable(numbers('a', 'b'), numbers('b', 'a'))).toBe(false);
  });
});

describe('compareAnswers of numbers', () => {
  it.each([
    [1, 1.002, false],
    [1, 1.0005, true],
    [1_000, 1_000.5, true],
    [0, 0.000_02, false],
    [0, 0.000_005, true],
    [1, -1, false],
    [1, Number.NaN, false],
    [1, Number.POSITIVE_INFINITY, false],
    [Number.NaN, Number.NaN, true],
    [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, true],
    [0, -0, true],
  ])('%d and %d: equal is %s', (a, b, isEqual) => {
    expect(compareAnswers(fp32(3, a), fp32(3, b), 1, form(2)).isEqual).toBe(isEqual);
  });

  it('tells the largest difference of all outputs', () => {
    const two: AnswerForm = { ...form(2), outputs: [...form(2).outputs, ...form(1).outputs] };
    const a = [...fp32(1, 2), ...fp32(8)];
    expect(compareAnswers(a, [...fp32(1.5, 2), ...fp32(6)], 1, two)).toEqual({ isEqual: false, differenceMax: 2 });
    expect(compareAnswers(a, a, 1, two)).toEqual({ isEqual: true, differenceMax: 0 });
  });

  it('reads FP16 and BF16', () => {
    // 1, 1.0009765625, -2, the smallest subnormal; 1, 1.0078125.
    expect(compareAnswers(words(0x3c00), words(0x3c01), 1, form(1, null, 'FP16'))).toEqual({
      isEqual: true,
      differenceMax: 2 ** -10,
    });
    expect(compareAnswers(words(0xc000), words(0x0001), 1, form(1, null, 'FP16'))).toEqual({
      isEqual: false,
      differenceMax: 2 + 2 ** -24,
    });
    expect(compareAnswers(words(0x7c00), words(0x7e00), 1, form(1, null, 'FP16')).isEqual).toBe(false);
    expect(compareAnswers(words(0x3f80), words(0x3f81), 1, form(1, null, 'BF16'))).toEqual({
      isEqual: true,
      differenceMax: 2 ** -7,
    });
  });

  it.each<Datatype>(['INT64', 'BOOL', 'BYTES'])('compares %s bit by bit', (datatype) => {
    const [a, b] = [[Uint8Array.of(1, 0, 0, 0, 65)], [Uint8Array.of(1, 0, 0, 0, 66)]];
    expect(compareAnswers(a, a, 1, form(1, null, datatype))).toEqual({ isEqual: true, differenceMax: 0 });
    expect(compareAnswers(a, b, 1, form(1, null, datatype)).isEqual).toBe(false);
    expect(compareAnswers(a, [a[0]!.subarray(1)], 1, form(1, null, datatype)).isEqual).toBe(false);
  });
});

describe('compareAnswers of classes', () => {
  const classes = form(3, ['ant', 'bee', 'cat']);

  it('is equal while every row chooses the same class, however sure', () => {
    const a = fp32(0.4, 0.3, 0.3, 0, 1, 0);
    expect(compareAnswers(a, fp32(0.8, 0.1, 0.1, 0.3, 0.4, 0.3), 2, classes)).toMatchObject({ isEqual: true });
    expect(compareAnswers(a, fp32(0.8, 0.1, 0.1, 0.4, 0.3, 0.3), 2, classes)).toMatchObject({ isEqual: false });
  });

  it('takes NaN for no choice', () => {
    const one = form(2, ['a', 'b']);
    expect(compareAnswers(fp32(1, 0), fp32(Number.NaN, 0), 1, one).isEqual).toBe(false);
    expect(compareAnswers(fp32(1, 0), fp32(0.5, Number.NaN), 1, one).isEqual).toBe(false);
    expect(compareAnswers(fp32(Number.NaN, 0), fp32(0, Number.NaN), 1, one).isEqual).toBe(true);
  });

  it('reads a single output as the probability of the second class', () => {
    const binary = form(1, ['no', 'yes']);
    expect(compareAnswers(fp32(0.51), fp32(0.99), 1, binary).isEqual).toBe(true);
    expect(compareAnswers(fp32(0.51), fp32(0.49), 1, binary).isEqual).toBe(false);
  });

  it('holds each of several classes against its own half', () => {
    const several: AnswerForm = { ...form(3, ['a', 'b', 'c']), multiLabel: true };
    const a = fp32(0.9, 0.6, 0.1);
    expect(compareAnswers(a, fp32(0.7, 0.9, 0.2), 1, several).isEqual).toBe(true);
    expect(compareAnswers(a, fp32(0.9, 0.4, 0.1), 1, several).isEqual).toBe(false);
    expect(compareAnswers(a, fp32(0.9, 0.6, Number.NaN), 1, several).isEqual).toBe(false);
  });
});
