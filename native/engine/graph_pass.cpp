#include <algorithm>

#include "conversion.h"
#include "denormals.h"
#include "matrix_bytes.h"
#include "panel.h"
#include "prediction_graph.h"
#include "predictor.h"

namespace millrace {
namespace {

/// y = f(x, z), where z is a matrix in panels like x, or, by column, the operand.
template <typename Function>
void combine(const float* x, const float* z, bool by_column, float* y, std::size_t rows, std::size_t columns, Function f) {
  for (std::size_t panel = 0; panel < panel_count(columns); ++panel) {
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t place = (panel * rows + row) * kPanelWidth;
      const float* other = z + (by_column ? panel * kPanelWidth : place);
      for (std::size_t i = 0; i < kPanelWidth; ++i) y[place + i] = f(x[place + i], other[i]);
    }
  }
}

}  // namespace

/// The values of up to Predictor::kRowsAtOnce rows.
class PredictionGraph::Pass {
 public:
  Pass(const PredictionGraph& graph, std::span<const std::byte* const> inputs, Range rows, Scratch& scratch)
      : graph_(graph), inputs_(inputs), first_(rows.begin), rows_(rows.end - rows.begin), scratch_(scratch) {
    for (std::size_t value = 0; value < inputs.size(); ++value) {
      if (!lies_ready(value)) copy_columns(in_place(value), {0, graph.values_[value].columns}, in_slot(value), 0);
    }
  }

  void run(const Step& step, std::size_t result) {
    switch (step.type) {
      case GraphStepType::kConcatenate:
        return concatenate(step, in_slot(result));
      case GraphStepType::kCast:
        return cast(step, result);
      default: {
        const FlushDenormals flush;
        return compute(step, result);
      }
    }
  }

  MatrixBytes<const std::byte> view(std::size_t value) const {
    if (value < inputs_.size()) return in_place(value);
    const MatrixBytes<std::byte> slot = in_slot(value);
    return {slot.data, slot.element_bytes, slot.rows, slot.columns, slot.in_panels};
  }

 private:
  /// Whether an input need not be put into panels: only dense layers compute with it, and they read it where it lies.
  bool lies_ready(std::size_t value) const {
    const Value& input = graph_.values_[value];
    return input.datatype != Datatype::kFloat32 || !input.in_panels;
  }

  MatrixBytes<const std::byte> in_place(std::size_t value) const {
    const Value& input = graph_.values_[value];
    const std::size_t size = size_of(input.datatype);
    return {inputs_[value] + first_ * input.columns * size, size, rows_, input.columns, false};
  }

  MatrixBytes<std::byte> in_slot(std::size_t value) const {
    const Value& of = graph_.values_[value];
    std::byte* data = reinterpret_cast<std::byte*>(scratch_.slots[of.slot].data());
    return {data, size_of(of.datatype), rows_, of.columns, of.datatype == Datatype::kFloat32};
  }

  float* numbers(std::size_t value) const { return scratch_.slots[graph_.values_[value].slot].data(); }

  void compute(const Step& step, std::size_t result) {
    const std::size_t value = step.inputs.front();
    const bool row_major = value < inputs_.size() && lies_ready(value);
    const LooseFloat* x = row_major ? reinterpret_cast<const LooseFloat*>(in_place(value).data) : numbers(value);
    float* y = numbers(result);
    const std::size_t columns = step.operation.inner;
    if (step.type == GraphStepType::kClip) {
      // NaN passes through.
      const std::size_t size = panel_size(rows_, columns);
      for (std::size_t i = 0; i < size; ++i) {
        const float floored = x[i] < step.lowest ? step.lowest : x[i];
        y[i] = floored > step.highest ? step.highest : floored;
      }
    } else if (step.type == GraphStepType::kArithmetic) {
      const bool by_column = step.inputs.size() == 1;
      const float* other = by_column ? graph_.parameters_.data() + step.operation.gamma : numbers(step.inputs[1]);
      arithmetic(step, x, other, by_column, y);
    } else {
      // One row is the same in panels.
      compute_operation(step.operation, graph_.parameters_.data(), x, nullptr, y, rows_, row_major && rows_ > 1);
    }
  }

  void arithmetic(const Step& step, const float* x, const float* other, bool by_column, float* y) const {
    const auto apply = [&](auto f) { combine(x, other, by_column, y, rows_, step.operation.inner, f); };
    switch (step.arithmetic) {
      case Arithmetic::kAdd:
        return apply([](float a, float b) { return a + b; });
      case Arithmetic::kMultiply:
        return apply([](float a, float b) { return a * b; });
      case Arithmetic::kSubtract:
        return step.reversed ? apply([](float a, float b) { return b - a; }) : apply([](float a, float b) { return a - b; });
      case Arithmetic::kDivide:
        return step.reversed ? apply([](float a, float b) { return b / a; }) : apply([](float a, float b) { return a / b; });
    }
  }

  void concatenate(const Step& step, const MatrixBytes<std::byte>& to) const {
    std::size_t column = 0;
    for (std::size_t block = 0; block < step.blocks; ++block) {
      for (const std::size_t input : step.inputs) {
        const MatrixBytes<const std::byte> from = view(input);
        const std::size_t count = from.columns / step.blocks;
        copy_columns(from, {block * count, count}, to, column);
        column += count;
      }
    }
  }

  void cast(const Step& step, std::size_t result) const {
    const std::size_t value = step.inputs.front();
    const MatrixBytes<const std::byte> from = view(value);
    const Conversion convert = conversion(graph_.values_[value].datatype, graph_.values_[result].datatype);
    move_columns(from, {0, from.columns}, in_slot(result), 0, convert);
  }

  const PredictionGraph& graph_;
  std::span<const std::byte* const> inputs_;
  std::size_t first_;
  std::size_t rows_;
  Scratch& scratch_;
};

void PredictionGraph::predict(std::span<const std::byte* const> inputs, Range rows, std::span<std::byte* const> outputs,
                              Scratch& scratch) const {
  for (std::size_t first = rows.begin; first < rows.end; first += Predictor::kRowsAtOnce) {
    const std::size_t end = std::min(first + Predictor::kRowsAtOnce, rows.end);
    reserve(scratch, end - first);
    Pass pass(*this, inputs, {first, end}, scratch);
    for (std::size_t index = 0; index < steps_.size(); ++index) pass.run(steps_[index], inputs_.size() + index);
    for (std::size_t index = 0; index < outputs_.size(); ++index) {
      const MatrixBytes<const std::byte> from = pass.view(outputs_[index]);
      const std::size_t size = from.element_bytes;
      copy_columns(from, {0, from.columns},
                   {outputs[index] + first * from.columns * size, size, from.rows, from.columns, false}, 0);
    }
  }
}

}  // namespace millrace
