#include "elements.h"

#include <optional>

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

template <typename Array>
Elements in_array(const Napi::Value& value, ElementType type) {
  const auto array = value.As<Array>();
  return {type, array.Data(), array.ElementLength()};
}

std::optional<Elements> elements_of(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
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
  const std::optional<Elements> elements = elements_of(value);
  return elements && elements->type == type && elements->length == length;
}

const void* to_elements(const Napi::Value& value, const std::string& name, ElementType type, std::size_t length) {
  if (!holds(value, type, length)) {
    refuse_value(name, "a " + std::string(array_name(type)) + " of " + std::to_string(length) + " elements", value);
  }
  return elements_of(value)->data;
}

}  // namespace millrace::binding
