#include "arguments.h"

#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "engine/error.h"

namespace millrace::binding {
namespace {

template <typename Value>
using Choices = std::span<const std::pair<const char*, Value>>;

constexpr std::pair<const char*, Activation> kActivations[] = {{"linear", Activation::kLinear},
                                                               {"sigmoid", Activation::kSigmoid},
                                                               {"tanh", Activation::kTanh},
                                                               {"relu", Activation::kRelu},
                                                               {"softmax", Activation::kSoftmax}};
constexpr std::pair<const char*, Initializer> kInitializers[] = {{"glorotUniform", Initializer::kGlorotUniform},
                                                                 {"glorotNormal", Initializer::kGlorotNormal},
                                                                 {"heUniform", Initializer::kHeUniform},
                                                                 {"heNormal", Initializer::kHeNormal},
                                                                 {"zeros", Initializer::kZeros}};
constexpr std::pair<const char*, Loss> kLosses[] = {{"meanSquaredError", Loss::kMeanSquaredError},
                                                    {"binaryCrossEntropy", Loss::kBinaryCrossEntropy},
                                                    {"categoricalCrossEntropy", Loss::kCategoricalCrossEntropy}};
constexpr std::pair<const char*, OptimizerType> kOptimizers[] = {{"gradientDescent", OptimizerType::kGradientDescent},
                                                                 {"sgd", OptimizerType::kSgd},
                                                                 {"adam", OptimizerType::kAdam}};

template <typename Value, std::size_t count>
Value to_choice(const Fields& fields, const char* name, const std::pair<const char*, Value> (&choices)[count]) {
  const std::string text = fields.text(name);
  std::string names;
  for (const auto& [choice, value] : choices) {
    if (text == choice) return value;
    names += (names.empty() ? "" : ", ") + std::string(choice);
  }
  const std::string full_name = fields.full_name(name);
  refuse(full_name, "Expected `" + full_name + "` to be one of " + names + " but received \"" + text + "\".");
}

[[noreturn]] void refuse_value(const std::string& name, const std::string& expected, const Napi::Value& value) {
  refuse(name, "Expected `" + name + "` to be " + expected + " but received " + received(value) + ".");
}

std::string number_text(double number) {
  if (std::isfinite(number) && number == std::floor(number) && std::abs(number) < 1e15) {
    return std::to_string(static_cast<long long>(number));
  }
  return std::to_string(number);
}

}  // namespace

std::string received(const Napi::Value& value) {
  if (value.IsEmpty() || value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsNumber()) return number_text(value.As<Napi::Number>().DoubleValue());
  if (value.IsString()) return "\"" + value.As<Napi::String>().Utf8Value() + "\"";
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? "true" : "false";
  if (value.IsTypedArray()) {
    return "a typed array of " + std::to_string(value.As<Napi::TypedArray>().ElementLength()) +
           " elements of another type or length";
  }
  if (value.IsArray()) return "an array";
  if (value.IsFunction()) return "a function";
  return "an object";
}

Fields::Fields(const Napi::Value& value, std::string path, const char* argument) : path_(std::move(path)) {
  if (!value.IsObject() || value.IsArray() || value.IsTypedArray() || value.IsFunction()) {
    refuse_value(path_.empty() ? argument : path_, "an object", value);
  }
  object_ = value.As<Napi::Object>();
}

std::string Fields::full_name(const char* name) const { return path_.empty() ? name : path_ + "." + name; }

Napi::Value Fields::value(const char* name) const { return object_.Get(name); }

double Fields::number(const char* name) const {
  const Napi::Value field = value(name);
  if (!field.IsNumber() || !std::isfinite(field.As<Napi::Number>().DoubleValue())) {
    refuse_value(full_name(name), "a finite number", field);
  }
  return field.As<Napi::Number>().DoubleValue();
}

std::uint64_t Fields::integer(const char* name, std::uint64_t lowest, std::uint64_t highest) const {
  return to_integer(value(name), full_name(name), lowest, highest);
}

bool Fields::boolean(const char* name) const {
  const Napi::Value field = value(name);
  if (!field.IsBoolean()) refuse_value(full_name(name), "true or false", field);
  return field.As<Napi::Boolean>().Value();
}

std::string Fields::text(const char* name) const {
  const Napi::Value field = value(name);
  if (!field.IsString()) refuse_value(full_name(name), "a string", field);
  return field.As<Napi::String>().Utf8Value();
}

std::uint64_t to_integer(const Napi::Value& value, const std::string& name, std::uint64_t lowest,
                         std::uint64_t highest) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(lowest) && number <= static_cast<double>(highest)) ||
      number != std::floor(number)) {
    refuse_value(name, "an integer from " + std::to_string(lowest) + " to " + std::to_string(highest), value);
  }
  return static_cast<std::uint64_t>(number);
}

Napi::Float32Array to_floats(const Napi::Value& value, const std::string& name, std::size_t size) {
  const bool floats = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
  if (!floats || value.As<Napi::TypedArray>().ElementLength() != size) {
    refuse_value(name, "a Float32Array of " + std::to_string(size) + " elements", value);
  }
  return value.As<Napi::Float32Array>();
}

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
                           to_choice(layer, "kernelInitializer", kInitializers)});
  }
  return spec;
}

TrainerOptions to_trainer_options(const Napi::Value& value) {
  const Fields fields(value, "", "options");
  const Fields optimizer(fields.value("optimizer"), "optimizer");
  TrainerOptions options{};
  options.loss = to_choice(fields, "loss", kLosses);
  options.optimizer.type = to_choice(optimizer, "type", kOptimizers);
  options.optimizer.learning_rate = static_cast<float>(optimizer.number("learningRate"));
  if (options.optimizer.type == OptimizerType::kSgd) {
    options.optimizer.momentum = static_cast<float>(optimizer.number("momentum"));
    options.optimizer.nesterov = optimizer.boolean("nesterov");
  }
  if (options.optimizer.type == OptimizerType::kAdam) {
    options.optimizer.beta1 = static_cast<float>(optimizer.number("beta1"));
    options.optimizer.beta2 = static_cast<float>(optimizer.number("beta2"));
    options.optimizer.epsilon = static_cast<float>(optimizer.number("epsilon"));
  }
  const Napi::Value batch_size = fields.value("batchSize");
  const bool full = batch_size.IsString() && batch_size.As<Napi::String>().Utf8Value() == "full";
  options.batch_size = full ? 0 : fields.integer("batchSize", 1, std::numeric_limits<std::uint32_t>::max());
  options.seed = fields.integer("seed", 0, kSafeInteger);
  options.threads = static_cast<unsigned>(fields.integer("threads", 0, std::numeric_limits<std::int32_t>::max()));
  return options;
}

ExamplesArgument to_examples(const Napi::Value& value, const Network& network, Loss loss) {
  const Fields fields(value, "", "examples");
  Examples examples{};
  examples.rows = fields.integer("rows", 1, std::numeric_limits<std::uint32_t>::max());
  examples.columns = network.inputs();
  examples.scale = static_cast<float>(fields.number("scale"));
  examples.offset = static_cast<float>(fields.number("offset"));
  const Napi::Value features = fields.value("features");
  const std::size_t count = examples.rows * examples.columns;
  examples.bytes = features.IsTypedArray() && features.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
  if (examples.bytes) {
    if (features.As<Napi::TypedArray>().ElementLength() != count) {
      refuse_value("features", "a Uint8Array or Float32Array of " + std::to_string(count) + " elements", features);
    }
    examples.features = features.As<Napi::Uint8Array>().Data();
  } else {
    examples.features = to_floats(features, "features", count).Data();
  }
  const Napi::Value targets = fields.value("targets");
  if (takes_labels(loss)) {
    if (!targets.IsTypedArray() || targets.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array ||
        targets.As<Napi::TypedArray>().ElementLength() != examples.rows) {
      refuse_value("targets", "an Int32Array of " + std::to_string(examples.rows) + " elements", targets);
    }
    examples.targets = targets.As<Napi::Int32Array>().Data();
  } else {
    examples.targets = to_floats(targets, "targets", examples.rows * network.outputs()).Data();
  }
  return {examples, features, targets};
}

}  // namespace millrace::binding
