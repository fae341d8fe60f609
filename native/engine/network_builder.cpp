#include "network_builder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "error.h"
#include "panel.h"

namespace millrace {
namespace {

constexpr std::size_t kUnitsMax = std::size_t{1} << 20;
constexpr std::size_t kParametersMax = std::size_t{1} << 31;

void expect_size(const std::string& field, std::size_t value) {
  if (value >= 1 && value <= kUnitsMax) return;
  refuse(field, "Expected `" + field + "` to be between 1 and " + std::to_string(kUnitsMax) + " but received " +
                    std::to_string(value) + ".");
}

void expect_share(const std::string& field, float value, bool one_allowed) {
  if (value >= 0.0f && (one_allowed ? value <= 1.0f : value < 1.0f)) return;
  refuse(field, "Expected `" + field + "` to be at least 0 and " + (one_allowed ? "at most 1" : "below 1") +
                    " but received " + std::to_string(value) + ".");
}

void expect_parameter(const std::string& name, Activation activation, float value) {
  if (std::isfinite(value) && value >= 0.0f) return;
  const std::string field = name + (activation == Activation::kElu ? ".alpha" : ".negativeSlope");
  refuse(field, "Expected `" + field + "` to be a finite number of at least 0 but received " + std::to_string(value) +
                    ".");
}

/// `layers.2.layers.0` of the files is `layers[2].layers[0]` in a spec.
std::string field_of(const std::string& name) {
  std::string field;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t dot = std::min(name.find('.', at), name.size());
    const std::string part = name.substr(at, dot - at);
    const bool number = part.find_first_not_of("0123456789") == std::string::npos;
    field += number ? "[" + part + "]" : (field.empty() ? "" : ".") + part;
    at = dot + 1;
  }
  return field;
}

}  // namespace

NetworkBuilder::NetworkBuilder(const NetworkSpec& spec) : width_(spec.inputs) {
  expect_size("inputs", spec.inputs);
  if (spec.layers.empty()) refuse("layers", "Expected `layers` to hold at least one layer but received none.");
  add_layers(spec.layers, "layers.");
  if (operations.empty()) refuse("layers", "Expected `layers` to hold more than an empty residual block.");
  // The last activation stands alone: losses need what goes into it.
  Operation& last = operations.back();
  if (last.type == OperationType::kDense && last.activation != Activation::kLinear) {
    const Activation activation = std::exchange(last.activation, Activation::kLinear);
    add_activation(Operation(last), activation, default_parameter(activation));
  }
  place_tensors();
}

void NetworkBuilder::add_layers(const std::vector<LayerSpec>& layers, const std::string& prefix) {
  for (std::size_t index = 0; index < layers.size(); ++index) {
    add_layer(layers[index], prefix + std::to_string(index));
    ++ordinal_;
  }
}

void NetworkBuilder::add_layer(const LayerSpec& layer, const std::string& name) {
  const std::string field = field_of(name);
  Operation operation;
  operation.name = name;
  operation.input = value_;
  operation.inner = width_;
  operation.outer = width_;
  operation.ordinal = ordinal_;
  switch (layer.type) {
    case LayerType::kDense:
      expect_size(field + ".units", layer.units);
      return add_dense(layer, std::move(operation));
    case LayerType::kActivation:
      expect_parameter(field, layer.activation, layer.parameter);
      return add_activation(operation, layer.activation, layer.parameter);
    case LayerType::kPrelu:
      expect_initializer(field + ".alphaInitializer", layer.kernel_initializer);
      operation.type = OperationType::kPrelu;
      operation.alpha = add_tensor(name + ".alpha", {width_}, layer.kernel_initializer);
      return push(std::move(operation));
    case LayerType::kDropout:
      expect_share(field + ".rate", layer.rate, false);
      operation.type = OperationType::kDropout;
      operation.rate = layer.rate;
      return push(std::move(operation));
    case LayerType::kBatchNormalization:
    case LayerType::kLayerNormalization:
      return add_normalization(layer, std::move(operation));
    case LayerType::kResidual:
      return add_residual(layer, std::move(operation));
    case LayerType::kEmbedding:
      return add_embedding(layer, std::move(operation));
  }
}

void NetworkBuilder::add_dense(const LayerSpec& layer, Operation operation) {
  const std::string field = field_of(operation.name);
  expect_initializer(field + ".kernelInitializer", layer.kernel_initializer);
  expect_initializer(field + ".biasInitializer", layer.bias_initializer);
  operation.type = OperationType::kDense;
  operation.outer = layer.units;
  operation.kernel =
      add_tensor(operation.name + ".kernel", {width_, layer.units}, layer.kernel_initializer, true);
  if (layer.use_bias) {
    operation.bias = add_tensor(operation.name + ".bias", {layer.units}, layer.bias_initializer);
  }
  const bool fused = is_elementwise(layer.activation) && slope_from_output(layer.activation);
  if (fused) operation.activation = layer.activation;
  push(operation);
  if (!fused) add_activation(operation, layer.activation, default_parameter(layer.activation));
}

void NetworkBuilder::add_activation(const Operation& like, Activation activation, float parameter) {
  Operation operation;
  operation.type = OperationType::kActivation;
  operation.name = like.name;
  operation.ordinal = like.ordinal;
  operation.input = value_;
  operation.inner = width_;
  operation.outer = width_;
  operation.activation = activation;
  operation.parameter = parameter;
  push(std::move(operation));
}

void NetworkBuilder::add_normalization(const LayerSpec& layer, Operation operation) {
  const std::string field = field_of(operation.name);
  if (!(layer.epsilon > 0.0f) || !std::isfinite(layer.epsilon)) {
    refuse(field + ".epsilon", "Expected `" + field + ".epsilon` to be a positive number but received " +
                                   std::to_string(layer.epsilon) + ".");
  }
  const bool batch = layer.type == LayerType::kBatchNormalization;
  operation.type = batch ? OperationType::kBatchNormalization : OperationType::kLayerNormalization;
  operation.epsilon = layer.epsilon;
  operation.gamma = add_tensor(operation.name + ".gamma", {width_}, {InitializerType::kOnes});
  operation.beta = add_tensor(operation.name + ".beta", {width_}, {InitializerType::kZeros});
  if (batch) {
    expect_share(field + ".momentum", layer.momentum, true);
    operation.momentum = layer.momentum;
    operation.moving_mean =
        add_tensor(operation.name + ".movingMean", {width_}, {InitializerType::kZeros}, false, false);
    operation.moving_variance =
        add_tensor(operation.name + ".movingVariance", {width_}, {InitializerType::kOnes}, false, false);
  }
  push(std::move(operation));
}

void NetworkBuilder::add_residual(const LayerSpec& layer, Operation operation) {
  const std::string field = field_of(operation.name);
  if (layer.layers.empty()) {
    refuse(field + ".layers", "Expected `" + field + ".layers` to hold at least one layer but received none.");
  }
  ++ordinal_;
  add_layers(layer.layers, operation.name + ".layers.");
  --ordinal_;
  if (width_ != operation.inner) {
    refuse(field + ".layers", "Expected the block `" + field + ".layers` to end with as many columns as it begins with (" +
                                  std::to_string(operation.inner) + ") but it ends with " + std::to_string(width_) +
                                  ".");
  }
  operation.type = OperationType::kAdd;
  operation.other = value_;
  push(std::move(operation));
}

void NetworkBuilder::add_embedding(const LayerSpec& layer, Operation operation) {
  const std::string field = field_of(operation.name);
  if (value_ != 0 || operation.name != "layers.0") refuse(field, "Expected `" + field + "`, an embedding, to be the first layer.");
  if (layer.tables.empty()) {
    refuse(field + ".tables", "Expected `" + field + ".tables` to hold at least one table but received none.");
  }
  expect_initializer(field + ".initializer", layer.kernel_initializer);
  operation.type = OperationType::kEmbedding;
  operation.tables = layer.tables;
  std::vector<bool> taken(width_);
  operation.outer = width_;
  for (std::size_t index = 0; index < layer.tables.size(); ++index) {
    const EmbeddingTable& table = layer.tables[index];
    const std::string at = field + ".tables[" + std::to_string(index) + "]";
    expect_size(at + ".categories", table.categories);
    expect_size(at + ".units", table.units);
    if (table.column >= width_ || taken[table.column]) {
      refuse(at + ".column", "Expected `" + at + ".column` to be a column of its own from 0 to " +
                                 std::to_string(width_ - 1) + " but received " + std::to_string(table.column) + ".");
    }
    taken[table.column] = true;
    operation.table_offsets.push_back(add_tensor(operation.name + ".tables." + std::to_string(index),
                                                 {table.categories, table.units}, layer.kernel_initializer));
    operation.outer += table.units - 1;
  }
  push(std::move(operation));
}

void NetworkBuilder::push(Operation operation) {
  width_ = operation.outer;
  operations.push_back(std::move(operation));
  value_ = operations.size();
}

std::size_t NetworkBuilder::add_tensor(const std::string& name, std::vector<std::size_t> shape,
                                       Initializer initializer, bool kernel, bool trainable) {
  // A layer's first tensor draws from the layer's number itself.
  std::uint32_t stream = static_cast<std::uint32_t>(ordinal_);
  for (const ParameterTensor& tensor : tensors) {
    if ((tensor.stream & 0xffffff) == ordinal_) stream += 1u << 24;
  }
  tensors.push_back({name, std::move(shape), 0, trainable, kernel, initializer, stream});
  const ParameterTensor& tensor = tensors.back();
  parameter_count += tensor.size();
  block_size += panel_size(tensor.rows(), tensor.columns());
  if (block_size > kParametersMax) {
    refuse("layers", "Expected `layers` to have at most 2147483648 parameters but received more.");
  }
  return tensors.size() - 1;
}

void NetworkBuilder::place_tensors() {
  std::size_t next = 0;
  for (const bool trainable : {true, false}) {
    for (ParameterTensor& tensor : tensors) {
      if (tensor.trainable != trainable) continue;
      tensor.offset = next;
      next += panel_size(tensor.rows(), tensor.columns());
    }
    if (trainable) trainable_size = next;
  }
  const auto place = [&](std::size_t& index) {
    if (index != kNone) index = tensors[index].offset;
  };
  for (Operation& operation : operations) {
    for (std::size_t* index : {&operation.kernel, &operation.bias, &operation.gamma, &operation.beta,
                               &operation.moving_mean, &operation.moving_variance, &operation.alpha}) {
      place(*index);
    }
    for (std::size_t& index : operation.table_offsets) place(index);
  }
}

}  // namespace millrace
