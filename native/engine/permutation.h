#pragma once

#include <array>
#include <cstdint>

#include "random.h"

namespace millrace {

/// A permutation of 0..size-1 that is computed element by element: it takes no memory per element and no time to make,
/// and any part of it can be asked for by itself.
///
/// A Feistel network (Luby and Rackoff 1988) over a grid of `size` rounded up, with cycle walking: what falls outside of
/// 0..size-1 is sent through again (Black and Rogaway 2002, "Ciphers with arbitrary finite domains"). The grid has a
/// power of two of columns and just enough rows, so that walking is rare, and halves are added, not xored, since rows are
/// any number (their section 4). The tests cannot tell it from Fisher and Yates's shuffle; it is not meant to keep
/// secrets.
class Permutation {
 public:
  Permutation() = default;
  /// Fixed by (seed, purpose, index). `size` is at least 1.
  Permutation(std::uint32_t size, std::uint64_t seed, RandomPurpose purpose, std::uint32_t index,
              std::uint32_t stream = 0);

  std::uint32_t at(std::uint32_t position) const {
    do {
      position = once(position);
    } while (position >= size_);
    return position;
  }

 private:
  // The smaller the halves, the less a round mixes. With 18 rounds the 120 orders of 5 elements are visibly uneven, with
  // 24 not; beyond some thousand elements 6 pass every test.
  static constexpr std::uint32_t kRoundsMax = 24;
  static constexpr std::uint32_t kRoundsLarge = 8;
  static constexpr std::uint32_t kLarge = 1024;

  // Spreads 32 bits well over the high bits (constants of C. Wellons's and TheIronBorn's search, "hash prospector").
  static std::uint32_t mixed(std::uint32_t value, std::uint32_t key) {
    value = value * 0x9E3779B1u + key;
    value = (value ^ value >> 16) * 0x21F0AAADu;
    return (value ^ value >> 15) * 0x735A2D97u;
  }

  std::uint32_t once(std::uint32_t position) const {
    std::uint32_t row = position >> column_bits_;
    std::uint32_t column = position & column_mask_;
    for (std::uint32_t round = 0; round < rounds_; round += 2) {
      row += static_cast<std::uint32_t>(std::uint64_t{mixed(column, keys_[round])} * rows_ >> 32);
      row -= row >= rows_ ? rows_ : 0;
      column = (column + (mixed(row, keys_[round + 1]) >> (32 - column_bits_))) & column_mask_;
    }
    return row << column_bits_ | column;
  }

  std::uint32_t size_ = 1;
  std::uint32_t column_bits_ = 1;
  std::uint32_t column_mask_ = 1;
  std::uint32_t rows_ = 1;
  std::uint32_t rounds_ = kRoundsMax;
  std::array<std::uint32_t, kRoundsMax> keys_{};
};

}  // namespace millrace
