#include "engine/moments.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "check.h"

namespace millrace::test {
namespace {

Moments moments_of(const std::vector<double>& values, InstructionSet set) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Moments moments{0, kInfinity, -kInfinity, 0, 0, 0, 0, 0};
  add_moments(values, moments, set);
  return moments;
}

TEST("moments are the same bits on every processor, with whole registers and with a rest") {
  for (std::size_t length : {0u, 1u, 7u, 8u, 13u, 2048u, 2051u, 5000u}) {
    std::vector<double> values(length);
    for (std::size_t i = 0; i < length; ++i) {
      const auto place = static_cast<double>(i);
      values[i] = std::sin(place) * std::pow(10.0, std::fmod(place, 7.0));
    }
    const Moments portable = moments_of(values, InstructionSet::kPortable);
    CHECK(portable.count == static_cast<double>(length));
    for (const InstructionSet set : {InstructionSet::kAvx2, InstructionSet::kAvx512}) {
      if (!is_available(set)) continue;
      const Moments wide = moments_of(values, set);
      CHECK(std::memcmp(&portable, &wide, sizeof(Moments)) == 0);
    }
  }
}

}  // namespace
}  // namespace millrace::test
