#include <cstring>
#include <vector>

#include "check.h"
#include "engine/prediction_graph.h"
#include "matrices.h"

namespace millrace::test {
namespace {

constexpr std::size_t kInner = 19, kUnits = 21, kWhole = 5;

/// Rows of float32 beside rows of int16, with every kind of step.
GraphSpec every_step(const std::vector<float>& numbers) {
  const std::span<const float> kernel(numbers.data(), kInner * kUnits), column(numbers.data(), kUnits);
  const auto step = [](GraphStepType type, std::vector<std::size_t> inputs) {
    GraphStep result;
    result.type = type;
    result.inputs = std::move(inputs);
    return result;
  };
  GraphSpec spec;
  spec.inputs = {{Datatype::kFloat32, kInner}, {Datatype::kInt16, kWhole}};
  GraphStep dense = step(GraphStepType::kDense, {0});
  dense.units = kUnits;
  dense.weights = kernel;
  dense.bias = column;
  dense.activation = Activation::kTanh;
  GraphStep activation = step(GraphStepType::kActivation, {2});
  activation.activation = Activation::kSoftmax;
  GraphStep prelu = step(GraphStepType::kPrelu, {3});
  prelu.weights = column;
  GraphStep scale = step(GraphStepType::kScale, {4});
  scale.weights = column;
  scale.bias = column;
  GraphStep clip = step(GraphStepType::kClip, {5});
  clip.lowest = -0.25f;
  clip.highest = 0.25f;
  GraphStep divide = step(GraphStepType::kArithmetic, {6});
  divide.arithmetic = Arithmetic::kDivide;
  divide.weights = column;
  divide.reversed = true;
  GraphStep subtract = step(GraphStepType::kArithmetic, {7, 2});
  subtract.arithmetic = Arithmetic::kSubtract;
  const GraphStep cast = step(GraphStepType::kCast, {1});
  GraphStep half = step(GraphStepType::kCast, {0});
  half.datatype = Datatype::kFloat16;
  const GraphStep concatenate = step(GraphStepType::kConcatenate, {8, 9, 0, 2});
  spec.steps = {dense, activation, prelu, scale, clip, divide, subtract, cast, half, concatenate};
  spec.outputs = {11, 10, 1, 0};
  return spec;
}

TEST("a graph answers rows alike alone or together, wherever their bytes lie") {
  const std::vector<float> numbers = [] {
    std::vector<float> result(kInner * kUnits);
    for (std::size_t index = 0; index < result.size(); ++index) result[index] = static_cast<float>(index % 13) / 13.0f - 0.4f;
    return result;
  }();
  const PredictionGraph graph(every_step(numbers));
  const std::size_t rows = 131;
  const std::size_t input_bytes[] = {kInner * 4, kWhole * 2};
  std::vector<std::byte> inputs[2], outputs[4];
  for (std::size_t input = 0; input < 2; ++input) {
    // One byte before the first row: nothing is aligned.
    inputs[input].resize(rows * input_bytes[input] + 1);
    for (std::size_t index = 0; index < rows * input_bytes[input] / 2; ++index) {
      const auto value = static_cast<std::uint16_t>(0x3d00 + index % 97);
      std::memcpy(inputs[input].data() + 1 + 2 * index, &value, 2);
    }
  }
  std::vector<std::byte*> targets;
  for (std::size_t output = 0; output < 4; ++output) {
    outputs[output].resize(rows * graph.output_row_bytes(output));
    targets.push_back(outputs[output].data());
  }
  const std::vector<const std::byte*> sources = {inputs[0].data() + 1, inputs[1].data() + 1};
  PredictionGraph::Scratch scratch;
  graph.predict(sources, {0, rows}, targets, scratch);
  CHECK(graph.output_row_bytes(0) == (kUnits + kWhole + kInner + kUnits) * 4);
  CHECK(graph.output_row_bytes(1) == kInner * 2);
  CHECK(std::memcmp(outputs[3].data(), sources[0], rows * input_bytes[0]) == 0);
  CHECK(std::memcmp(outputs[2].data(), sources[1], rows * input_bytes[1]) == 0);

  std::vector<std::byte> again[4];
  for (std::size_t output = 0; output < 4; ++output) {
    again[output].resize(outputs[output].size());
    targets[output] = again[output].data();
  }
  PredictionGraph::Scratch fresh;
  for (std::size_t row = 0; row < rows; ++row) graph.predict(sources, {row, row + 1}, targets, fresh);
  for (std::size_t output = 0; output < 4; ++output) CHECK(again[output] == outputs[output]);
}

}  // namespace
}  // namespace millrace::test
