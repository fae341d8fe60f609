#include "random.h"

#include <cmath>

namespace millrace {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53u;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57u;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9u;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85u;
constexpr int kRounds = 10;

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Random::Random(std::uint64_t seed, RandomPurpose purpose, std::uint32_t index)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
      counter_{0, 0, index, static_cast<std::uint32_t>(purpose)} {}

void Random::refill() {
  block_ = philox(counter_, key_);
  if (++counter_[0] == 0) ++counter_[1];
  used_ = 0;
}

std::uint32_t Random::next() {
  if (used_ == block_.size()) refill();
  return block_[used_++];
}

std::uint32_t Random::below(std::uint32_t bound) {
  std::uint64_t product = std::uint64_t{next()} * bound;
  if (static_cast<std::uint32_t>(product) < bound) {
    const std::uint32_t threshold = (0u - bound) % bound;
    while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next()} * bound;
  }
  return static_cast<std::uint32_t>(product >> 32);
}

float Random::unit() { return static_cast<float>(next() >> 8) * 0x1p-24f; }

double Random::normal() {
  while (true) {
    const double a = 2.0 * unit() - 1.0;
    const double b = 2.0 * unit() - 1.0;
    const double square = a * a + b * b;
    if (square < 1.0 && square != 0.0) return a * std::sqrt(-2.0 * std::log(square) / square);
  }
}

float Random::truncated_normal() {
  while (true) {
    const double value = normal();
    if (std::abs(value) < 2.0) return static_cast<float>(value);
  }
}

}  // namespace millrace
