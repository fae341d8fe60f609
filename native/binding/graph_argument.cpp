#include "graph_argument.h"

#include <cstdint>
#include <limits>
#include <string>

#include "activation_argument.h"
#include "fields.h"

namespace millrace::binding {
namespace {

constexpr std::uint64_t kGraphSizeMax = std::numeric_limits<std::uint32_t>::max();

constexpr std::pair<const char*, Datatype> kDatatypes[] = {
    {"bool", Datatype::kBool},         {"uint8", Datatype::kUint8},     {"uint16", Datatype::kUint16},
    {"uint32", Datatype::kUint32},     {"uint64", Datatype::kUint64},   {"int8", Datatype::kInt8},
    {"int16", Datatype::kInt16},       {"int32", Datatype::kInt32},     {"int64", Datatype::kInt64},
    {"float16", Datatype::kFloat16},   {"bfloat16", Datatype::kBfloat16}, {"float32", Datatype::kFloat32},
    {"float64", Datatype::kFloat64}};
constexpr std::pair<const char*, GraphStepType> kSteps[] = {
    {"dense", GraphStepType::kDense},           {"activation", GraphStepType::kActivation},
    {"prelu", GraphStepType::kPrelu},           {"scale", GraphStepType::kScale},
    {"clip", GraphStepType::kClip},             {"arithmetic", GraphStepType::kArithmetic},
    {"concatenate", GraphStepType::kConcatenate}, {"cast", GraphStepType::kCast}};
constexpr std::pair<const char*, Arithmetic> kArithmetic[] = {{"add", Arithmetic::kAdd},
                                                              {"subtract", Arithmetic::kSubtract},
                                                              {"multiply", Arithmetic::kMultiply},
                                                              {"divide", Arithmetic::kDivide}};

Napi::Array to_array(const Napi::Value& value, const std::string& name) {
  if (!value.IsArray()) refuse_value(name, "an array", value);
  return value.As<Napi::Array>();
}

std::vector<std::size_t> to_values(const Napi::Value& value, const std::string& name) {
  const Napi::Array array = to_array(value, name);
  std::vector<std::size_t> values;
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    values.push_back(to_integer(array.Get(index), name + "[" + std::to_string(index) + "]", 0, kGraphSizeMax));
  }
  return values;
}

std::span<const float> to_numbers(const Fields& step, const char* name) {
  const Napi::Value value = step.value(name);
  const bool floats = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
  if (!floats) refuse_value(step.full_name(name), "a Float32Array", value);
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.ElementLength()};
}

/// A bound of a clip, which may be infinite.
float to_bound(const Fields& step, const char* name) {
  const Napi::Value value = step.value(name);
  if (!value.IsNumber()) refuse_value(step.full_name(name), "a number", value);
  return value.As<Napi::Number>().FloatValue();
}

GraphStep to_step(const Fields& fields) {
  GraphStep step;
  step.type = to_choice(fields, "type", kSteps);
  step.inputs = to_values(fields.value("inputs"), fields.full_name("inputs"));
  switch (step.type) {
    case GraphStepType::kDense:
      step.units = fields.integer("units", 0, kGraphSizeMax);
      step.weights = to_numbers(fields, "kernel");
      step.transposed = fields.boolean("transposed");
      if (!fields.value("bias").IsNull()) step.bias = to_numbers(fields, "bias");
      step.activation = to_choice(fields, "activation", kActivations);
      break;
    case GraphStepType::kActivation:
      step.activation = to_choice(fields, "activation", kActivations);
      step.parameter = static_cast<float>(fields.number("parameter"));
      break;
    case GraphStepType::kPrelu:
      step.weights = to_numbers(fields, "alpha");
      break;
    case GraphStepType::kScale:
      step.weights = to_numbers(fields, "factor");
      step.bias = to_numbers(fields, "summand");
      break;
    case GraphStepType::kClip:
      step.lowest = to_bound(fields, "lowest");
      step.highest = to_bound(fields, "highest");
      break;
    case GraphStepType::kArithmetic:
      step.arithmetic = to_choice(fields, "operation", kArithmetic);
      step.reversed = fields.boolean("reversed");
      if (!fields.value("operand").IsNull()) step.weights = to_numbers(fields, "operand");
      break;
    case GraphStepType::kConcatenate:
      step.blocks = fields.integer("blocks", 1, kGraphSizeMax);
      break;
    case GraphStepType::kCast:
      step.datatype = to_choice(fields, "to", kDatatypes);
      break;
  }
  return step;
}

}  // namespace

GraphSpec to_graph_spec(const Napi::Value& value) {
  const Fields fields(value, "", "spec");
  GraphSpec spec;
  const Napi::Array inputs = to_array(fields.value("inputs"), "inputs");
  for (std::uint32_t index = 0; index < inputs.Length(); ++index) {
    const Fields input(inputs.Get(index), "inputs[" + std::to_string(index) + "]");
    spec.inputs.push_back({to_choice(input, "datatype", kDatatypes), input.integer("columns", 0, kGraphSizeMax)});
  }
  const Napi::Array steps = to_array(fields.value("steps"), "steps");
  for (std::uint32_t index = 0; index < steps.Length(); ++index) {
    spec.steps.push_back(to_step(Fields(steps.Get(index), "steps[" + std::to_string(index) + "]")));
  }
  spec.outputs = to_values(fields.value("outputs"), "outputs");
  return spec;
}

}  // namespace millrace::binding
