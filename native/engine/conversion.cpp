#include "conversion.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace millrace {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are little-endian");

struct Bool {
  std::uint8_t byte;
};

struct Float16 {
  std::uint16_t bits;
};

struct Bfloat16 {
  std::uint16_t bits;
};

float to_float(Float16 half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (half.bits >> 10) & 31u;
  const std::uint32_t mantissa = half.bits & 0x3ffu;
  if (exponent == 0) {
    const float size = static_cast<float>(mantissa) * 0x1p-24f;
    return sign == 0 ? size : -size;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

float to_float(Bfloat16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }

Float16 to_float16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t size = bits & 0x7fffffffu;
  std::uint32_t half;
  if (size > 0x7f800000u) {
    half = 0x7e00u;
  } else if (size >= 0x477ff000u) {
    half = 0x7c00u;  // from 65520 on
  } else if (size < 0x38800000u) {
    // Below 2^-14 a half counts in steps of 2^-24, as float32 does just above 1/2.
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0.5f) - std::bit_cast<std::uint32_t>(0.5f);
  } else {
    half = (size + 0xfffu + (size >> 13 & 1u) - (112u << 23)) >> 13;
  }
  return {static_cast<std::uint16_t>(sign | half)};
}

Bfloat16 to_bfloat16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

template <typename To, typename From>
To converted(From value) {
  if constexpr (std::is_same_v<From, Bool>) {
    return converted<To>(static_cast<std::uint8_t>(value.byte != 0));
  } else if constexpr (std::is_same_v<From, Float16> || std::is_same_v<From, Bfloat16>) {
    return converted<To>(to_float(value));
  } else if constexpr (std::is_same_v<To, Bool>) {
    return {static_cast<std::uint8_t>(value != From{0})};
  } else if constexpr (std::is_same_v<To, Float16>) {
    return to_float16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, Bfloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    // The ends as `From` are exact or one too many: either way all below is in range.
    if (value >= static_cast<From>(Limits::max())) return Limits::max();
    if (value <= static_cast<From>(Limits::min())) return Limits::min();
    return value == value ? static_cast<To>(value) : To{0};
  } else {
    return static_cast<To>(value);
  }
}

template <typename From, typename To>
void convert(const std::byte* from, std::byte* to, std::size_t count) {
  for (std::size_t index = 0; index < count; ++index) {
    From value;
    std::memcpy(&value, from + index * sizeof(From), sizeof(From));
    const To result = converted<To>(value);
    std::memcpy(to + index * sizeof(To), &result, sizeof(To));
  }
}

template <typename From>
Conversion conversion_from(Datatype to) {
  switch (to) {
    case Datatype::kBool:
      return convert<From, Bool>;
    case Datatype::kUint8:
      return convert<From, std::uint8_t>;
    case Datatype::kUint16:
      return convert<From, std::uint16_t>;
    case Datatype::kUint32:
      return convert<From, std::uint32_t>;
    case Datatype::kUint64:
      return convert<From, std::uint64_t>;
    case Datatype::kInt8:
      return convert<From, std::int8_t>;
    case Datatype::kInt16:
      return convert<From, std::int16_t>;
    case Datatype::kInt32:
      return convert<From, std::int32_t>;
    case Datatype::kInt64:
      return convert<From, std::int64_t>;
    case Datatype::kFloat16:
      return convert<From, Float16>;
    case Datatype::kBfloat16:
      return convert<From, Bfloat16>;
    case Datatype::kFloat32:
      return convert<From, float>;
    case Datatype::kFloat64:
      return convert<From, double>;
  }
  return nullptr;
}

}  // namespace

Conversion conversion(Datatype from, Datatype to) {
  switch (from) {
    case Datatype::kBool:
      return conversion_from<Bool>(to);
    case Datatype::kUint8:
      return conversion_from<std::uint8_t>(to);
    case Datatype::kUint16:
      return conversion_from<std::uint16_t>(to);
    case Datatype::kUint32:
      return conversion_from<std::uint32_t>(to);
    case Datatype::kUint64:
      return conversion_from<std::uint64_t>(to);
    case Datatype::kInt8:
      return conversion_from<std::int8_t>(to);
    case Datatype::kInt16:
      return conversion_from<std::int16_t>(to);
    case Datatype::kInt32:
      return conversion_from<std::int32_t>(to);
    case Datatype::kInt64:
      return conversion_from<std::int64_t>(to);
    case Datatype::kFloat16:
      return conversion_from<Float16>(to);
    case Datatype::kBfloat16:
      return conversion_from<Bfloat16>(to);
    case Datatype::kFloat32:
      return conversion_from<float>(to);
    case Datatype::kFloat64:
      return conversion_from<double>(to);
  }
  return nullptr;
}

}  // namespace millrace
