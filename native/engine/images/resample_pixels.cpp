#include "resample_pixels.h"

#include <algorithm>

#include "resampler.h"

namespace millrace {
namespace {

constexpr std::size_t kRowsAtOnce = 2;

}  // namespace

std::vector<std::uint8_t> resample_pixels(std::span<const std::uint8_t> pixels, ImageSize stored, ImageSize size,
                                          const ImageForm& form) {
  const std::size_t width = stored.width;
  Resampler resampler({size, stored, static_cast<double>(stored.width) / size.width,
                       static_cast<double>(stored.height) / size.height, {}},
                      form);
  const std::size_t stride = width * 4 + Resampler::kBytesBeyondRow;
  std::vector<std::uint8_t> rows(stride * kRowsAtOnce);
  for (std::size_t y = 0; y < resampler.rows_wanted(); y += kRowsAtOnce) {
    const std::size_t count = std::min<std::size_t>(kRowsAtOnce, resampler.rows_wanted() - y);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t* from = pixels.data() + (y + i) * width * 3;
      std::uint8_t* to = rows.data() + i * stride;
      for (std::size_t x = 0; x < width; ++x) std::copy_n(from + x * 3, 3, to + x * 4);
    }
    resampler.add_rows(rows.data(), stride, count);
  }
  std::vector<std::uint8_t> result(std::size_t{form.size.width} * form.size.height * form.channels);
  resampler.finish(result);
  return result;
}

}  // namespace millrace
