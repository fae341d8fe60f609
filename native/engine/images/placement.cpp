#include "placement.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace millrace {
namespace {

AxisPlacement whole(double begin, double end, std::uint32_t size) { return {begin, end, size, 0, size, 0}; }

// Halves to the even neighbour, as Python rounds.
std::uint32_t rounded(double value) { return static_cast<std::uint32_t>(std::nearbyint(value)); }

// ImageOps.fit, in its order of operations: the last bit decides which pixels have a share.
Placement cover(ImageSize source, ImageSize target) {
  const double width = source.width, height = source.height;
  const double ratio = width / height;
  const double wanted = static_cast<double>(target.width) / target.height;
  double across = width, down = height;
  if (ratio > wanted) across = wanted * height;
  if (ratio < wanted) down = width / wanted;
  const double left = (width - across) * 0.5, top = (height - down) * 0.5;
  return {whole(left, left + across, target.width), whole(top, top + down, target.height)};
}

AxisPlacement contained(double length, std::uint32_t scaled, std::uint32_t target) {
  const std::uint32_t size = std::clamp(scaled, 1u, target);
  return {0, length, size, 0, size, rounded((target - size) * 0.5)};
}

Placement contain(ImageSize source, ImageSize target) {
  const double width = source.width, height = source.height;
  const double ratio = width / height;
  const double wanted = static_cast<double>(target.width) / target.height;
  Placement result{whole(0, width, target.width), whole(0, height, target.height)};
  if (ratio > wanted) result.y = contained(height, rounded(height / width * target.width), target.height);
  if (ratio < wanted) result.x = contained(width, rounded(width / height * target.height), target.width);
  return result;
}

AxisPlacement centred(double length, std::uint32_t scaled, std::uint32_t target) {
  if (scaled < target) return {0, length, scaled, 0, scaled, (target - scaled) / 2};
  return {0, length, scaled, rounded((scaled - target) / 2.0), target, 0};
}

Placement crop(ImageSize source, const ImageForm& form) {
  const std::uint64_t width = source.width, height = source.height;
  std::uint64_t across = width, down = height;
  if (const std::uint64_t side = form.short_side; side > 0) {
    across = width <= height ? side : side * width / height;
    down = width <= height ? side * height / width : side;
  }
  if (std::max(across, down) >> 31 != 0) refuse("size", "one of " + std::to_string(width) + " x " + std::to_string(height));
  return {centred(static_cast<double>(width), static_cast<std::uint32_t>(across), form.size.width),
          centred(static_cast<double>(height), static_cast<std::uint32_t>(down), form.size.height)};
}

}  // namespace

Placement place(ImageSize source, const ImageForm& form) {
  switch (form.fit) {
    case ImageFit::kCover:
      return cover(source, form.size);
    case ImageFit::kContain:
      return contain(source, form.size);
    case ImageFit::kCrop:
      return crop(source, form);
    case ImageFit::kExact:
      if (source != form.size) {
        refuse("size", "one of " + std::to_string(source.width) + " x " + std::to_string(source.height));
      }
      break;
    case ImageFit::kFill:
      break;
  }
  return {whole(0, source.width, form.size.width), whole(0, source.height, form.size.height)};
}

}  // namespace millrace
