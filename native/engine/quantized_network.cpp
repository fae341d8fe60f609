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

QuantizedNetwork::QuantizedNetwork(const Network& network, Precision precision)
    : plan_(network.prediction().without_products(network.parameters())) {
  const float* parameters = network.prediction_parameters();
  for (const Operation& operation : network.prediction().operations()) {
    if (operation.type != OperationType::kDense) continue;
    const AlignedBuffer<float> zeros(operation.bias == kNone ? padded(operation.outer) : 0);
    const float* bias = operation.bias == kNone ? zeros.data() : parameters + operation.bias;
    dense_.emplace_back(precision, operation.inner, operation.outer, parameters + operation.kernel, bias);
  }
}

std::size_t QuantizedNetwork::bytes() const {
  std::size_t total = plan_.parameter_bytes();
  for (const QuantizedDense& dense : dense_) total += dense.bytes();
  return total;
}

void QuantizedNetwork::reserve(Scratch& scratch, std::size_t rows) const {
  const auto grow = [](AlignedBuffer<float>& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.resize(size);
  };
  if (!plan_.products_read_input()) grow(scratch.input, panel_size(rows, inputs()));
  scratch.slots.resize(std::max(scratch.slots.size(), plan_.slot_count()));
  for (std::size_t index = 0; index < plan_.operations().size(); ++index) {
    grow(scratch.slots[plan_.slot(index + 1)], panel_size(rows, plan_.operations()[index].outer));
  }
  for (const QuantizedDense& dense : dense_) dense.reserve(scratch.rows, rows);
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

MatrixView QuantizedNetwork::view_of(std::size_t value, const LooseFloat* input, std::size_t rows,
                                     const Scratch& scratch) const {
  if (value == 0 && plan_.products_read_input()) return {input, inputs(), kPanelWidth};
  const AlignedBuffer<float>& panels = value == 0 ? scratch.input : scratch.slots[plan_.slot(value)];
  return {panels.data(), kPanelWidth, rows * kPanelWidth};
}

const float* QuantizedNetwork::forward(const LooseFloat* input, std::size_t rows, Scratch& scratch, Ranges* ranges) const {
  const FlushDenormals flush;
  reserve(scratch, rows);
  if (!plan_.products_read_input()) {
    kernels().gather({input, ElementType::kFloat32, inputs(), 0, nullptr, 0, 1.0f, 0.0f, scratch.input.data(), rows},
                     {0, rows});
  }
  auto dense = dense_.begin();
  for (std::size_t index = 0; index < plan_.operations().size(); ++index) {
    const Operation& operation = plan_.operations()[index];
    const MatrixView view = view_of(operation.input, input, rows, scratch);
    float* result = scratch.slots[plan_.slot(index + 1)].data();
    if (operation.type != OperationType::kDense) {
      const float* other = operation.other == kNone ? nullptr : view_of(operation.other, input, rows, scratch).data;
      compute_operation(operation, plan_.parameters(nullptr), view.data, other, result, rows, false);
      continue;
    }
    if (ranges != nullptr) {
      Ranges& own = ranges[dense - dense_.begin()];
      for (std::size_t row = 0; row < rows; ++row) {
        const ActivationRange range = range_of(view, row, dense->inner());
        own.lowest.push_back(range.lowest);
        own.highest.push_back(range.highest);
      }
    }
    dense->forward(view, rows, operation.activation, result, scratch.rows);
    ++dense;
  }
  return scratch.slots[plan_.slot(plan_.operations().size())].data();
}

void QuantizedNetwork::predict(std::span<const std::byte> input, std::size_t rows, std::span<std::byte> output,
                               Scratch& scratch) const {
  const LooseFloat* from = reinterpret_cast<const LooseFloat*>(input.data());
  LooseFloat* answers = reinterpret_cast<LooseFloat*>(output.data());
  for (std::size_t first = 0; first < rows; first += Predictor::kRowsAtOnce) {
    const std::size_t count = std::min(Predictor::kRowsAtOnce, rows - first);
    const float* panels = forward(from + first * inputs(), count, scratch, nullptr);
    LooseFloat* to = answers + first * outputs();
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t column = 0; column < outputs(); ++column) {
        to[row * outputs() + column] = panels[panel_offset(count, row, column)];
      }
    }
  }
}

}  // namespace millrace
