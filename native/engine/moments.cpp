#include "moments.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace millrace {
namespace {

using Values = std::span<const double>;

/// Sums that do not wait for each other.
constexpr std::size_t kLanes = 8;
using Narrow [[gnu::vector_size(16)]] = double;
using Wide [[gnu::vector_size(32)]] = double;

/// The lanes, in registers of a kind.
template <typename Register>
using Lanes = std::array<Register, kLanes * sizeof(double) / sizeof(Register)>;

template <typename Register>
constexpr std::size_t kWidth = sizeof(Register) / sizeof(double);

/// Distances of the largest float64s from this are finite: it is less than half a unit in their last place.
constexpr double kOriginMax = 9e291;

/// Calls `add(value, sum...)` for all values, with a register of them at once, and one by one for the rest.
template <typename Register, typename Add, typename... Sums>
void for_each_value(Values values, const Add& add, Sums&... sums) {
  constexpr std::size_t width = kWidth<Register>;
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t part = 0; part < kLanes / width; ++part) {
      Register value;
      std::memcpy(&value, values.data() + i + part * width, sizeof(value));
      add(value, sums[part]...);
    }
  }
  for (std::size_t lane = 0; i < values.size(); ++i, ++lane) {
    const auto add_to = [&](auto... lane_sums) {
      add(values[i], lane_sums...);
      ((sums[lane / width][lane % width] = lane_sums), ...);
    };
    add_to(sums[lane / width][lane % width]...);
  }
}

template <typename Register>
double lane_of(const Lanes<Register>& lanes, std::size_t lane) {
  return lanes[lane / kWidth<Register>][lane % kWidth<Register>];
}

template <typename Register>
double total(const Lanes<Register>& lanes) {
  double sum = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) sum += lane_of(lanes, lane);
  return sum;
}

void add_to_sum(Moments& moments, double value) {
  const double next = moments.sum + value;
  moments.lost += std::abs(moments.sum) >= std::abs(value) ? moments.sum - next + value : value - next + moments.sum;
  moments.sum = next;
}

/// What a sum loses is found without a branch (Knuth 1969, section 4.2.2).
template <typename Register>
void add_sum_and_extremes(Values values, Moments& moments) {
  Lanes<Register> sums{}, lost{}, minima, maxima;
  minima.fill(Register{} + moments.minimum);
  maxima.fill(Register{} + moments.maximum);
  const auto add = [](const auto& value, auto& sum, auto& rest, auto& minimum, auto& maximum) {
    const auto next = sum + value;
    const auto added = next - sum;
    rest += (sum - (next - added)) + (value - added);
    sum = next;
    minimum = value < minimum ? value : minimum;
    maximum = value > maximum ? value : maximum;
  };
  for_each_value<Register>(values, add, sums, lost, minima, maxima);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    add_to_sum(moments, lane_of(sums, lane));
    moments.lost += lane_of(lost, lane);
    moments.minimum = std::min(moments.minimum, lane_of(minima, lane));
    moments.maximum = std::max(moments.maximum, lane_of(maxima, lane));
  }
}

/// Relative to an origin.
template <typename Register>
double mean_of(Values values, double origin) {
  Lanes<Register> sums{};
  for_each_value<Register>(values, [=](const auto& value, auto& sum) { sum += value - origin; }, sums);
  return total(sums) / static_cast<double>(values.size());
}

/// Around `origin + offset`. The distances add up to zero but for rounding; what is left corrects their squares.
template <typename Register>
double squares_of(Values values, double origin, double offset) {
  Lanes<Register> squares{}, rests{};
  const auto add = [=](const auto& value, auto& square, auto& rest) {
    const auto distance = value - origin - offset;
    square += distance * distance;
    rest += distance;
  };
  for_each_value<Register>(values, add, squares, rests);
  const double rest = total(rests);
  return total(squares) - rest * rest / static_cast<double>(values.size());
}

template <typename Register>
void add_block(Values values, Moments& moments) {
  if (moments.count == 0 && std::abs(values[0]) < kOriginMax) moments.origin = values[0];
  add_sum_and_extremes<Register>(values, moments);
  const auto length = static_cast<double>(values.size());
  const double offset = mean_of<Register>(values, moments.origin);
  const double squares = squares_of<Register>(values, moments.origin, offset);
  const double count = moments.count + length;
  const double shift = offset - moments.offset;
  moments.squares += squares + shift * (shift * (moments.count * length / count));
  moments.offset += shift * (length / count);
  moments.count = count;
}

template <typename Register>
void add_blocks(Values values, Moments& moments) {
  for (std::size_t first = 0; first < values.size(); first += kMomentBlock) {
    add_block<Register>(values.subspan(first, std::min(kMomentBlock, values.size() - first)), moments);
  }
}

#if defined(MILLRACE_X86_KERNELS)
/// The same code for wider registers, without fused multiply-add: the same bits.
[[gnu::target("avx2"), gnu::flatten]] void add_blocks_avx2(Values values, Moments& moments) {
  add_blocks<Wide>(values, moments);
}
#endif

}  // namespace

void add_moments(Values values, Moments& moments, InstructionSet set) {
#if defined(MILLRACE_X86_KERNELS)
  if (set != InstructionSet::kPortable) return add_blocks_avx2(values, moments);
#endif
  (void)set;
  add_blocks<Narrow>(values, moments);
}

}  // namespace millrace
