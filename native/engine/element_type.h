#pragma once

#include <cstddef>

namespace millrace {

/// How numbers of a dataset are stored. float16 is IEEE 754 binary16.
enum class ElementType { kUint8, kFloat16, kFloat32, kInt32 };

constexpr std::size_t size_of(ElementType type) {
  return type == ElementType::kUint8 ? 1 : type == ElementType::kFloat16 ? 2 : 4;
}

constexpr const char* name_of(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kFloat16:
      return "float16";
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kInt32:
      return "int32";
  }
  return "unknown";
}

}  // namespace millrace
