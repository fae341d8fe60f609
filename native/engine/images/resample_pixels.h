#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image_form.h"

namespace millrace {

/// Pixels that somebody else decoded, upright, resized: [form.size.height, form.size.width, form.channels].
/// `pixels`: [stored.height, stored.width, 3], of a picture of `size` that its decoder may have shrunk to `stored`.
std::vector<std::uint8_t> resample_pixels(std::span<const std::uint8_t> pixels, ImageSize stored, ImageSize size,
                                          const ImageForm& form);

}  // namespace millrace
