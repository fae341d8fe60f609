#include "examples_argument.h"

#include <limits>
#include <string>

#include "elements.h"
#include "fields.h"

namespace millrace::binding {
namespace {

void read_block(const Napi::Value& value, const std::string& path, std::size_t columns_max,
                ExamplesArgument& argument) {
  const Fields fields(value, path);
  const Napi::Value data = fields.value("data");
  FeatureBlock block{};
  block.type = to_choice(fields, "type", kElementTypes);
  block.columns = fields.integer("columns", 1, columns_max);
  block.data = to_elements(data, path + ".data", block.type, argument.examples.rows * block.columns,
                           *argument.uses);
  if (fields.has("scale")) block.scale = static_cast<float>(fields.number("scale"));
  if (fields.has("offset")) block.offset = static_cast<float>(fields.number("offset"));
  argument.examples.features.push_back(block);
  argument.arrays.push_back(data);
}

void read_features(const Napi::Value& value, std::size_t inputs, ExamplesArgument& argument) {
  if (!value.IsArray()) refuse_value("features", "an array of blocks of columns", value);
  const auto blocks = value.As<Napi::Array>();
  std::size_t columns = 0;
  for (std::uint32_t index = 0; index < blocks.Length() && columns <= inputs; ++index) {
    read_block(blocks.Get(index), "features[" + std::to_string(index) + "]", inputs, argument);
    columns += argument.examples.features.back().columns;
  }
  if (columns != inputs) {
    refuse("features", "Expected `features` to have the network's " + std::to_string(inputs) +
                           " columns but received " + std::to_string(columns) + ".");
  }
}

void read_targets(const Napi::Value& value, std::size_t outputs, Loss loss, ExamplesArgument& argument) {
  Examples& examples = argument.examples;
  const std::size_t numbers = examples.rows * outputs;
  examples.target_classes = has_classes(loss) && holds(value, ElementType::kInt32, examples.rows);
  if (examples.target_classes) {
    examples.targets = to_elements(value, "targets", ElementType::kInt32, examples.rows, *argument.uses);
  } else if (has_classes(loss) && !holds(value, ElementType::kFloat32, numbers)) {
    refuse_value("targets", "an Int32Array of " + std::to_string(examples.rows) + " elements or a Float32Array of " +
                                std::to_string(numbers) + " elements",
                 value);
  } else {
    examples.targets = to_elements(value, "targets", ElementType::kFloat32, numbers, *argument.uses);
  }
  argument.arrays.push_back(value);
}

}  // namespace

ExamplesArgument to_examples(const Napi::Value& value, const Network& network, const LossSpec& loss) {
  const Fields fields(value, "", "examples");
  ExamplesArgument argument{};
  argument.examples.rows = fields.integer("rows", 1, std::numeric_limits<std::uint32_t>::max());
  read_features(fields.value("features"), network.inputs(), argument);
  read_targets(fields.value("targets"), network.outputs(), loss.type, argument);
  if (fields.has("weights")) {
    const Napi::Value weights = fields.value("weights");
    argument.examples.weights = to_floats(weights, "weights", argument.examples.rows).Data();
    argument.arrays.push_back(weights);
  }
  return argument;
}

}  // namespace millrace::binding
