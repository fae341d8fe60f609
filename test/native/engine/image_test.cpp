#include "engine/images/decode_jpeg.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>

#include "check.h"
#include "engine/error.h"
#include "engine/images/exif_orientation.h"
#include "engine/images/resample_pixels.h"
#include "engine/images/resampler.h"
#include "engine/random.h"

namespace millrace::test {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kPixelsMax = 64'000'000;

Bytes encoded(unsigned width, unsigned height, bool progressive) {
  jpeg_compress_struct file{};
  jpeg_error_mgr errors{};
  file.err = jpeg_std_error(&errors);
  jpeg_create_compress(&file);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&file, &memory, &size);
  file.image_width = width;
  file.image_height = height;
  file.input_components = 3;
  file.in_color_space = JCS_RGB;
  jpeg_set_defaults(&file);
  if (progressive) jpeg_simple_progression(&file);
  jpeg_start_compress(&file, TRUE);
  Bytes row(width * 3);
  for (unsigned y = 0; y < height; ++y) {
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::uint8_t>(i * 5 ^ y * 9);
    JSAMPROW rows[] = {row.data()};
    jpeg_write_scanlines(&file, rows, 1);
  }
  jpeg_finish_compress(&file);
  jpeg_destroy_compress(&file);
  Bytes result(memory, memory + size);
  std::free(memory);
  return result;
}

/// Whether it was decoded; an error of the engine is as good.
bool decodes(const Bytes& file, const ImageForm& form) {
  try {
    Bytes pixels(std::size_t{form.size.width} * form.size.height * form.channels);
    return decode_jpeg(file, form, kPixelsMax, pixels);
  } catch (const Error& error) {
    CHECK(error.field() == "content" || error.field() == "size");
    return false;
  }
}

}  // namespace

TEST("a JPEG file that is cut off or changed anywhere is decoded or refused") {
  const ImageForm form{{16, 12}, 3, ImageFit::kCover, ImageFilter::kBilinear};
  for (const bool progressive : {false, true}) {
    const Bytes whole = encoded(45, 37, progressive);
    CHECK(decodes(whole, form));
    for (std::size_t size = 0; size + 40 < whole.size(); size += 37) {
      CHECK(!decodes(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), form));
    }
    Random random(7, RandomPurpose::kSampling, progressive);
    for (int trial = 0; trial < 1500; ++trial) {
      Bytes changed = whole;
      for (std::uint32_t k = random.below(4); k < 4; ++k) {
        // Mostly where the tables and sizes are.
        const std::uint32_t range = static_cast<std::uint32_t>(k % 2 == 0 ? changed.size() : 200);
        changed[random.below(range)] = static_cast<std::uint8_t>(random.below(256));
      }
      decodes(changed, form);
    }
  }
}

TEST("every fit, filter and turn stays within its pixels") {
  Bytes pixels(31 * 23 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 7);
  for (const auto fit : {ImageFit::kFill, ImageFit::kCover, ImageFit::kContain, ImageFit::kCrop}) {
    for (const auto filter :
         {ImageFilter::kNearest, ImageFilter::kBilinear, ImageFilter::kBicubic, ImageFilter::kLanczos}) {
      for (const ImageSize size : {ImageSize{1, 1}, ImageSize{5, 40}, ImageSize{64, 3}, ImageSize{31, 23}}) {
        for (const std::uint32_t side : {0u, 1u, 50u}) {
          const ImageForm form{size, 1, fit, filter, fit == ImageFit::kCrop ? side : 0};
          CHECK(resample_pixels(pixels, {31, 23}, {31, 23}, form).size() == std::size_t{size.width} * size.height);
          CHECK(resample_pixels(pixels, {31, 23}, {310, 229}, form).size() == std::size_t{size.width} * size.height);
        }
      }
    }
  }
}

TEST("an orientation is read in either byte order, and nothing beyond the end") {
  const Bytes little = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0};
  const Bytes big = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0};
  CHECK(exif_orientation(little) == 6);
  CHECK(exif_orientation(big) == 8);
  for (std::size_t size = 0; size < little.size() - 2; ++size) {
    CHECK(exif_orientation(std::span(little).first(size)) == 1 || size >= 20);
  }
  Bytes outside = little;
  outside[7] = 0xff;
  CHECK(exif_orientation(outside) == 1);
}

}  // namespace millrace::test
