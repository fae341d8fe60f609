#include "engine/sampler.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "check.h"
#include "engine/error.h"
#include "engine/permutation.h"

namespace millrace::test {
namespace {

std::vector<std::uint32_t> epoch_of(Sampler& sampler, const SampledRows& sampled, std::uint32_t epoch) {
  std::vector<std::uint32_t> order(sampled.rows);
  sampler.begin(sampled, epoch);
  sampler.fill(0, order.size(), order.data());
  return order;
}

bool is_permutation_of_all(std::vector<std::uint32_t> order) {
  std::sort(order.begin(), order.end());
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    if (order[i] != i) return false;
  }
  return true;
}

/// How many standard deviations a chi-square statistic lies above its mean. Fixed seeds: it is the same number every time.
double chi_square(const std::vector<int>& counts, double expected, double degrees) {
  double sum = 0.0;
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  return (sum - degrees) / std::sqrt(2.0 * degrees);
}

/// Fisher and Yates's shuffle, the yardstick.
std::vector<std::uint32_t> shuffled(std::uint32_t size, std::uint64_t seed) {
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  Random random(seed, RandomPurpose::kShuffle, 99);
  for (std::uint32_t last = size; last > 1; --last) std::swap(order[last - 1], order[random.below(last)]);
  return order;
}

std::vector<std::uint32_t> permuted(std::uint32_t size, std::uint64_t seed) {
  const Permutation permutation(size, seed, RandomPurpose::kShuffle, 0);
  std::vector<std::uint32_t> order(size);
  for (std::uint32_t i = 0; i < size; ++i) order[i] = permutation.at(i);
  return order;
}

TEST("a permutation holds every number once, for every size") {
  for (std::uint32_t size = 1; size < 5000; size += size < 300 ? 1 : 97) {
    CHECK(is_permutation_of_all(permuted(size, size)));
  }
  const std::uint32_t largest = 0xffffffff;
  const Permutation huge(largest, 1, RandomPurpose::kShuffle, 0);
  for (std::uint32_t i = 0; i < 100; ++i) CHECK(huge.at(largest - 1 - i) < largest);
}

TEST("all orders of few elements are equally likely") {
  for (const std::uint32_t size : {2, 3, 4, 5, 6}) {
    std::map<std::vector<std::uint32_t>, int> counts;
    constexpr int kTrials = 50000;
    for (int trial = 0; trial < kTrials; ++trial) ++counts[permuted(size, trial)];
    double orders = 1.0;
    for (std::uint32_t i = 2; i <= size; ++i) orders *= i;
    CHECK(static_cast<double>(counts.size()) == orders);
    std::vector<int> flat;
    for (const auto& [order, count] : counts) flat.push_back(count);
    CHECK(chi_square(flat, kTrials / orders, orders - 1.0) < 4.0);
  }
}

using Maker = std::vector<std::uint32_t> (*)(std::uint32_t, std::uint64_t);

struct Deviations {
  double positions;  // which element stands at which position
  double pairs;      // which element follows which
  double steps;      // by how much the next element differs, by position
};

Deviations deviations_of(Maker make, std::uint32_t size, int trials) {
  std::vector<int> positions(size * size), pairs(size * size), steps(size * size);
  for (int trial = 0; trial < trials; ++trial) {
    const std::vector<std::uint32_t> order = make(size, static_cast<std::uint64_t>(trial));
    for (std::uint32_t i = 0; i < size; ++i) {
      ++positions[i * size + order[i]];
      if (i == 0) continue;
      ++pairs[order[i - 1] * size + order[i]];
      ++steps[i * size + (order[i] + size - order[i - 1]) % size];
    }
  }
  // No element follows itself, no step is 0, and there is none before the first.
  for (std::uint32_t i = size; i-- > 0;) pairs.erase(pairs.begin() + i * size + i);
  for (std::uint32_t i = size; i-- > 1;) steps.erase(steps.begin() + i * size);
  steps.erase(steps.begin(), steps.begin() + size);
  const double n = size;
  return {chi_square(positions, trials / n, (n - 1) * (n - 1)), chi_square(pairs, trials / n, n * (n - 1) - 1),
          chi_square(steps, trials / (n - 1), (n - 1) * (n - 2))};
}

TEST("positions, neighbours and steps are as even as in Fisher and Yates's shuffle") {
  for (const std::uint32_t size : {7, 16, 17, 60, 97}) {
    for (const Maker make : {shuffled, permuted}) {
      const Deviations d = deviations_of(make, size, 8000);
      CHECK(d.positions < 4.5 && d.pairs < 4.5 && d.steps < 4.5);
    }
  }
}

TEST("a large permutation mixes near and far") {
  constexpr std::uint32_t kSize = 100003, kCells = 50;
  for (const Maker make : {shuffled, permuted}) {
    const std::vector<std::uint32_t> order = make(kSize, 3);
    std::vector<int> cells(kCells * kCells), following(kCells * kCells);
    double covariance = 0.0;
    for (std::uint32_t i = 0; i < kSize; ++i) {
      const std::uint64_t cell = std::uint64_t{order[i]} * kCells / kSize;
      ++cells[std::uint64_t{i} * kCells / kSize * kCells + cell];
      if (i == 0) continue;
      ++following[std::uint64_t{order[i - 1]} * kCells / kSize * kCells + cell];
      covariance += (order[i - 1] / (kSize - 1.0) - 0.5) * (order[i] / (kSize - 1.0) - 0.5);
    }
    const double expected = static_cast<double>(kSize) / (kCells * kCells);
    CHECK(chi_square(cells, expected, (kCells - 1) * (kCells - 1)) < 4.0);
    CHECK(chi_square(following, expected, (kCells - 1) * (kCells - 1)) < 4.0);
    // The correlation of neighbours: 0, give or take 1 / sqrt(size).
    CHECK_NEAR(covariance * 12.0 / kSize, 0.0, 4.0 / std::sqrt(kSize));
  }
}

TEST("an epoch's order is fixed by seed and epoch, and the same in parts") {
  const std::vector<std::int32_t> labels = [] {
    std::vector<std::int32_t> result(1000);
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<std::int32_t>(i * i % 7 % 3);
    return result;
  }();
  const SampledRows sampled{1000, 48, labels.data(), 3};
  for (const SamplingType type : {SamplingType::kShuffle, SamplingType::kSequential, SamplingType::kWeighted,
                                  SamplingType::kStratified}) {
    SamplingOptions options{type, {}};
    if (type == SamplingType::kWeighted) options.weights.assign(1000, 0.5f);
    Sampler sampler(options, 5), same(options, 5), other(options, 6);
    const std::vector<std::uint32_t> whole = epoch_of(sampler, sampled, 2);
    CHECK(whole == epoch_of(same, sampled, 2));
    CHECK((whole == epoch_of(other, sampled, 2)) == (type == SamplingType::kSequential));
    CHECK((whole == epoch_of(same, sampled, 3)) == (type == SamplingType::kSequential));
    CHECK(is_permutation_of_all(whole) == (type != SamplingType::kWeighted));
    for (std::size_t first = 0; first < 1000; first += 37) {
      std::uint32_t part[37];
      const std::size_t count = std::min<std::size_t>(37, 1000 - first);
      sampler.fill(first, count, part);
      CHECK(std::equal(part, part + count, whole.begin() + static_cast<std::ptrdiff_t>(first)));
    }
  }
}

TEST("weighted rows come as often as their weights say, and those of weight 0 never") {
  const std::vector<float> pattern{0.0f, 1.0f, 2.0f, 0.25f, 7.0f, 1e-3f};
  SamplingOptions options{SamplingType::kWeighted, {}};
  for (int i = 0; i < 600; ++i) options.weights.push_back(pattern[i % 6]);
  Sampler sampler(options, 1);
  std::vector<double> counts(600);
  constexpr int kEpochs = 500;
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    for (const std::uint32_t row : epoch_of(sampler, {600, 32, nullptr, 0}, epoch)) counts[row] += 1.0;
  }
  const double total = std::accumulate(options.weights.begin(), options.weights.end(), 0.0);
  for (std::size_t row = 0; row < 600; ++row) {
    const double expected = options.weights[row] / total * 600 * kEpochs;
    if (expected == 0.0) CHECK(counts[row] == 0.0);
    // 600 rows: the largest of as many normal numbers is below 5 deviations. Rare rows are Poisson.
    CHECK_NEAR(counts[row], expected, 5.0 * std::sqrt(expected) + 5.0);
  }
}

TEST("every stratified batch has the classes' proportions, the last one too") {
  for (const std::uint32_t rows : {1u, 5u, 31u, 32u, 33u, 200u, 1000u, 4097u}) {
    for (const std::uint32_t batch_rows : {1u, 7u, 32u, 300u}) {
      std::vector<std::int32_t> labels(rows);
      // Four classes of 50, 30, 19 and 1 %, in blocks, and a fifth without rows.
      for (std::uint32_t i = 0; i < rows; ++i) {
        const std::uint32_t percent = static_cast<std::uint32_t>(std::uint64_t{i} * 100 / rows);
        labels[i] = percent < 50 ? 3 : percent < 80 ? 0 : percent < 99 ? 1 : 4;
      }
      Sampler sampler({SamplingType::kStratified, {}}, 9);
      const std::uint32_t batch = std::min(batch_rows, rows);
      const std::vector<std::uint32_t> order = epoch_of(sampler, {rows, batch, labels.data(), 5}, 1);
      CHECK(is_permutation_of_all(order));
      std::vector<double> totals(5);
      for (const std::int32_t label : labels) totals[label] += 1.0;
      for (std::uint32_t begin = 0; begin < rows; begin += batch) {
        const std::uint32_t end = std::min(begin + batch, rows);
        std::vector<double> counts(5);
        for (std::uint32_t i = begin; i < end; ++i) counts[labels[order[i]]] += 1.0;
        for (std::size_t label = 0; label < 5; ++label) {
          CHECK_NEAR(counts[label], totals[label] * (end - begin) / rows, 2.0);
        }
      }
    }
  }
}

TEST("bad sampling is refused with its field") {
  const auto field_of = [](const std::function<void()>& body) -> std::string {
    try {
      body();
    } catch (const Error& error) {
      return error.field();
    }
    return "nothing refused";
  };
  const auto weighted = [](std::vector<float> weights) {
    Sampler({SamplingType::kWeighted, std::move(weights)}, 1).begin({2, 1, nullptr, 0}, 0);
  };
  CHECK(field_of([&] { weighted({1.0f, -1.0f}); }) == "sampling.weights");
  CHECK(field_of([&] { weighted({1.0f, NAN}); }) == "sampling.weights");
  CHECK(field_of([&] { weighted({1.0f, INFINITY}); }) == "sampling.weights");
  CHECK(field_of([&] { weighted({0.0f, 0.0f}); }) == "sampling.weights");
  CHECK(field_of([&] { weighted({1.0f, 1.0f, 1.0f}); }) == "sampling.weights");
  CHECK(field_of([&] { Sampler({SamplingType::kStratified, {}}, 1).begin({2, 1, nullptr, 0}, 0); }) == "sampling");
  const std::int32_t labels[] = {0, -1};
  CHECK(field_of([&] { Sampler({SamplingType::kStratified, {}}, 1).begin({2, 1, labels, 2}, 0); }) == "targets");
}

}  // namespace
}  // namespace millrace::test
