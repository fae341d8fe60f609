#pragma once

#include <cstdint>

namespace millrace {

struct ImageSize {
  std::uint32_t width;
  std::uint32_t height;

  bool operator==(const ImageSize&) const = default;
};

/// How an image of another size becomes one of the size asked for.
enum class ImageFit {
  kExact,    // not at all: it is refused
  kFill,     // stretched
  kCover,    // the largest middle part of the right shape, resized (Pillow's ImageOps.fit)
  kContain,  // resized as a whole, black beside it (Pillow's ImageOps.pad)
  kCrop,     // the short side resized, then the middle cut out (torchvision's Resize and CenterCrop)
};

enum class ImageFilter { kNearest, kBilinear, kBicubic, kLanczos };

/// What is wanted of an image: [size.height, size.width, channels] bytes.
struct ImageForm {
  ImageSize size;
  unsigned channels;  // 1: grey (ITU-R 601 luma); 3: red, green, blue
  ImageFit fit;
  ImageFilter filter;
  std::uint32_t short_side = 0;  // kCrop: of the image before it is cut; 0 leaves it as it is
};

}  // namespace millrace
