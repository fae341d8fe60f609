#include "examples_argument.h"

#include <limits>
#include <string>

#include "fields.h"

namespace millrace::binding {

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
