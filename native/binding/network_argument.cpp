#include "network_argument.h"

#include <limits>
#include <string>

#include "fields.h"
#include "initializer_argument.h"

namespace millrace::binding {
namespace {

constexpr std::pair<const char*, Activation> kActivations[] = {{"linear", Activation::kLinear},
                                                               {"sigmoid", Activation::kSigmoid},
                                                               {"tanh", Activation::kTanh},
                                                               {"relu", Activation::kRelu},
                                                               {"softmax", Activation::kSoftmax}};

}  // namespace

NetworkSpec to_network_spec(const Napi::Value& value) {
  constexpr std::uint64_t kSizeMax = std::numeric_limits<std::uint32_t>::max();
  const Fields fields(value, "", "spec");
  NetworkSpec spec{fields.integer("inputs", 0, kSizeMax), {}};
  const Napi::Value layers = fields.value("layers");
  if (!layers.IsArray()) refuse_value("layers", "an array", layers);
  const Napi::Array array = layers.As<Napi::Array>();
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    const Fields layer(array.Get(index), "layers[" + std::to_string(index) + "]");
    spec.layers.push_back({layer.integer("units", 0, kSizeMax), to_choice(layer, "activation", kActivations),
                           to_initializer(layer, "kernelInitializer")});
  }
  return spec;
}

}  // namespace millrace::binding
