#include "elements.h"

#include <memory>
#include <optional>

#include "engine/error.h"
#include "fields.h"

namespace millrace::binding {
namespace {

const char* array_name(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return "Uint8Array";
    case ElementType::kFloat16:
      return "Uint16Array";
    case ElementType::kFloat32:
      return "Float32Array";
    case ElementType::kInt32:
      return "Int32Array";
  }
  return "typed array";
}

/// Numbers and where they lie.
struct Elements {
  ElementType type;
  const void* data;
  std::size_t length;
  std::shared_ptr<MappedState> mapped;  // null for an array
};

template <typename Array>
Elements in_array(const Napi::Value& value, ElementType type) {
  const auto array = value.As<Array>();
  return {type, array.Data(), array.ElementLength(), nullptr};
}

std::optional<Elements> in_file(const Napi::Value& value, const std::string& name) {
  if (!value.IsObject()) return {};
  const auto region = value.As<Napi::Object>();
  const std::shared_ptr<MappedState> state = MappedArrayObject::state_of(region.Get("mapped"));
  if (!state) return {};
  if (!state->file) throw Error(ErrorCode::kFailedPrecondition, name, "The mapped array `" + name + "` has been closed.");
  const std::uint64_t first = to_integer(region.Get("first"), name + ".first", 0, state->length());
  const std::uint64_t length = to_integer(region.Get("length"), name + ".length", 0, state->length() - first);
  return Elements{state->type, state->file->data() + first * size_of(state->type), length, state};
}

std::optional<Elements> elements_of(const Napi::Value& value, const std::string& name) {
  if (!value.IsTypedArray()) return in_file(value, name);
  switch (value.As<Napi::TypedArray>().TypedArrayType()) {
    case napi_uint8_array:
      return in_array<Napi::Uint8Array>(value, ElementType::kUint8);
    case napi_uint16_array:
      return in_array<Napi::Uint16Array>(value, ElementType::kFloat16);
    case napi_float32_array:
      return in_array<Napi::Float32Array>(value, ElementType::kFloat32);
    case napi_int32_array:
      return in_array<Napi::Int32Array>(value, ElementType::kInt32);
    default:
      return {};
  }
}

}  // namespace

bool holds(const Napi::Value& value, ElementType type, std::size_t length) {
  const std::optional<Elements> elements = elements_of(value, "data");
  return elements && elements->type == type && elements->length == length;
}

const void* to_elements(const Napi::Value& value, const std::string& name, ElementType type, std::size_t length,
                        std::vector<MappedUse>& uses) {
  const std::optional<Elements> elements = elements_of(value, name);
  if (!elements || elements->type != type || elements->length != length) {
    const std::string expected = "a " + std::string(array_name(type)) + " of " + std::to_string(length) + " elements";
    if (!elements || !elements->mapped) refuse_value(name, expected, value);
    refuse(name, "Expected `" + name + "` to be " + expected + " but received a MappedArray of " +
                     std::to_string(elements->length) + " " + name_of(elements->type) + " elements.");
  }
  if (elements->mapped) {
    elements->mapped->file->expect_whole(name);
    uses.emplace_back(elements->mapped);
  }
  return elements->data;
}

}  // namespace millrace::binding
