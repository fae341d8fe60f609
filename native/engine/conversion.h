#pragma once

#include <cstddef>

#include "datatype.h"

namespace millrace {

/// Converts `count` numbers that lie side by side, anywhere in memory.
///   to bool            everything but 0 is true, NaN too
///   integer to integer the low bits, as two's complement
///   to integer         towards zero; what does not fit becomes the nearest end, NaN 0
///   to a float         the nearest, ties to even, what is too large infinity; to the 16-bit ones by way of float32
using Conversion = void (*)(const std::byte* from, std::byte* to, std::size_t count);

Conversion conversion(Datatype from, Datatype to);

}  // namespace millrace
