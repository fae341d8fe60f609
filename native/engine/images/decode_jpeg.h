#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "image_form.h"

namespace millrace {

/// Writes the pixels of a JPEG file, turned as its EXIF orientation says and resized: `pixels` [form.size.height,
/// form.size.width, form.channels]. False for colours that libjpeg-turbo does not turn into RGB (CMYK). Files more than six
/// times as large as the size asked for are decoded smaller, see `early_shrink`.
/// Refuses files that are broken or have more than `pixels_max` pixels (`content`), and another size where the form asks for
/// exactly one (`size`).
bool decode_jpeg(std::span<const std::uint8_t> file, const ImageForm& form, std::size_t pixels_max,
                 std::span<std::uint8_t> pixels);

}  // namespace millrace
