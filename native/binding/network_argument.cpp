#include "network_argument.h"

#include <limits>
#include <string>

#include "activation_argument.h"
#include "fields.h"
#include "initializer_argument.h"

namespace millrace::binding {
namespace {

constexpr std::uint64_t kSizeMax = std::numeric_limits<std::uint32_t>::max();
/// Residual blocks within residual blocks: a limit, so that a spec cannot exhaust the stack.
constexpr int kDepthMax = 32;
/// Layers in all, those of blocks included: objects can stand in a spec many times, so that a small one unfolds to a
/// very large one.
constexpr std::size_t kLayersMax = 4096;

constexpr std::pair<const char*, LayerType> kLayers[] = {{"dense", LayerType::kDense},
                                                         {"activation", LayerType::kActivation},
                                                         {"prelu", LayerType::kPrelu},
                                                         {"dropout", LayerType::kDropout},
                                                         {"batchNormalization", LayerType::kBatchNormalization},
                                                         {"layerNormalization", LayerType::kLayerNormalization},
                                                         {"residual", LayerType::kResidual},
                                                         {"embedding", LayerType::kEmbedding}};

float number_or(const Fields& fields, const char* name, float otherwise) {
  return fields.has(name) ? static_cast<float>(fields.number(name)) : otherwise;
}

Initializer initializer_or(const Fields& fields, const char* name, Initializer otherwise) {
  return fields.has(name) ? to_initializer(fields, name) : otherwise;
}

std::vector<EmbeddingTable> to_tables(const Fields& layer) {
  const std::string name = layer.full_name("tables");
  const Napi::Value value = layer.value("tables");
  if (!value.IsArray()) refuse_value(name, "an array", value);
  std::vector<EmbeddingTable> tables;
  for (std::uint32_t index = 0; index < value.As<Napi::Array>().Length(); ++index) {
    const Fields table(value.As<Napi::Array>().Get(index), name + "[" + std::to_string(index) + "]");
    table.expect_only({"column", "categories", "units"});
    tables.push_back({table.integer("column", 0, kSizeMax), table.integer("categories", 0, kSizeMax),
                      table.integer("units", 0, kSizeMax)});
  }
  return tables;
}

/// Where the reader of a spec is.
struct Progress {
  int depth;
  std::size_t& layers;  // so far, in all
};

std::vector<LayerSpec> to_layers(const Napi::Value& value, const std::string& name, Progress);

LayerSpec to_layer(const Fields& fields, Progress progress) {
  LayerSpec layer;
  layer.type = to_choice(fields, "type", kLayers);
  switch (layer.type) {
    case LayerType::kDense:
      fields.expect_only({"type", "units", "activation", "useBias", "kernelInitializer", "biasInitializer"});
      layer.units = fields.integer("units", 0, kSizeMax);
      if (fields.has("activation")) layer.activation = to_choice(fields, "activation", kActivations);
      if (fields.has("useBias")) layer.use_bias = fields.boolean("useBias");
      layer.kernel_initializer = initializer_or(fields, "kernelInitializer", {InitializerType::kGlorotUniform});
      layer.bias_initializer = initializer_or(fields, "biasInitializer", {InitializerType::kZeros});
      break;
    case LayerType::kActivation: {
      layer.activation = to_choice(fields, "activation", kActivations);
      const char* parameter = layer.activation == Activation::kLeakyRelu ? "negativeSlope"
                              : layer.activation == Activation::kElu     ? "alpha"
                                                                         : "activation";
      fields.expect_only({"type", "activation", parameter});
      layer.parameter = default_parameter(layer.activation);
      if (layer.parameter != 0.0f) layer.parameter = number_or(fields, parameter, layer.parameter);
      break;
    }
    case LayerType::kPrelu:
      fields.expect_only({"type", "alphaInitializer"});
      layer.kernel_initializer = initializer_or(fields, "alphaInitializer", {InitializerType::kZeros});
      break;
    case LayerType::kDropout:
      fields.expect_only({"type", "rate"});
      layer.rate = static_cast<float>(fields.number("rate"));
      break;
    case LayerType::kBatchNormalization:
      fields.expect_only({"type", "momentum", "epsilon"});
      layer.momentum = number_or(fields, "momentum", 0.99f);
      layer.epsilon = number_or(fields, "epsilon", 1e-3f);
      break;
    case LayerType::kLayerNormalization:
      fields.expect_only({"type", "epsilon"});
      layer.epsilon = number_or(fields, "epsilon", 1e-3f);
      break;
    case LayerType::kResidual:
      fields.expect_only({"type", "layers"});
      layer.layers = to_layers(fields.value("layers"), fields.full_name("layers"),
                               {progress.depth + 1, progress.layers});
      break;
    case LayerType::kEmbedding:
      fields.expect_only({"type", "tables", "initializer"});
      layer.tables = to_tables(fields);
      layer.kernel_initializer = initializer_or(fields, "initializer", {InitializerType::kUniform, 0.05f});
      break;
  }
  return layer;
}

std::vector<LayerSpec> to_layers(const Napi::Value& value, const std::string& name, Progress progress) {
  if (!value.IsArray()) refuse_value(name, "an array", value);
  if (progress.depth > kDepthMax) {
    refuse(name, "Expected residual blocks to be nested at most " + std::to_string(kDepthMax) + " deep.");
  }
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<LayerSpec> layers;
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    if (++progress.layers > kLayersMax) {
      refuse(name, "Expected a network of at most " + std::to_string(kLayersMax) + " layers.");
    }
    layers.push_back(to_layer(Fields(array.Get(index), name + "[" + std::to_string(index) + "]"), progress));
  }
  return layers;
}

}  // namespace

NetworkSpec to_network_spec(const Napi::Value& value) {
  const Fields fields(value, "", "spec");
  fields.expect_only({"inputs", "layers"});
  std::size_t layers = 0;
  return {fields.integer("inputs", 0, kSizeMax), to_layers(fields.value("layers"), "layers", {0, layers})};
}

}  // namespace millrace::binding
