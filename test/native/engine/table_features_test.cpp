#include "engine/table_features.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "check.h"

namespace millrace::test {
namespace {

constexpr std::size_t kTableRows = 1001, kTableWidth = 5;

std::vector<float> features_of(const std::vector<NumberFeature>& numbers, const CategoryFeature& categories,
                               InstructionSet set) {
  std::vector<std::int32_t> rows(kTableRows);
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<float> target(kTableRows * kTableWidth, 7.0f);
  CHECK(write_features(numbers, {&categories, 1}, rows, target.data(), kTableWidth, set));
  return target;
}

TEST("features of tables are the same bits on every processor") {
  std::vector<double> doubles(kTableRows);
  std::vector<std::int64_t> integers(kTableRows);
  std::vector<std::uint8_t> validity(kTableRows / 8 + 1), bytes;
  std::vector<std::int32_t> offsets{0};
  for (std::size_t i = 0; i < kTableRows; ++i) {
    doubles[i] = std::sin(static_cast<double>(i)) * 1e3;
    integers[i] = static_cast<std::int64_t>(i * i) - 5000;
    if (i % 3 != 0) validity[i / 8] = static_cast<std::uint8_t>(validity[i / 8] | 1 << i % 8);
    const std::string text = i % 2 == 0 ? "even" : "a text that is longer";
    bytes.insert(bytes.end(), text.begin(), text.end());
    offsets.push_back(static_cast<std::int32_t>(bytes.size()));
  }
  const double filling = 0.1;
  const std::vector<NumberFeature> numbers{
      {Datatype::kFloat64, doubles.data(), validity.data(), &filling, {{0.3, 1.7}, {0.01, 3.0}}, 0},
      {Datatype::kInt64, integers.data(), nullptr, nullptr, {{12.5, 0.7}}, 3}};
  TextIndex known(bytes.data() + bytes.size());
  known.add(bytes.data(), static_cast<std::size_t>(offsets[1]));
  const CategoryFeature categories{{bytes.data(), bytes.size(), offsets.data(), nullptr}, &known, true, 1};
  const std::vector<float> portable = features_of(numbers, categories, InstructionSet::kPortable);
  CHECK(portable[0] == static_cast<float>(((filling - 0.3) / 1.7 - 0.01) / 3.0));
  CHECK(portable[1] == 1 && portable[2] == 0 && portable[kTableWidth + 1] == 0 && portable[kTableWidth + 2] == 1);
  CHECK(portable[3] == static_cast<float>((-5000 - 12.5) / 0.7) && portable[4] == 0);
  for (const InstructionSet set : {InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (!is_available(set)) continue;
    const std::vector<float> wide = features_of(numbers, categories, set);
    CHECK(std::memcmp(portable.data(), wide.data(), portable.size() * sizeof(float)) == 0);
  }
}

}  // namespace
}  // namespace millrace::test
