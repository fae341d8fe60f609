#include "examples_argument.h"

#include <limits>
#include <string>

#include "fields.h"

namespace millrace::binding {
namespace {

bool is_array(const Napi::Value& value, napi_typedarray_type type, std::size_t length) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type &&
         value.As<Napi::TypedArray>().ElementLength() == length;
}

}  // namespace

ExamplesArgument to_examples(const Napi::Value& value, const Network& network, const LossSpec& loss) {
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
  examples.target_classes = has_classes(loss.type) && is_array(targets, napi_int32_array, examples.rows);
  if (examples.target_classes) {
    examples.targets = targets.As<Napi::Int32Array>().Data();
  } else if (has_classes(loss.type) && !is_array(targets, napi_float32_array, examples.rows * network.outputs())) {
    refuse_value("targets", "an Int32Array of " + std::to_string(examples.rows) + " elements or a Float32Array of " +
                                std::to_string(examples.rows * network.outputs()) + " elements",
                 targets);
  } else {
    examples.targets = to_floats(targets, "targets", examples.rows * network.outputs()).Data();
  }
  const Napi::Value weights = fields.value("weights");
  if (!weights.IsUndefined()) examples.weights = to_floats(weights, "weights", examples.rows).Data();
  return {examples, features, targets, weights};
}

}  // namespace millrace::binding
