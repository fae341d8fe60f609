#include "engine/random.h"

#include "check.h"

namespace millrace::test {
namespace {

// Known answers published with the Random123 library (kat_vectors, philox4x32 10).
TEST("philox gives the published numbers") {
  CHECK((philox({0, 0, 0, 0}, {0, 0}) ==
         std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  CHECK((philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
         std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
         std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST("below stays below and reaches every number") {
  Random random(1, RandomPurpose::kShuffle, 0);
  std::array<int, 7> counts{};
  for (int i = 0; i < 7000; ++i) ++counts[random.below(7)];
  // 1,000 each, give or take 30; 200 is more than six deviations.
  for (const int count : counts) CHECK(count > 800 && count < 1200);
  CHECK(random.below(1) == 0);
}

}  // namespace
}  // namespace millrace::test
