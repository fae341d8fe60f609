#include "moments.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace {
namespace {

/// Sums that do not wait for each other.
constexpr std::size_t kLanes = 8;
using Lanes = std::array<double, kLanes>;
using Values = std::span<const double>;

/// Distances of the largest float64s from this are finite: it is less than half a unit in their last place.
constexpr double kOriginMax = 9e291;

/// Calls `add(lane, value)` for all values.
template <typename Add>
void for_each_lane(Values values, Add add) {
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) add(lane, values[i + lane]);
  }
  for (std::size_t lane = 0; i < values.size(); ++i, ++lane) add(lane, values[i]);
}

double total(const Lanes& lanes) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

void add_to_sum(Moments& moments, double value) {
  const double next = moments.sum + value;
  moments.lost += std::abs(moments.sum) >= std::abs(value) ? moments.sum - next + value : value - next + moments.sum;
  moments.sum = next;
}

/// What a sum loses is found without a branch (Knuth 1969, section 4.2.2).
void add_sum_and_extremes(Values values, Moments& moments) {
  Lanes sums{}, lost{}, minima, maxima;
  minima.fill(moments.minimum);
  maxima.fill(moments.maximum);
  for_each_lane(values, [&](std::size_t lane, double value) {
    const double next = sums[lane] + value;
    const double added = next - sums[lane];
    lost[lane] += (sums[lane] - (next - added)) + (value - added);
    sums[lane] = next;
    minima[lane] = value < minima[lane] ? value : minima[lane];
    maxima[lane] = value > maxima[lane] ? value : maxima[lane];
  });
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    add_to_sum(moments, sums[lane]);
    moments.lost += lost[lane];
  }
  moments.minimum = *std::min_element(minima.begin(), minima.end());
  moments.maximum = *std::max_element(maxima.begin(), maxima.end());
}

/// Relative to an origin.
double mean_of(Values values, double origin) {
  Lanes sums{};
  for_each_lane(values, [&](std::size_t lane, double value) { sums[lane] += value - origin; });
  return total(sums) / static_cast<double>(values.size());
}

/// Around `origin + offset`. The distances add up to zero but for rounding; what is left corrects their squares.
double squares_of(Values values, double origin, double offset) {
  Lanes squares{}, rests{};
  for_each_lane(values, [&](std::size_t lane, double value) {
    const double distance = value - origin - offset;
    squares[lane] += distance * distance;
    rests[lane] += distance;
  });
  const double rest = total(rests);
  return total(squares) - rest * rest / static_cast<double>(values.size());
}

void add_block(Values values, Moments& moments) {
  if (moments.count == 0 && std::abs(values[0]) < kOriginMax) moments.origin = values[0];
  add_sum_and_extremes(values, moments);
  const auto length = static_cast<double>(values.size());
  const double offset = mean_of(values, moments.origin);
  const double squares = squares_of(values, moments.origin, offset);
  const double count = moments.count + length;
  const double shift = offset - moments.offset;
  moments.squares += squares + shift * (shift * (moments.count * length / count));
  moments.offset += shift * (length / count);
  moments.count = count;
}

}  // namespace

void add_moments(Values values, Moments& moments) {
  for (std::size_t first = 0; first < values.size(); first += kMomentBlock) {
    add_block(values.subspan(first, std::min(kMomentBlock, values.size() - first)), moments);
  }
}

}  // namespace millrace
