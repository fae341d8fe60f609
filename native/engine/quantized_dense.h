#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

#include "aligned_buffer.h"
#include "quantized_kernels.h"

namespace millrace {

enum class Precision { kInt8, kBfloat16 };

/// kernel[i, j] = scales[j] * weights[i, j]: symmetric, each column (output channel) on its own, as fine as kWeightMax and
/// kWeightSumMax allow: some 40 steps from 0 to the largest for evenly spread weights, some 80 for normal ones. A column
/// that is not finite gets the scale NaN. Layouts: see QuantizedProduct.
struct Int8Kernel {
  AlignedBuffer<std::int8_t> weights;
  AlignedBuffer<float> scales;
  AlignedBuffer<std::int32_t> sums;
  /// The range of the layer's input once calibrated; without it each row has its own.
  std::optional<ActivationRange> input_range;
};

/// The kernel rounded to the nearest bfloat16 number, ties to even. Layout: see Bfloat16Product.
struct Bfloat16Kernel {
  AlignedBuffer<std::uint16_t> weights;
};

/// Where rows of activations lie once they are quantised. It grows to the largest use.
struct QuantizedRows {
  AlignedBuffer<std::uint8_t> numbers;
  AlignedBuffer<std::uint64_t> masks;
  AlignedBuffer<RowScale> scales;
};

/// A dense layer for prediction: activation(input [rows, inner] * kernel + bias [outer]), the kernel in reduced precision.
class QuantizedDense {
 public:
  /// `kernel`: float32 panels [inner][16]; `bias`: [padded(outer)].
  QuantizedDense(Precision, std::size_t inner, std::size_t outer, const float* kernel, const float* bias);

  std::size_t inner() const { return inner_; }
  /// Memory of weights, scales and bias, padding included.
  std::size_t bytes() const;

  /// Fixes the range of the inputs; numbers beyond it are taken for its ends. Does nothing for bfloat16, nor for a range
  /// without width or end.
  void calibrate(const ActivationRange&);

  /// Makes room for `rows` rows of the input.
  void reserve(QuantizedRows&, std::size_t rows) const;

  /// output [rows, outer] in panels of `rows` rows. `activation` works element by element (not softmax).
  void forward(const MatrixView& input, std::size_t rows, Activation activation, float* output, QuantizedRows&) const;

 private:
  std::size_t inner_;
  std::size_t outer_;
  std::variant<Int8Kernel, Bfloat16Kernel> kernel_;
  AlignedBuffer<float> bias_;
};

/// To the nearest bfloat16 number, ties to even; NaN stays NaN.
std::uint16_t to_bfloat16(float);

}  // namespace millrace
