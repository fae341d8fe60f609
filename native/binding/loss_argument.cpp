#include "loss_argument.h"

#include <limits>
#include <string>

#include "fields.h"

namespace millrace::binding {
namespace {

constexpr std::pair<const char*, Loss> kLosses[] = {{"meanSquaredError", Loss::kMeanSquaredError},
                                                    {"meanAbsoluteError", Loss::kMeanAbsoluteError},
                                                    {"huber", Loss::kHuber},
                                                    {"logCosh", Loss::kLogCosh},
                                                    {"binaryCrossEntropy", Loss::kBinaryCrossEntropy},
                                                    {"categoricalCrossEntropy", Loss::kCategoricalCrossEntropy},
                                                    {"hinge", Loss::kHinge},
                                                    {"kullbackLeibler", Loss::kKullbackLeibler},
                                                    {"poisson", Loss::kPoisson}};

std::vector<float> to_weights(const Napi::Value& value, const std::string& name) {
  if (!value.IsArray()) refuse_value(name, "an array of numbers", value);
  const Napi::Array array = value.As<Napi::Array>();
  // As many as a network may have outputs: the engine says how many this one has.
  std::vector<float> weights;
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    const Napi::Value weight = array.Get(index);
    if (!weight.IsNumber()) refuse_value(name + "[" + std::to_string(index) + "]", "a number", weight);
    weights.push_back(weight.As<Napi::Number>().FloatValue());
  }
  return weights;
}

}  // namespace

LossSpec to_loss(const Napi::Value& value) {
  if (value.IsString()) return to_choice(value.As<Napi::String>().Utf8Value(), "loss", kLosses);
  if (!value.IsObject()) refuse_value("loss", "the name of a loss, or an object with its type", value);
  const Fields fields(value, "loss");
  LossSpec loss = to_choice(fields, "type", kLosses);
  if (fields.has("delta")) {
    if (loss.type != Loss::kHuber) refuse("loss.delta", "Expected `loss.delta` for huber only.");
    loss.delta = fields.number("delta");
  }
  if (fields.has("labelSmoothing")) loss.label_smoothing = fields.number("labelSmoothing");
  if (fields.has("classWeights")) {
    loss.class_weights = to_weights(fields.value("classWeights"), fields.full_name("classWeights"));
    if (loss.class_weights.empty()) refuse("loss.classWeights", "Expected `loss.classWeights` to have a number a class.");
  }
  return loss;
}

}  // namespace millrace::binding
