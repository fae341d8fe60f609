#include "quantized_network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "denormals.h"
#include "error.h"
#include "kernels.h"
#include "panel.h"
#include "predictor.h"

namespace millrace {
namespace {

ActivationRange range_of(const MatrixView& input, std::size_t row, std::size_t columns) {
  ActivationRange range{0.0f, 0.0f};
  for (std::size_t c = 0; c < columns; ++c) {
    const float value =
        input.data[row * input.row_stride + c / kPanelWidth * input.line_stride + c % kPanelWidth];
    range.lowest = std::min(range.lowest, value);
    range.highest = std::max(range.highest, value);
  }
  return range;
}

// The smallest number that `share` of the values do not exceed.
float quantile(std::vector<float> values, double share) {
  const auto index = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size()))) - 1;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
  return values[index];
}

void expect_finite(std::span<const float> input) {
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (std::isfinite(input[i])) continue;
    refuse("calibration.input", "Expected `calibration.input` to hold finite numbers but received " +
                                    std::to_string(input[i]) + " in element " + std::to_string(i) + ".");
  }
}

}  // namespace

QuantizedNetwork::QuantizedNetwork(const Network& network, Precision precision) {
  for (const Layer& layer : network.layers()) {
    const float* parameters = network.parameters();
    dense_.emplace_back(precision, layer.inner, layer.outer, parameters + layer.kernel, parameters + layer.bias);
    activations_.push_back(layer.activation);
  }
}

std::size_t QuantizedNetwork::bytes() const {
  std::size_t total = 0;
  for (const QuantizedDense& dense : dense_) total += dense.bytes();
  return total;
}

std::size_t QuantizedNetwork::multiply_adds() const {
  std::size_t total = 0;
  for (const QuantizedDense& dense : dense_) total += dense.inner() * dense.outer();
  return total;
}

void QuantizedNetwork::reserve(Scratch& scratch, std::size_t rows) const {
  for (std::size_t index = 0; index < dense_.size(); ++index) {
    const QuantizedDense& dense = dense_[index];
    AlignedBuffer<float>& hidden = scratch.hidden[index % 2];
    if (hidden.size() < panel_size(rows, dense.outer())) hidden.resize(panel_size(rows, dense.outer()));
    dense.reserve(scratch.rows, rows);
  }
}

void QuantizedNetwork::calibrate(std::span<const float> input, std::size_t rows) {
  expect_finite(input);
  Scratch scratch;
  std::vector<Ranges> ranges(dense_.size());
  for (std::size_t first = 0; first < rows; first += Predictor::kRowsAtOnce) {
    forward(input.data() + first * inputs(), std::min(Predictor::kRowsAtOnce, rows - first), scratch, ranges.data());
  }
  for (std::size_t index = 0; index < dense_.size(); ++index) {
    std::vector<float>& lowest = ranges[index].lowest;
    for (float& value : lowest) value = -value;
    dense_[index].calibrate(
        {-quantile(std::move(lowest), kCalibratedShare), quantile(std::move(ranges[index].highest), kCalibratedShare)});
  }
}

const float* QuantizedNetwork::forward(const float* input, std::size_t rows, Scratch& scratch, Ranges* ranges) const {
  const FlushDenormals flush;
  reserve(scratch, rows);
  MatrixView view{input, inputs(), kPanelWidth};
  for (std::size_t index = 0; index < dense_.size(); ++index) {
    const QuantizedDense& dense = dense_[index];
    for (std::size_t row = 0; ranges != nullptr && row < rows; ++row) {
      const ActivationRange range = range_of(view, row, dense.inner());
      ranges[index].lowest.push_back(range.lowest);
      ranges[index].highest.push_back(range.highest);
    }
    AlignedBuffer<float>& hidden = scratch.hidden[index % 2];
    const bool softmax = activations_[index] == Activation::kSoftmax;
    dense.forward(view, rows, softmax ? Activation::kLinear : activations_[index], hidden.data(), scratch.rows);
    if (softmax) kernels().activate(Activation::kSoftmax, hidden.data(), hidden.data(), rows, dense.outer(), {0, rows});
    view = {hidden.data(), kPanelWidth, rows * kPanelWidth};
  }
  return view.data;
}

void QuantizedNetwork::predict(std::span<const float> input, std::size_t rows, std::span<float> output,
                               Scratch& scratch) const {
  for (std::size_t first = 0; first < rows; first += Predictor::kRowsAtOnce) {
    const std::size_t count = std::min(Predictor::kRowsAtOnce, rows - first);
    const float* panels = forward(input.data() + first * inputs(), count, scratch, nullptr);
    float* to = output.data() + first * outputs();
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t column = 0; column < outputs(); ++column) {
        to[row * outputs() + column] = panels[panel_offset(count, row, column)];
      }
    }
  }
}

}  // namespace millrace
