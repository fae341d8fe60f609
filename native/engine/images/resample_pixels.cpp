#include "resample_pixels.h"

#include "resampler.h"

namespace millrace {

std::vector<std::uint8_t> resample_pixels(std::span<const std::uint8_t> pixels, ImageSize stored, ImageSize size,
                                          const ImageForm& form) {
  const std::size_t width = stored.width;
  Resampler resampler({size, stored, static_cast<double>(stored.width) / size.width,
                       static_cast<double>(stored.height) / size.height, {}},
                      form);
  std::vector<std::uint8_t> row((width + 1) * 4);
  for (std::size_t y = 0; y < resampler.rows_wanted(); ++y) {
    const std::uint8_t* from = pixels.data() + y * width * 3;
    for (std::size_t x = 0; x < width; ++x) {
      for (std::size_t channel = 0; channel < 3; ++channel) row[x * 4 + channel] = from[x * 3 + channel];
    }
    resampler.add_row(row.data());
  }
  std::vector<std::uint8_t> result(std::size_t{form.size.width} * form.size.height * form.channels);
  resampler.finish(result);
  return result;
}

}  // namespace millrace
