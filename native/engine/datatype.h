#pragma once

#include <cstddef>

namespace millrace {

/// Of a tensor that others hand over; what is computed with is float32. bool is a byte, float16 IEEE 754 binary16, bfloat16
/// the upper half of a float32.
enum class Datatype {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBfloat16,
  kFloat32,
  kFloat64,
};

constexpr std::size_t size_of(Datatype type) {
  switch (type) {
    case Datatype::kBool:
    case Datatype::kUint8:
    case Datatype::kInt8:
      return 1;
    case Datatype::kUint16:
    case Datatype::kInt16:
    case Datatype::kFloat16:
    case Datatype::kBfloat16:
      return 2;
    case Datatype::kUint32:
    case Datatype::kInt32:
    case Datatype::kFloat32:
      return 4;
    case Datatype::kUint64:
    case Datatype::kInt64:
    case Datatype::kFloat64:
      return 8;
  }
  return 0;
}

}  // namespace millrace
