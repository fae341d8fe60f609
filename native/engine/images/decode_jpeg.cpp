#include "decode_jpeg.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "../error.h"
#include "jpeg_file.h"
#include "resampler.h"

namespace millrace {
namespace {

constexpr std::array<unsigned, 3> kDivisors = {8, 4, 2};
constexpr std::size_t kRowsAtOnce = 16;  // what the largest blocks of colours give at once

std::size_t pixels_of(ImageSize size) { return std::size_t{size.width} * size.height; }

}  // namespace

bool decode_jpeg(std::span<const std::uint8_t> bytes, const ImageForm& form, std::size_t pixels_max,
                 std::span<std::uint8_t> pixels) {
  JpegFile file(bytes);
  if (!file.is_rgb_or_grey()) return false;
  ImageSource source{file.size(), {}, 1, 1, turn_of(file.orientation())};
  if (pixels_of(source.size) > pixels_max) {
    refuse("content", "it has " + std::to_string(pixels_of(source.size)) + " pixels");
  }
  if (source.turn.transposed) std::swap(source.size.width, source.size.height);
  const unsigned divisor = early_shrink(source.size, form, kDivisors);
  source.scale_x = source.scale_y = 1.0 / divisor;
  source.stored = file.start(divisor);
  Resampler resampler(source, form);
  const std::size_t stride = std::size_t{source.stored.width} * 4 + Resampler::kBytesBeyondRow;
  const auto lines = std::make_unique_for_overwrite<std::uint8_t[]>(stride * kRowsAtOnce);
  std::array<std::uint8_t*, kRowsAtOnce> rows{};
  for (std::size_t i = 0; i < kRowsAtOnce; ++i) rows[i] = lines.get() + i * stride;
  for (std::size_t done = 0; done < resampler.rows_wanted();) {
    const std::size_t wanted = std::min<std::size_t>(kRowsAtOnce, resampler.rows_wanted() - done);
    std::size_t filled = 0;
    while (filled < wanted) filled += file.read(rows.data() + filled, wanted - filled);
    resampler.add_rows(lines.get(), stride, filled);
    done += filled;
  }
  resampler.finish(pixels);
  return true;
}

}  // namespace millrace
