#pragma once

#include <array>
#include <cstdint>

namespace millrace {

/// What a stream of random numbers is for. Two purposes never share numbers, whatever their indices.
enum class RandomPurpose : std::uint32_t { kInitialWeights = 1, kShuffle = 2, kDropout = 3, kSampling = 4, kAugmentation = 5 };

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four numbers for a counter and a key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// Counter-based random numbers from Philox.
/// The n-th number of a stream is a pure function of (seed, purpose, index, n): there is no state to save, and every
/// library and machine gives the same numbers, which `std::shuffle` and the distributions of <random> do not.
class Random {
 public:
  Random(std::uint64_t seed, RandomPurpose purpose, std::uint32_t index);

  std::uint32_t next();
  /// Uniform in [0, bound), without bias (Lemire 2019, "Fast random integer generation in an interval"). bound >= 1.
  std::uint32_t below(std::uint32_t bound);
  /// Uniform in [0, 1), 24 bits.
  float unit();
  /// Normal with mean 0 and deviation 1 (Marsaglia's polar method).
  double normal();
  /// The same, cut at two deviations as Keras does.
  float truncated_normal();

 private:
  void refill();

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  unsigned used_ = 4;
};

}  // namespace millrace
