#include "augmentation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "../error.h"
#include "../examples.h"

namespace millrace {
namespace {

bool holds(std::size_t first_column, const FeatureBlock& block, const AugmentationSpec& spec) {
  return spec.first_column >= first_column && spec.first_column + spec.columns() <= first_column + block.columns;
}

bool touches(std::size_t first_column, const FeatureBlock& block, const AugmentationSpec& spec) {
  return spec.first_column < first_column + block.columns && spec.first_column + spec.columns() > first_column;
}

/// Where each pixel comes from: a turn about the middle and what may follow it.
struct Motion {
  bool flip_x, flip_y;
  double radians;
  int shift_x, shift_y;

  bool moves() const { return flip_x || flip_y || radians != 0.0 || shift_x != 0 || shift_y != 0; }
};

/// An image whose pixels are asked for at any place; 0 outside.
class Picture {
 public:
  Picture(const AugmentationSpec& spec, const float* values)
      : height_(static_cast<std::ptrdiff_t>(spec.height)),
        width_(static_cast<std::ptrdiff_t>(spec.width)),
        channels_(spec.channels),
        values_(values) {}

  void copy(std::ptrdiff_t x, std::ptrdiff_t y, float* to) const {
    const float* from = at(x, y);
    for (std::size_t c = 0; c < channels_; ++c) to[c] = from == nullptr ? 0.0f : from[c];
  }

  void interpolate(double x, double y, float* to) const {
    const double left = std::floor(x), top = std::floor(y);
    const auto column = static_cast<std::ptrdiff_t>(left), row = static_cast<std::ptrdiff_t>(top);
    const auto right = static_cast<float>(x - left), down = static_cast<float>(y - top);
    std::fill_n(to, channels_, 0.0f);
    add(column, row, (1.0f - right) * (1.0f - down), to);
    add(column + 1, row, right * (1.0f - down), to);
    add(column, row + 1, (1.0f - right) * down, to);
    add(column + 1, row + 1, right * down, to);
  }

 private:
  const float* at(std::ptrdiff_t x, std::ptrdiff_t y) const {
    const bool inside = x >= 0 && x < width_ && y >= 0 && y < height_;
    return inside ? values_ + static_cast<std::size_t>(y * width_ + x) * channels_ : nullptr;
  }

  void add(std::ptrdiff_t x, std::ptrdiff_t y, float share, float* to) const {
    const float* from = at(x, y);
    if (from == nullptr) return;
    for (std::size_t c = 0; c < channels_; ++c) to[c] += share * from[c];
  }

  std::ptrdiff_t height_, width_;
  std::size_t channels_;
  const float* values_;
};

void move(const AugmentationSpec& spec, const Motion& motion, float* image) {
  const std::vector<float> before(image, image + spec.columns());
  const Picture picture(spec, before.data());
  const auto height = static_cast<std::ptrdiff_t>(spec.height), width = static_cast<std::ptrdiff_t>(spec.width);
  const double middle_x = (spec.width - 1) / 2.0, middle_y = (spec.height - 1) / 2.0;
  const double cosine = std::cos(motion.radians), sine = std::sin(motion.radians);
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    for (std::ptrdiff_t x = 0; x < width; ++x, image += spec.channels) {
      // What was done last is undone first.
      const std::ptrdiff_t unshifted_x = x - motion.shift_x, unshifted_y = y - motion.shift_y;
      if (motion.radians == 0.0) {
        picture.copy(motion.flip_x ? width - 1 - unshifted_x : unshifted_x,
                     motion.flip_y ? height - 1 - unshifted_y : unshifted_y, image);
        continue;
      }
      const double across = static_cast<double>(unshifted_x) - middle_x;
      const double down = static_cast<double>(unshifted_y) - middle_y;
      const double turned_x = cosine * across + sine * down, turned_y = cosine * down - sine * across;
      picture.interpolate(middle_x + (motion.flip_x ? -turned_x : turned_x),
                          middle_y + (motion.flip_y ? -turned_y : turned_y), image);
    }
  }
}

void cut_out(const AugmentationSpec& spec, std::uint32_t middle_x, std::uint32_t middle_y, float* image) {
  const std::size_t side = spec.cut_out, before = side / 2;
  const auto range = [&](std::size_t middle, std::size_t length) {
    return std::pair{middle - std::min(middle, before), std::min(length, middle - before + side)};
  };
  const auto [left, right] = range(middle_x, spec.width);
  const auto [top, bottom] = range(middle_y, spec.height);
  for (std::size_t y = top; y < bottom; ++y) {
    std::fill(image + (y * spec.width + left) * spec.channels, image + (y * spec.width + right) * spec.channels, 0.0f);
  }
}

}  // namespace

/// The random numbers of one image of one row: those of its motion stand first, whichever of them are used.
class Augmenter::Draws {
 public:
  Draws(std::uint64_t seed, std::uint32_t epoch, std::uint32_t row, std::uint32_t image)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        counter_{image << kImageShift, row, epoch, static_cast<std::uint32_t>(RandomPurpose::kAugmentation)} {}

  /// Uniform in [0, 1), 24 bits.
  double unit() { return (next() >> 8) * 0x1p-24; }
  /// Uniform in 0..bound-1, to 2^-32 of it.
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(std::uint64_t{next()} * bound >> 32); }
  /// Two normal numbers (Box and Muller 1958).
  std::pair<float, float> normals() {
    const float radius = std::sqrt(-2.0f * std::log((static_cast<float>(next() >> 8) + 0.5f) * 0x1p-24f));
    const float angle = 2.0f * std::numbers::pi_v<float> * static_cast<float>(next() >> 8) * 0x1p-24f;
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }

 private:
  // Blocks of four numbers that an image may take: more than any has pixels.
  static constexpr unsigned kImageShift = 24;

  std::uint32_t next() {
    if (used_ == block_.size()) {
      block_ = philox(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
};

Augmenter::Augmenter(std::vector<AugmentationSpec> specs, std::uint64_t seed) : specs_(std::move(specs)), seed_(seed) {}

void Augmenter::begin(std::span<const FeatureBlock> features, std::uint32_t epoch) {
  epoch_ = epoch;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    std::size_t first_column = 0;
    bool found = false;
    for (const FeatureBlock& block : features) {
      const bool readable = block.type == ElementType::kUint8 || block.type == ElementType::kFloat32;
      found = found || (readable && holds(first_column, block, specs_[i]));
      first_column += block.columns;
    }
    if (found) continue;
    const std::string field = "augmentations[" + std::to_string(i) + "]";
    refuse(field, "Expected `" + field + "` to lie within one block of uint8 or float32 features but received columns " +
                      std::to_string(specs_[i].first_column) + " to " +
                      std::to_string(specs_[i].first_column + specs_[i].columns()) + ".");
  }
}

bool Augmenter::changes(const FeatureBlock& block, std::size_t first_column) const {
  return std::any_of(specs_.begin(), specs_.end(), [&](const auto& spec) { return touches(first_column, block, spec); });
}

void Augmenter::apply(const FeatureBlock& block, std::size_t first_column, std::uint32_t row, float* values) const {
  const std::size_t offset = std::size_t{row} * block.columns;
  if (block.type == ElementType::kUint8) {
    std::copy_n(static_cast<const std::uint8_t*>(block.data) + offset, block.columns, values);
  } else {
    std::copy_n(static_cast<const LooseFloat*>(block.data) + offset, block.columns, values);
  }
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const AugmentationSpec& spec = specs_[i];
    if (!touches(first_column, block, spec)) continue;
    Draws draws(seed_, epoch_, row, static_cast<std::uint32_t>(i));
    change(spec, block, draws, values + (spec.first_column - first_column));
  }
}

void Augmenter::change(const AugmentationSpec& spec, const FeatureBlock& block, Draws& draws, float* image) const {
  const auto up_to = [&](std::uint32_t most) {
    return static_cast<int>(draws.below(2 * most + 1)) - static_cast<int>(most);
  };
  Motion motion{};
  motion.flip_x = draws.unit() < spec.flip_horizontally;
  motion.flip_y = draws.unit() < spec.flip_vertically;
  motion.radians = (2.0 * draws.unit() - 1.0) * spec.rotation_degrees * std::numbers::pi / 180.0;
  motion.shift_x = up_to(spec.shift);
  motion.shift_y = up_to(spec.shift);
  const std::uint32_t middle_x = draws.below(static_cast<std::uint32_t>(spec.width));
  const std::uint32_t middle_y = draws.below(static_cast<std::uint32_t>(spec.height));
  if (motion.moves()) move(spec, motion, image);
  if (spec.cut_out > 0) cut_out(spec, middle_x, middle_y, image);
  if (spec.noise <= 0.0f || block.scale == 0.0f) return;
  const float deviation = spec.noise / std::abs(block.scale);
  const std::size_t columns = spec.columns();
  for (std::size_t i = 0; i < columns; i += 2) {
    const auto [first, second] = draws.normals();
    image[i] += deviation * first;
    if (i + 1 < columns) image[i + 1] += deviation * second;
  }
  if (block.type == ElementType::kUint8) {
    for (std::size_t i = 0; i < columns; ++i) image[i] = std::clamp(image[i], 0.0f, 255.0f);
  }
}

}  // namespace millrace
