#include "predictor.h"

#include <algorithm>

#include "denormals.h"
#include "layers/layers.h"
#include "panel.h"

namespace millrace {
namespace {

void grow(AlignedBuffer<float>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
}

/// y = factor x + summand, by column or, with statistics, normalised by row before.
void scale_rows(const Operation& operation, const float* parameters, const float* x, float* y, std::size_t rows) {
  const bool by_row = operation.type == OperationType::kLayerNormalization;
  for (std::size_t row = 0; row < rows; ++row) {
    const RowStatistics statistics =
        by_row ? row_statistics(x, rows, row, operation.inner, operation.epsilon) : RowStatistics{0.0f, 1.0f};
    for (std::size_t column = 0; column < padded(operation.outer); ++column) {
      const std::size_t place = panel_offset(rows, row, column);
      y[place] = (x[place] - statistics.mean) * statistics.deviation_inverse * parameters[operation.gamma + column] +
                 parameters[operation.beta + column];
    }
  }
}

}  // namespace

void compute_operation(const Operation& operation, const float* parameters, const LooseFloat* x, const float* other,
                       float* y, std::size_t rows, bool row_major) {
  const Kernels& k = kernels();
  const std::size_t size = panel_size(rows, operation.outer);
  switch (operation.type) {
    case OperationType::kDense: {
      DenseProduct product{x, rows, operation.inner, parameters + operation.kernel,
                           operation.bias == kNone ? nullptr : parameters + operation.bias, y, rows, nullptr,
                           operation.activation};
      product.row_major = row_major;
      return k.dense(product, {0, rows}, {0, panel_count(operation.outer)});
    }
    case OperationType::kActivation:
      return k.activate({operation.activation, operation.parameter, x, y, rows, operation.outer}, {0, rows},
                        {0, panel_count(operation.outer)});
    case OperationType::kPrelu:
      for (std::size_t i = 0; i < size; ++i) {
        const float alpha = parameters[operation.alpha + i / (rows * kPanelWidth) * kPanelWidth + i % kPanelWidth];
        y[i] = x[i] < 0.0f ? alpha * x[i] : x[i];
      }
      return;
    case OperationType::kScale:
    case OperationType::kLayerNormalization:
      return scale_rows(operation, parameters, x, y, rows);
    case OperationType::kAdd:
      for (std::size_t i = 0; i < size; ++i) y[i] = x[i] + other[i];
      return;
    case OperationType::kEmbedding:
      return embed(operation, parameters, x, y, rows, {0, rows});
    case OperationType::kDropout:
    case OperationType::kBatchNormalization:
      return;  // A plan has none.
  }
}

void Predictor::reserve(const Network& network, std::size_t rows) {
  const PredictionPlan& plan = network.prediction();
  grow(input_, panel_size(rows, network.inputs()));
  slots_.resize(std::max(slots_.size(), plan.slot_count()));
  for (std::size_t index = 0; index < plan.operations().size(); ++index) {
    grow(slots_[plan.slot(index + 1)], panel_size(rows, plan.operations()[index].outer));
  }
}

Predictor::Result Predictor::through_operations(const Network& network, const LooseFloat* input, std::size_t rows,
                                                bool row_major) {
  const PredictionPlan& plan = network.prediction();
  const auto at = [&](std::size_t value) -> const LooseFloat* {
    return value == 0 ? input : slots_[plan.slot(value)].data();
  };
  for (std::size_t index = 0; index < plan.operations().size(); ++index) {
    const Operation& operation = plan.operations()[index];
    compute_operation(operation, network.prediction_parameters(), at(operation.input),
            operation.other == kNone ? nullptr : at(operation.other), slots_[plan.slot(index + 1)].data(), rows,
            row_major && operation.input == 0);
  }
  const Operation& last = plan.operations().back();
  const float* outputs = at(plan.operations().size());
  return {last.type == OperationType::kActivation ? at(last.input) : outputs, outputs};
}

Predictor::Result Predictor::forward(const Network& network, const Examples& examples, std::size_t first_row,
                                     std::size_t rows) {
  const FlushDenormals flush;
  reserve(network, rows);
  gather(examples, {nullptr, first_row, input_.data(), rows}, {0, rows});
  return through_operations(network, input_.data(), rows, false);
}

void Predictor::predict(const Network& network, std::span<const std::byte> input, std::size_t rows,
                        std::span<std::byte> output) {
  const FlushDenormals flush;
  const std::size_t inputs = network.inputs(), outputs = network.outputs();
  const LooseFloat* from = reinterpret_cast<const LooseFloat*>(input.data());
  LooseFloat* to = reinterpret_cast<LooseFloat*>(output.data());
  // Products read rows where they lie; all else wants panels.
  const bool in_place = network.prediction().products_read_input();
  for (std::size_t first = 0; first < rows; first += kRowsAtOnce) {
    const std::size_t count = std::min(kRowsAtOnce, rows - first);
    reserve(network, count);
    const LooseFloat* block = from + first * inputs;
    if (!in_place) {
      kernels().gather({block, ElementType::kFloat32, inputs, 0, nullptr, 0, 1.0f, 0.0f, input_.data(), count}, {0, count});
      block = input_.data();
    }
    const Result result = through_operations(network, block, count, in_place);
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t column = 0; column < outputs; ++column) {
        to[(first + row) * outputs + column] = result.outputs[panel_offset(count, row, column)];
      }
    }
  }
}

}  // namespace millrace
