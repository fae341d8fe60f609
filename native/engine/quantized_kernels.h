#pragma once

#include <cstddef>
#include <cstdint>

#include "activation.h"
#include "loose_float.h"

namespace millrace {

/// Activations are unsigned 7-bit numbers, weights signed 8-bit ones of which the eight that are multiplied and added into
/// the same 16 bits have sizes that sum to at most kWeightSumMax, so that nothing overflows (127 * 258 = 32,766). AVX2
/// multiplies and adds bytes into 16 bits only; without such a bound each step would take 32-bit additions of its own.
/// The sums are exact, hence equal on every instruction set.
inline constexpr int kActivationMax = 127;
inline constexpr int kWeightMax = 127;
inline constexpr int kWeightSumMax = 258;

/// Inner elements that one lane of 32 bits multiplies and adds. Four quads, kPanelWidth, are one step of the loop; elements
/// i of a step with the same i % kQuad / 2 meet in the same 16 bits.
inline constexpr std::size_t kQuad = 4;

/// One bit for each step of a row, in words of 64: set unless all its numbers are 0.
constexpr std::size_t mask_words(std::size_t columns) { return (columns + 1023) / 1024; }

/// The numbers that 0 and kActivationMax stand for, or nearly: 0 is always among those that can be told exactly.
struct ActivationRange {
  float lowest;   // at most 0
  float highest;  // at least 0
};

/// What a row's quantised numbers mean: value = scale * (number - zero). Of a row that is not finite, scale is NaN.
struct RowScale {
  float scale;
  std::int32_t zero;
};

/// A float32 matrix, row-major or in panels: columns c to c + 15 of row r, c a multiple of 16, are at
/// r * row_stride + c / 16 * line_stride.
struct MatrixView {
  const LooseFloat* data;
  std::size_t row_stride;
  std::size_t line_stride;
};

/// output = round(input / scale) + zero, within 0 to kActivationMax, row by row; ties to even.
struct RowQuantization {
  MatrixView input;
  std::size_t columns;
  const ActivationRange* range;  // null: each row's own lowest and highest number
  std::uint8_t* output;          // row-major
  std::size_t output_stride;     // at least padded(columns)
  std::uint64_t* masks;          // [rows][mask_words(columns)]
  RowScale* scales;              // [rows]
};

/// output[rows, outer] = activation(scale of row * scale of column * (input - zero) * weights + bias), in panels.
struct QuantizedProduct {
  const std::uint8_t* input;  // row-major; what lies beyond the inner dimension meets weights of 0
  std::size_t input_stride;
  const std::uint64_t* masks;        // of the input: steps in which all rows of a tile are 0 are skipped
  const RowScale* scales;            // [rows]
  std::size_t inner;                 // padded to whole panels
  const std::int8_t* weights;        // panels [inner / 4][16 columns][4]: one cache line for each quad
  const float* weight_scales;        // [padded(outer)]
  const std::int32_t* weight_sums;   // [padded(outer)], of each column
  const float* bias;                 // [padded(outer)]
  float* output;
  std::size_t output_rows;
  Activation activation;
};

/// As DenseProduct's forward, but with weights that are the upper halves of float32 numbers.
struct Bfloat16Product {
  MatrixView input;
  std::size_t inner;
  const std::uint16_t* weights;  // panels [inner][16]
  const float* bias;
  float* output;
  std::size_t output_rows;
  Activation activation;
};

}  // namespace millrace
