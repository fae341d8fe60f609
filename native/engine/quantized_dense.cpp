#include "quantized_dense.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "kernels.h"
#include "panel.h"

namespace millrace {
namespace {

// Sums of a whole column must fit 32 bits, at worst with every activation at its end.
constexpr std::int64_t kColumnSumMax = std::numeric_limits<std::int32_t>::max() / kActivationMax;

template <typename T>
void grow(AlignedBuffer<T>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
}

template <typename T>
std::size_t bytes_of(const AlignedBuffer<T>& buffer) {
  return buffer.size() * sizeof(T);
}

struct ColumnQuantizer {
  const float* column;  // of one panel: elements 16 apart
  std::size_t inner;

  int weight(std::size_t i, float scale) const {
    return scale > 0.0f ? static_cast<int>(std::lrint(column[i * kPanelWidth] / scale)) : 0;
  }

  // The finest steps with which the largest weight and the largest sum of eight fit. Rounding adds at most a half each.
  float finest() const {
    float largest = 0.0f, largest_sum = 0.0f;
    for (std::size_t first = 0; first < inner; first += kPanelWidth) {
      float sums[2] = {0.0f, 0.0f};
      for (std::size_t i = first; i < std::min(first + kPanelWidth, inner); ++i) {
        const float size = std::abs(column[i * kPanelWidth]);
        if (!std::isfinite(size)) return std::numeric_limits<float>::quiet_NaN();
        largest = std::max(largest, size);
        sums[i % kQuad / 2] += size / (kWeightSumMax - 4);
      }
      largest_sum = std::max({largest_sum, sums[0], sums[1]});
    }
    return std::max(largest / kWeightMax, largest_sum);
  }

  // What bounds every sum over the column.
  std::int64_t size(float scale) const {
    std::int64_t total = 0;
    for (std::size_t i = 0; i < inner; ++i) total += std::abs(weight(i, scale));
    return total;
  }

  // Columns of more than some 500,000 weights may need coarser steps, so that their sums fit.
  float scale() const {
    float scale = finest();
    if (inner * kWeightSumMax / 8 <= static_cast<std::size_t>(kColumnSumMax)) return scale;
    while (size(scale) > kColumnSumMax) scale *= 2.0f;
    return scale;
  }
};

Int8Kernel int8_kernel(const float* kernel, std::size_t inner, std::size_t outer) {
  const std::size_t depth = padded(inner);
  Int8Kernel result;
  result.weights.resize(depth * padded(outer));
  result.scales.resize(padded(outer));
  result.sums.resize(padded(outer));
  for (std::size_t j = 0; j < outer; ++j) {
    const ColumnQuantizer column{kernel + panel_offset(inner, 0, j), inner};
    const float scale = column.scale();
    std::int8_t* weights = result.weights.data() + j / kPanelWidth * depth * kPanelWidth + j % kPanelWidth * kQuad;
    for (std::size_t i = 0; i < inner; ++i) {
      const int weight = column.weight(i, scale);
      weights[i / kQuad * kQuad * kPanelWidth + i % kQuad] = static_cast<std::int8_t>(weight);
      result.sums[j] += weight;
    }
    result.scales[j] = scale;
  }
  return result;
}

Bfloat16Kernel bfloat16_kernel(const float* kernel, std::size_t inner, std::size_t outer) {
  Bfloat16Kernel result;
  result.weights.resize(panel_size(inner, outer));
  for (std::size_t i = 0; i < result.weights.size(); ++i) result.weights[i] = to_bfloat16(kernel[i]);
  return result;
}

}  // namespace

std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

QuantizedDense::QuantizedDense(Precision precision, std::size_t inner, std::size_t outer, const float* kernel,
                               const float* bias)
    : inner_(inner), outer_(outer), bias_(bias, bias + padded(outer)) {
  if (precision == Precision::kInt8) {
    kernel_ = int8_kernel(kernel, inner, outer);
  } else {
    kernel_ = bfloat16_kernel(kernel, inner, outer);
  }
}

std::size_t QuantizedDense::bytes() const {
  if (const auto* half = std::get_if<Bfloat16Kernel>(&kernel_)) return bytes_of(half->weights) + bytes_of(bias_);
  const auto& kernel = std::get<Int8Kernel>(kernel_);
  return bytes_of(kernel.weights) + bytes_of(kernel.scales) + bytes_of(kernel.sums) + bytes_of(bias_);
}

void QuantizedDense::calibrate(const ActivationRange& range) {
  auto* kernel = std::get_if<Int8Kernel>(&kernel_);
  const bool usable = range.highest > range.lowest && std::isfinite(range.highest) && std::isfinite(range.lowest);
  if (kernel != nullptr && usable) kernel->input_range = range;
}

void QuantizedDense::reserve(QuantizedRows& quantized, std::size_t rows) const {
  if (std::holds_alternative<Bfloat16Kernel>(kernel_)) return;
  grow(quantized.numbers, rows * padded(inner_));
  grow(quantized.masks, rows * mask_words(inner_));
  grow(quantized.scales, rows);
}

void QuantizedDense::forward(const MatrixView& input, std::size_t rows, Activation activation, float* output,
                             QuantizedRows& quantized) const {
  const Kernels& k = kernels();
  const Range all_rows{0, rows};
  const Range all_panels{0, panel_count(outer_)};
  if (const auto* half = std::get_if<Bfloat16Kernel>(&kernel_)) {
    k.bfloat16_dense({input, inner_, half->weights.data(), bias_.data(), output, rows, activation}, all_rows, all_panels);
    return;
  }
  const auto& kernel = std::get<Int8Kernel>(kernel_);
  const std::size_t stride = padded(inner_);
  reserve(quantized, rows);
  const ActivationRange* range = kernel.input_range ? &*kernel.input_range : nullptr;
  std::uint8_t* numbers = quantized.numbers.data();
  std::uint64_t* masks = quantized.masks.data();
  RowScale* scales = quantized.scales.data();
  k.quantize_rows({input, inner_, range, numbers, stride, masks, scales}, all_rows);
  k.quantized_dense({numbers, stride, masks, scales, stride, kernel.weights.data(), kernel.scales.data(),
                     kernel.sums.data(), bias_.data(), output, rows, activation},
                    all_rows, all_panels);
}

}  // namespace millrace
