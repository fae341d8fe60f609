#include "engine/images/augmentation.h"

#include <algorithm>
#include <cmath>

#include "check.h"
#include "engine/error.h"
#include "engine/examples.h"

namespace millrace::test {
namespace {

constexpr std::size_t kHeight = 7, kWidth = 9, kChannels = 2, kColumns = kHeight * kWidth * kChannels;
constexpr std::uint32_t kRows = 400;

/// Rows of bytes that are all different from 0, the image from column 3 on.
struct Pictures {
  std::size_t columns = kColumns + 5;
  std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(kRows * columns);
  FeatureBlock block{ElementType::kUint8, columns, bytes.data(), 1.0f / 255.0f, 0.0f};

  Pictures() {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(1 + i * 37 % 255);
  }
  std::uint8_t at(std::uint32_t row, std::size_t y, std::size_t x, std::size_t c) const {
    return bytes[row * columns + 3 + (y * kWidth + x) * kChannels + c];
  }
};

AugmentationSpec spec_of() { return {3, kHeight, kWidth, kChannels}; }

std::vector<float> applied(const Pictures& pictures, const AugmentationSpec& spec, std::uint32_t row,
                           std::uint32_t epoch = 0, std::uint64_t seed = 5) {
  Augmenter augmenter({spec}, seed);
  augmenter.begin(std::span(&pictures.block, 1), epoch);
  CHECK(augmenter.changes(pictures.block, 0));
  std::vector<float> values(pictures.columns);
  augmenter.apply(pictures.block, 0, row, values.data());
  for (const std::size_t beside : {0, 1, 2, 129, 130}) CHECK(values[beside] == pictures.bytes[row * pictures.columns + beside]);
  return {values.begin() + 3, values.begin() + 3 + kColumns};
}

float pixel(const std::vector<float>& image, std::size_t y, std::size_t x, std::size_t c) {
  return image[(y * kWidth + x) * kChannels + c];
}

/// Whether the image is the row's own, moved; black where nothing was.
bool is_shifted(const Pictures& pictures, const std::vector<float>& image, std::uint32_t row, int dx, int dy) {
  for (int y = 0; y < static_cast<int>(kHeight); ++y) {
    for (int x = 0; x < static_cast<int>(kWidth); ++x) {
      const int sx = x - dx, sy = y - dy;
      const bool inside = sx >= 0 && sx < static_cast<int>(kWidth) && sy >= 0 && sy < static_cast<int>(kHeight);
      const float expected = inside ? pictures.at(row, static_cast<std::size_t>(sy), static_cast<std::size_t>(sx), 1) : 0.0f;
      if (pixel(image, static_cast<std::size_t>(y), static_cast<std::size_t>(x), 1) != expected) return false;
    }
  }
  return true;
}

}  // namespace

TEST("an augmentation without strength changes nothing") {
  const Pictures pictures;
  for (std::uint32_t row = 0; row < kRows; ++row) CHECK(is_shifted(pictures, applied(pictures, spec_of(), row), row, 0, 0));
}

TEST("flips mirror, as often as they are to") {
  const Pictures pictures;
  AugmentationSpec spec = spec_of();
  spec.flip_horizontally = 1.0f;
  const std::vector<float> mirrored = applied(pictures, spec, 2);
  spec.flip_vertically = 1.0f;
  const std::vector<float> turned = applied(pictures, spec, 2);
  for (std::size_t y = 0; y < kHeight; ++y) {
    for (std::size_t x = 0; x < kWidth; ++x) {
      CHECK(pixel(mirrored, y, x, 1) == pictures.at(2, y, kWidth - 1 - x, 1));
      CHECK(pixel(turned, y, x, 0) == pictures.at(2, kHeight - 1 - y, kWidth - 1 - x, 0));
    }
  }
  spec.flip_horizontally = 0.25f;
  spec.flip_vertically = 0.0f;
  int flipped = 0;
  for (std::uint32_t row = 0; row < kRows; ++row) flipped += !is_shifted(pictures, applied(pictures, spec, row), row, 0, 0);
  // Three standard deviations of 400 draws.
  CHECK_NEAR(flipped, kRows * 0.25, 26);
}

TEST("shifts are whole pixels, each as likely") {
  const Pictures pictures;
  AugmentationSpec spec = spec_of();
  spec.shift = 1;
  int counts[3][3] = {};
  for (std::uint32_t row = 0; row < kRows; ++row) {
    const std::vector<float> image = applied(pictures, spec, row);
    int found = 0;
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) {
        if (!is_shifted(pictures, image, row, dx, dy)) continue;
        ++counts[dy + 1][dx + 1];
        ++found;
      }
    }
    CHECK(found == 1);
  }
  for (const auto& line : counts) {
    for (const int count : line) CHECK_NEAR(count, kRows / 9.0, 22);
  }
}

TEST("a rotation keeps what has no direction, and turns the rest") {
  // A disc of brightness that falls off smoothly; 0 well before the edge.
  constexpr std::size_t side = 21;
  std::vector<float> disc(side * side), slope(side * side);
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      const double dx = static_cast<double>(x) - 10, dy = static_cast<double>(y) - 10, r = dx * dx + dy * dy;
      disc[y * side + x] = static_cast<float>(std::exp(-r / 18));
      slope[y * side + x] = static_cast<float>(dx * std::exp(-r / 18));
    }
  }
  AugmentationSpec spec{0, side, side, 1};
  spec.rotation_degrees = 30.0f;
  const auto turned = [&](const std::vector<float>& image, std::uint32_t epoch) {
    const FeatureBlock block{ElementType::kFloat32, side * side, image.data(), 1.0f, 0.0f};
    Augmenter augmenter({spec}, 1);
    augmenter.begin(std::span(&block, 1), epoch);
    std::vector<float> values(side * side);
    augmenter.apply(block, 0, 0, values.data());
    return values;
  };
  for (std::uint32_t epoch = 0; epoch < 20; ++epoch) {
    const std::vector<float> round = turned(disc, epoch), leaning = turned(slope, epoch);
    double across = 0, down = 0;
    for (std::size_t i = 0; i < round.size(); ++i) {
      // Interpolation takes off a part of the curvature.
      CHECK_NEAR(round[i], disc[i], 0.03);
      across += leaning[i] * (static_cast<double>(i % side) - 10);
      down += leaning[i] * (static_cast<double>(i / side) - 10);
    }
    CHECK(std::abs(std::atan2(down, across)) < 30.5 * 3.14159265 / 180);
    CHECK(std::abs(std::atan2(down, across)) > 0.001);
  }
}

TEST("a cut-out is one square, cut off at the edges") {
  const Pictures pictures;
  AugmentationSpec spec = spec_of();
  spec.cut_out = 3;
  std::size_t fewest = kColumns, most = 0;
  for (std::uint32_t row = 0; row < kRows; ++row) {
    const std::vector<float> image = applied(pictures, spec, row);
    const auto black = static_cast<std::size_t>(std::count(image.begin(), image.end(), 0.0f));
    fewest = std::min(fewest, black);
    most = std::max(most, black);
  }
  CHECK(fewest == 2 * 2 * kChannels);
  CHECK(most == 3 * 3 * kChannels);
}

TEST("noise has its deviation in units of the network, and leaves bytes within their range") {
  const Pictures pictures;
  AugmentationSpec spec = spec_of();
  spec.noise = 0.1f;
  double sum = 0, squares = 0, count = 0;
  for (std::uint32_t row = 0; row < kRows; ++row) {
    const std::vector<float> image = applied(pictures, spec, row);
    for (std::size_t i = 0; i < kColumns; ++i) {
      CHECK(image[i] >= 0.0f && image[i] <= 255.0f);
      const double before = pictures.bytes[row * pictures.columns + 3 + i];
      // Where nothing is cut off.
      if (before < 110 || before > 145) continue;
      const double change = (image[i] - before) / 255;
      sum += change;
      squares += change * change;
      ++count;
    }
  }
  CHECK_NEAR(sum / count, 0.0, 0.1 * 4 / std::sqrt(count));
  CHECK_NEAR(std::sqrt(squares / count), 0.1, 0.1 * 4 / std::sqrt(2 * count));
}

TEST("an augmentation follows from seed, epoch and row") {
  const Pictures pictures;
  AugmentationSpec spec = spec_of();
  spec.shift = 2;
  spec.noise = 0.5f;
  CHECK(applied(pictures, spec, 7) == applied(pictures, spec, 7));
  CHECK(applied(pictures, spec, 7) != applied(pictures, spec, 7, 1));
  CHECK(applied(pictures, spec, 7) != applied(pictures, spec, 7, 0, 6));
}

TEST("an image must lie within one block of bytes or float32") {
  const Pictures pictures;
  const FeatureBlock wrong{ElementType::kInt32, kColumns, pictures.bytes.data()};
  for (const auto& [first, block] : {std::pair{kColumns, pictures.block}, std::pair{std::size_t{0}, wrong}}) {
    AugmentationSpec spec = spec_of();
    spec.first_column = first;
    Augmenter augmenter({spec}, 1);
    bool refused = false;
    try {
      augmenter.begin(std::span(&block, 1), 0);
    } catch (const Error& error) {
      refused = error.field() == "augmentations[0]";
    }
    CHECK(refused);
  }
}

}  // namespace millrace::test
