#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "aligned_buffer.h"
#include "examples.h"
#include "kernels.h"
#include "network.h"

namespace millrace {

/// One operation of a plan for all rows; matrices in panels of `rows` rows, but the input of a dense layer may be
/// `row_major`, and begin at any address. `other` is kAdd's second value.
void compute_operation(const Operation&, const float* parameters, const LooseFloat* input, const float* other, float* output,
                       std::size_t rows, bool row_major);

/// A forward pass on the calling thread, with its own scratch memory. A row's outputs have the same bits whatever other
/// rows are computed with it.
class Predictor {
 public:
  /// Rows that pass through the layers together: large enough to reuse weights, small enough to stay in L2.
  static constexpr std::size_t kRowsAtOnce = 64;

  /// Makes room for `rows` rows, so that later calls with as many allocate nothing.
  void reserve(const Network&, std::size_t rows);

  /// Logits and outputs of up to kRowsAtOnce rows from `first_row` on, in panels of `rows` rows; valid until the next call.
  struct Result {
    const float* logits;
    const float* outputs;
  };
  Result forward(const Network&, const Examples&, std::size_t first_row, std::size_t rows);

  /// input: float32, row-major [rows, inputs]; output: float32, row-major [rows, outputs], apart from the input. Both may
  /// begin at any address.
  void predict(const Network&, std::span<const std::byte> input, std::size_t rows, std::span<std::byte> output);

 private:
  Result through_operations(const Network&, const LooseFloat* input, std::size_t rows, bool row_major);

  AlignedBuffer<float> input_;
  std::vector<AlignedBuffer<float>> slots_;  // see PredictionPlan::slot
};

}  // namespace millrace
