#include "augmentation_argument.h"

#include <string>

namespace millrace::binding {
namespace {

constexpr std::uint64_t kSideMax = 1 << 12, kColumnsMax = std::uint64_t{1} << 31, kImagesMax = 64;

float to_number(const Fields& fields, const char* name, double highest) {
  const double value = fields.number(name);
  if (value < 0.0 || value > highest) {
    refuse_value(fields.full_name(name), "from 0 to " + std::to_string(highest), fields.value(name));
  }
  return static_cast<float>(value);
}

AugmentationSpec to_augmentation(const Fields& fields) {
  fields.expect_only({"firstColumn", "height", "width", "channels", "flipHorizontally", "flipVertically",
                      "rotationDegrees", "shift", "cutOut", "noise"});
  AugmentationSpec spec{};
  spec.first_column = fields.integer("firstColumn", 0, kColumnsMax);
  spec.height = fields.integer("height", 1, kSideMax);
  spec.width = fields.integer("width", 1, kSideMax);
  spec.channels = fields.integer("channels", 1, 4);
  spec.flip_horizontally = to_number(fields, "flipHorizontally", 1.0);
  spec.flip_vertically = to_number(fields, "flipVertically", 1.0);
  spec.rotation_degrees = to_number(fields, "rotationDegrees", 180.0);
  spec.shift = static_cast<std::uint32_t>(fields.integer("shift", 0, kSideMax));
  spec.cut_out = static_cast<std::uint32_t>(fields.integer("cutOut", 0, kSideMax));
  spec.noise = to_number(fields, "noise", 1e6);
  return spec;
}

}  // namespace

std::vector<AugmentationSpec> to_augmentations(const Fields& options) {
  std::vector<AugmentationSpec> result;
  if (!options.has("augmentations")) return result;
  const Napi::Value value = options.value("augmentations");
  if (!value.IsArray() || value.As<Napi::Array>().Length() > kImagesMax) {
    refuse_value("augmentations", "an array of at most 64 images", value);
  }
  const auto images = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < images.Length(); ++i) {
    result.push_back(to_augmentation(Fields(images.Get(i), "augmentations[" + std::to_string(i) + "]")));
  }
  return result;
}

}  // namespace millrace::binding
