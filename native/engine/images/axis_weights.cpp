#include "axis_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace millrace {
namespace {

double support_of(ImageFilter filter) {
  switch (filter) {
    case ImageFilter::kBicubic:
      return 2.0;
    case ImageFilter::kLanczos:
      return 3.0;
    default:
      return 1.0;
  }
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double weight_at(ImageFilter filter, double x) {
  if (filter == ImageFilter::kLanczos) return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
  x = std::abs(x);
  if (filter == ImageFilter::kBilinear) return x < 1.0 ? 1.0 - x : 0.0;
  // Keys 1981, "Cubic convolution interpolation for digital image processing", with a = -1/2.
  constexpr double a = -0.5;
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

/// The weights of one output pixel; its memory serves the next one.
struct Weights {
  std::uint32_t first = 0;
  std::vector<double> parts;
  std::vector<std::int32_t> values;
};

std::int32_t to_fixed(double weight) {
  return static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kResamplingBits));
}

// What is nothing in fixed point has no share.
void trim(Weights& weights) {
  auto& values = weights.values;
  while (values.size() > 1 && values.back() == 0) values.pop_back();
  const auto begin = std::find_if(values.begin(), values.end() - 1, [](std::int32_t value) { return value != 0; });
  weights.first += static_cast<std::uint32_t>(begin - values.begin());
  values.erase(values.begin(), begin);
}

void spread(double center, double scale, ImageFilter filter, std::uint32_t length, Weights& to) {
  const double support = support_of(filter) * scale;
  const double limit = length;
  const auto first = static_cast<std::uint32_t>(std::clamp(std::trunc(center - support + 0.5), 0.0, limit - 1.0));
  const auto end = static_cast<std::uint32_t>(std::clamp(std::trunc(center + support + 0.5), first + 1.0, limit));
  to.first = first;
  to.parts.resize(end - first);
  double sum = 0.0;
  for (std::uint32_t i = 0; i < to.parts.size(); ++i) {
    to.parts[i] = weight_at(filter, (i + first - center + 0.5) * (1.0 / scale));
    sum += to.parts[i];
  }
  to.values.clear();
  for (const double part : to.parts) to.values.push_back(to_fixed(sum != 0.0 ? part / sum : part));
  trim(to);
}

void one_pixel(double at, std::uint32_t length, Weights& to) {
  const double pixel = std::clamp(std::trunc(at), 0.0, static_cast<double>(length) - 1.0);
  to.first = static_cast<std::uint32_t>(pixel);
  to.values.assign(1, 1 << kResamplingBits);
}

void set_weight(FourWeights& four, std::size_t pixel, std::int32_t weight) {
  constexpr std::int32_t half = 1 << (kLowerWeightBits - 1);
  const std::int32_t upper = (weight + half) >> kLowerWeightBits;
  const std::int32_t lower = weight - upper * (1 << kLowerWeightBits);
  for (std::size_t channel = 0; channel < 4; ++channel) {
    const std::size_t at = pixel / 2 * 8 + channel * 2 + pixel % 2;
    four.upper[at] = static_cast<std::int16_t>(upper);
    four.lower[at] = static_cast<std::int16_t>(lower);
  }
}

void append(AxisWeights& axis, Weights& weights, std::uint32_t length, bool reversed) {
  auto& values = weights.values;
  const auto count = static_cast<std::uint32_t>(values.size());
  if (reversed) std::reverse(values.begin(), values.end());
  const std::uint32_t first = reversed ? length - weights.first - count : weights.first;
  const std::size_t four = axis.weights.size();
  axis.spans.push_back({first, static_cast<std::uint32_t>(four), count});
  axis.begin = std::min(axis.begin, first);
  axis.end = std::max(axis.end, first + count);
  axis.weights.resize(four + (count + 3) / 4);
  for (std::size_t i = 0; i < count; ++i) set_weight(axis.weights[four + i / 4], i % 4, values[i]);
}

AxisWeights compute(const AxisPlacement& placement, ImageFilter filter, std::uint32_t length, bool reversed) {
  AxisWeights result{{}, {}, std::numeric_limits<std::uint32_t>::max(), 0};
  // Pillow keeps the box in single precision.
  const auto begin = static_cast<float>(placement.begin);
  const double scale = static_cast<double>(static_cast<float>(placement.end) - begin) / placement.scaled;
  Weights weights;
  for (std::uint32_t i = placement.first; i < placement.first + placement.count; ++i) {
    const double center = begin + (i + 0.5) * scale;
    if (filter == ImageFilter::kNearest) {
      one_pixel(center, length, weights);
    } else {
      spread(center, std::max(scale, 1.0), filter, length, weights);
    }
    append(result, weights, length, reversed);
  }
  return result;
}

/// What weights depend on.
struct Axis {
  AxisPlacement placement;
  ImageFilter filter;
  std::uint32_t length;
  bool reversed;

  bool operator==(const Axis&) const = default;
};

struct Remembered {
  Axis axis;
  std::shared_ptr<const AxisWeights> weights;
};

constexpr std::size_t kRememberedMax = 8;  // both axes of four sizes
constexpr std::size_t kRememberedFoursMax = 4096;  // 256 KiB each

}  // namespace

std::shared_ptr<const AxisWeights> weigh(const AxisPlacement& placement, ImageFilter filter, std::uint32_t length,
                                         bool reversed) {
  thread_local std::vector<Remembered> remembered;
  const Axis axis{placement, filter, length, reversed};
  const auto found = std::find_if(remembered.begin(), remembered.end(), [&](const auto& one) { return one.axis == axis; });
  if (found != remembered.end()) return found->weights;
  auto weights = std::make_shared<const AxisWeights>(compute(placement, filter, length, reversed));
  if (weights->weights.size() > kRememberedFoursMax) return weights;
  if (remembered.size() == kRememberedMax) remembered.erase(remembered.begin());
  remembered.push_back({axis, weights});
  return weights;
}

}  // namespace millrace
