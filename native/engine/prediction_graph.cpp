#include "prediction_graph.h"

#include <algorithm>
#include <utility>

#include "error.h"
#include "panel.h"

namespace millrace {
namespace {

/// Columns of a value, as for a network's layers.
constexpr std::size_t kColumnsMax = std::size_t{1} << 20;
/// Memory that the values of one row may take at the same time.
constexpr std::size_t kRowBytesMax = std::size_t{1} << 24;

bool computes(GraphStepType type) { return type != GraphStepType::kConcatenate && type != GraphStepType::kCast; }

void expect_columns(std::size_t columns, const std::string& name) {
  if (columns >= 1 && columns <= kColumnsMax) return;
  refuse(name, "Expected `" + name + "` to have between 1 and " + std::to_string(kColumnsMax) + " columns but it has " +
                   std::to_string(columns) + ".");
}

std::size_t row_bytes(Datatype datatype, std::size_t columns) {
  return datatype == Datatype::kFloat32 ? padded(columns) * sizeof(float) : columns * size_of(datatype);
}

}  // namespace

PredictionGraph::PredictionGraph(const GraphSpec& spec) : inputs_(spec.inputs), outputs_(spec.outputs) {
  for (std::size_t index = 0; index < inputs_.size(); ++index) {
    expect_columns(inputs_[index].columns, "inputs[" + std::to_string(index) + "]");
    values_.push_back({inputs_[index].datatype, inputs_[index].columns});
  }
  for (std::size_t index = 0; index < spec.steps.size(); ++index) {
    add_step(spec.steps[index], "steps[" + std::to_string(index) + "]");
  }
  for (const std::size_t output : outputs_) {
    if (output >= values_.size()) refuse("outputs", "Expected `outputs` to be values but there is none " + std::to_string(output) + ".");
  }
  assign_slots();
}

std::size_t PredictionGraph::output_row_bytes(std::size_t output) const {
  const Value& value = values_[outputs_[output]];
  return value.columns * size_of(value.datatype);
}

void PredictionGraph::add_step(const GraphStep& spec, const std::string& name) {
  const bool variadic = spec.type == GraphStepType::kConcatenate;
  const std::size_t inputs_max = variadic ? kColumnsMax : spec.type == GraphStepType::kArithmetic ? 2 : 1;
  if (spec.inputs.empty() || spec.inputs.size() > inputs_max) {
    refuse(name + ".inputs", "Expected `" + name + ".inputs` to be as many as the step reads but received " +
                                 std::to_string(spec.inputs.size()) + ".");
  }
  for (const std::size_t input : spec.inputs) {
    if (input >= values_.size()) {
      refuse(name + ".inputs", "Expected `" + name + ".inputs` to be values made before but received " +
                                   std::to_string(input) + ".");
    }
    if (computes(spec.type) && values_[input].datatype != Datatype::kFloat32) {
      refuse(name + ".inputs", "Expected `" + name + ".inputs` to be float32.");
    }
    if (input < inputs_.size() && computes(spec.type) && spec.type != GraphStepType::kDense) {
      values_[input].in_panels = true;
    }
  }
  const Value& first = values_[spec.inputs.front()];
  Step step{spec.type, spec.inputs, {}, spec.reversed, spec.arithmetic, spec.lowest, spec.highest, spec.blocks};
  Operation& operation = step.operation;
  operation.inner = first.columns;
  operation.outer = first.columns;
  operation.activation = spec.activation;
  operation.parameter = spec.parameter;
  Datatype datatype = first.datatype;
  switch (spec.type) {
    case GraphStepType::kDense:
      operation.type = OperationType::kDense;
      operation.outer = spec.units;
      expect_columns(spec.units, name);
      if (!is_elementwise(spec.activation)) refuse(name + ".activation", "Expected `" + name + ".activation` to be elementwise.");
      operation.kernel =
          add_parameters(spec.weights, operation.inner, operation.outer, name + ".weights", spec.transposed);
      if (!spec.bias.empty()) operation.bias = add_parameters(spec.bias, 1, operation.outer, name + ".bias");
      multiply_adds_ += operation.inner * operation.outer;
      break;
    case GraphStepType::kActivation:
      operation.type = OperationType::kActivation;
      break;
    case GraphStepType::kPrelu:
      operation.type = OperationType::kPrelu;
      operation.alpha = add_parameters(spec.weights, 1, operation.inner, name + ".weights");
      break;
    case GraphStepType::kScale:
      operation.type = OperationType::kScale;
      operation.gamma = add_parameters(spec.weights, 1, operation.inner, name + ".weights");
      operation.beta = add_parameters(spec.bias, 1, operation.inner, name + ".bias");
      break;
    case GraphStepType::kClip:
      break;
    case GraphStepType::kArithmetic:
      if (spec.inputs.size() == 1) {
        operation.gamma = add_parameters(spec.weights, 1, operation.inner, name + ".weights");
      } else if (values_[spec.inputs[1]].columns != operation.inner) {
        refuse(name + ".inputs", "Expected both values of `" + name + "` to have as many columns.");
      }
      break;
    case GraphStepType::kConcatenate:
      operation.outer = 0;
      for (const std::size_t input : spec.inputs) {
        const Value& value = values_[input];
        if (value.datatype != datatype) refuse(name + ".inputs", "Expected `" + name + ".inputs` to have one datatype.");
        if (spec.blocks == 0 || value.columns % spec.blocks != 0) {
          refuse(name + ".blocks", "Expected `" + name + ".blocks` to divide the columns of each value.");
        }
        operation.outer += value.columns;
      }
      break;
    case GraphStepType::kCast:
      datatype = spec.datatype;
      break;
  }
  expect_columns(operation.outer, name);
  if (spec.type != GraphStepType::kDense) multiply_adds_ += operation.outer;
  values_.push_back({datatype, operation.outer});
  steps_.push_back(std::move(step));
}

std::size_t PredictionGraph::add_parameters(std::span<const float> numbers, std::size_t rows, std::size_t columns,
                                            const std::string& name, bool transposed) {
  if (numbers.size() != rows * columns) {
    refuse(name, "Expected `" + name + "` to hold " + std::to_string(rows * columns) + " numbers but received " +
                     std::to_string(numbers.size()) + ".");
  }
  const std::size_t offset = parameters_.size();
  parameters_.resize(offset + panel_size(rows, columns));
  const std::size_t row_stride = transposed ? 1 : columns, column_stride = transposed ? rows : 1;
  for (std::size_t first = 0; first < columns; first += kPanelWidth) {
    const std::size_t count = std::min(kPanelWidth, columns - first);
    for (std::size_t row = 0; row < rows; ++row) {
      const float* from = numbers.data() + row * row_stride + first * column_stride;
      float* to = parameters_.data() + offset + panel_offset(rows, row, first);
      for (std::size_t column = 0; column < count; ++column) to[column] = from[column * column_stride];
    }
  }
  return offset;
}

void PredictionGraph::assign_slots() {
  std::vector<std::size_t> last_reader(values_.size(), 0);
  for (std::size_t index = 0; index < steps_.size(); ++index) {
    for (const std::size_t input : steps_[index].inputs) last_reader[input] = index;
    // A result that nobody reads is still written.
    last_reader[inputs_.size() + index] = index;
  }
  for (const std::size_t output : outputs_) last_reader[output] = steps_.size();
  std::vector<std::size_t> free_from;  // by slot: the step from which on it may be written
  std::size_t total = 0;
  for (std::size_t value = 0; value < values_.size(); ++value) {
    const bool input = value < inputs_.size();
    if (input && values_[value].datatype != Datatype::kFloat32) continue;
    const std::size_t writer = input ? 0 : value - inputs_.size();
    std::size_t slot = 0;
    // Inputs are all put into panels before the first step.
    while (slot < free_from.size() && (input || free_from[slot] > writer)) ++slot;
    if (slot == free_from.size()) {
      free_from.push_back(0);
      slot_row_bytes_.push_back(0);
    }
    free_from[slot] = last_reader[value] + 1;
    values_[value].slot = slot;
    const std::size_t bytes = row_bytes(values_[value].datatype, values_[value].columns);
    if (bytes > slot_row_bytes_[slot]) {
      total += bytes - slot_row_bytes_[slot];
      slot_row_bytes_[slot] = bytes;
    }
    if (total > kRowBytesMax) {
      refuse("steps", "Expected the values that are needed at the same time to take at most " +
                          std::to_string(kRowBytesMax) + " bytes a row.");
    }
  }
}

void PredictionGraph::reserve(Scratch& scratch, std::size_t rows) const {
  if (scratch.slots.size() < slot_row_bytes_.size()) scratch.slots.resize(slot_row_bytes_.size());
  for (std::size_t slot = 0; slot < slot_row_bytes_.size(); ++slot) {
    const std::size_t floats = (rows * slot_row_bytes_[slot] + sizeof(float) - 1) / sizeof(float);
    if (scratch.slots[slot].size() < floats) scratch.slots[slot].resize(floats);
  }
}

}  // namespace millrace
