#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "aligned_buffer.h"
#include "network.h"
#include "quantized_dense.h"

namespace millrace {

/// A network for prediction only, the kernels of its dense layers in reduced precision; all else is float32. It owns all
/// that it needs and does not change once made: the network it came from may go, or be trained on.
class QuantizedNetwork {
 public:
  /// Memory that predictions need, kept from one to the next; each thread has its own.
  struct Scratch {
    AlignedBuffer<float> input;               // in panels, where others than dense layers read it
    std::vector<AlignedBuffer<float>> slots;  // see PredictionPlan::slot
    QuantizedRows rows;
  };

  QuantizedNetwork(const Network&, Precision);

  /// Fixes the range of every dense layer's input to what it is in kCalibratedShare of these rows (row-major
  /// [rows, inputs]); refuses numbers that are not finite. Without it each row is measured as it comes.
  void calibrate(std::span<const float> input, std::size_t rows);

  const std::vector<EmbeddingTable>& tables() const { return plan_.operations().front().tables; }
  std::size_t inputs() const { return plan_.operations().front().inner; }
  std::size_t outputs() const { return plan_.operations().back().outer; }
  std::size_t bytes() const;
  std::size_t multiply_adds() const { return plan_.multiply_adds(); }

  /// Makes room for `rows` rows, so that predicting as many at once allocates nothing.
  void reserve(Scratch&, std::size_t rows) const;

  /// As Predictor::predict. A row's outputs have the same bits whatever other rows are computed with it. A row with a NaN
  /// or an infinity in int8 is answered by NaN.
  void predict(std::span<const std::byte> input, std::size_t rows, std::span<std::byte> output, Scratch&) const;

  static constexpr double kCalibratedShare = 0.999;

 private:
  /// Of one layer's input, by row.
  struct Ranges {
    std::vector<float> lowest;
    std::vector<float> highest;
  };

  /// Outputs in panels of `rows` rows; valid until the next call. `ranges`, one for each layer, may be null.
  const float* forward(const LooseFloat* input, std::size_t rows, Scratch&, Ranges* ranges) const;

  /// The matrix of a value, the input's rows where they lie.
  MatrixView view_of(std::size_t value, const LooseFloat* input, std::size_t rows, const Scratch&) const;

  PredictionPlan plan_;                // without the parameters of dense layers
  std::vector<QuantizedDense> dense_;  // in the order of the plan's dense layers
};

}  // namespace millrace
