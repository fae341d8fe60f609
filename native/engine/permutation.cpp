#include "permutation.h"

#include <algorithm>
#include <bit>

namespace millrace {

Permutation::Permutation(std::uint32_t size, std::uint64_t seed, RandomPurpose purpose, std::uint32_t index,
                         std::uint32_t stream)
    : size_(size),
      column_bits_(std::max(1u, static_cast<std::uint32_t>(std::bit_width(size - 1)) / 2)),
      column_mask_((1u << column_bits_) - 1),
      rows_(((size - 1) >> column_bits_) + 1),
      rounds_(size < kLarge ? kRoundsMax : kRoundsLarge) {
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  for (std::uint32_t round = 0; round < rounds_; ++round) {
    keys_[round] = philox({round, stream, index, static_cast<std::uint32_t>(purpose)}, key)[0];
  }
}

}  // namespace millrace
