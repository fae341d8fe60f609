#pragma once

#include <cstdint>
#include <span>

namespace millrace {

/// The orientation, 1 to 8, that an EXIF block tells (a TIFF header and its first directory, EXIF 2.32, 4.5); 1 where it tells
/// none, or cannot be read.
unsigned exif_orientation(std::span<const std::uint8_t> tiff);

}  // namespace millrace
