#include "exif_orientation.h"

#include <cstddef>

namespace millrace {
namespace {

constexpr std::uint32_t kOrientation = 0x0112, kShort = 3;

/// Whole numbers of either byte order; 0 beyond the end.
class TiffBytes {
 public:
  explicit TiffBytes(std::span<const std::uint8_t> bytes)
      : bytes_(bytes), little_(bytes.size() >= 2 && bytes[0] == 'I' && bytes[1] == 'I') {}

  std::uint32_t number(std::size_t at, unsigned size) const {
    if (at + size > bytes_.size()) return 0;
    std::uint32_t result = 0;
    for (unsigned i = 0; i < size; ++i) result = result << 8 | bytes_[at + (little_ ? size - 1 - i : i)];
    return result;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool little_;
};

}  // namespace

unsigned exif_orientation(std::span<const std::uint8_t> tiff) {
  const TiffBytes bytes(tiff);
  if (bytes.number(2, 2) != 42) return 1;
  const std::size_t directory = bytes.number(4, 4);
  const std::uint32_t entries = bytes.number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (bytes.number(entry, 2) != kOrientation) continue;
    const std::uint32_t value = bytes.number(entry + 8, 2);
    return bytes.number(entry + 2, 2) == kShort && value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

}  // namespace millrace
