#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "error.h"
#include "random.h"

namespace millrace {
namespace {

// Streams of RandomPurpose::kSampling within an epoch; classes come after.
constexpr std::uint32_t kBatches = 0, kPlaces = 1, kLastPlaces = 2, kFirstClass = 3;

void expect_weights(const std::vector<float>& weights) {
  for (std::size_t row = 0; row < weights.size(); ++row) {
    if (weights[row] >= 0.0f && std::isfinite(weights[row])) continue;
    refuse("sampling.weights", "Expected `sampling.weights` to be finite and not negative but received " +
                                   std::to_string(weights[row]) + " in row " + std::to_string(row) + ".");
  }
  if (std::any_of(weights.begin(), weights.end(), [](float weight) { return weight > 0.0f; })) return;
  refuse("sampling.weights", "Expected `sampling.weights` to have a weight above 0.");
}

}  // namespace

Sampler::Sampler(SamplingOptions options, std::uint64_t seed) : options_(std::move(options)), seed_(seed) {
  if (options_.type == SamplingType::kWeighted) expect_weights(options_.weights);
}

// Walker's alias method, built as Vose 1991 ("A linear algorithm for generating random numbers with a given
// distribution"): rows with less than the mean weight are filled up to it by one row with more.
void Sampler::make_alias_table() {
  const std::vector<float>& weights = options_.weights;
  const double mean =
      std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(weights.size());
  keep_.assign(weights.size(), 1.0f);
  alias_.resize(weights.size());
  std::iota(alias_.begin(), alias_.end(), 0u);
  std::vector<double> left(weights.size());
  std::vector<std::uint32_t> small, large;
  for (std::uint32_t row = 0; row < weights.size(); ++row) {
    left[row] = weights[row] / mean;
    (left[row] < 1.0 ? small : large).push_back(row);
  }
  while (!small.empty() && !large.empty()) {
    const std::uint32_t poor = small.back(), rich = large.back();
    small.pop_back();
    keep_[poor] = static_cast<float>(left[poor]);
    alias_[poor] = rich;
    left[rich] -= 1.0 - left[poor];
    if (left[rich] >= 1.0) continue;
    large.pop_back();
    small.push_back(rich);
  }
  // Roundings may leave a row of weight 0 without a richer one; it must not be drawn all the same.
  const auto richest = static_cast<std::uint32_t>(std::max_element(weights.begin(), weights.end()) - weights.begin());
  for (const std::uint32_t row : small) {
    if (weights[row] > 0.0f) continue;
    keep_[row] = 0.0f;
    alias_[row] = richest;
  }
  // The table says all that the weights said.
  options_.weights = {};
}

void Sampler::begin(const SampledRows& sampled, std::uint32_t epoch) {
  epoch_ = epoch;
  const auto rows = static_cast<std::uint32_t>(sampled.rows);
  switch (options_.type) {
    case SamplingType::kSequential:
      return;
    case SamplingType::kShuffle:
      order_ = Permutation(rows, seed_, RandomPurpose::kShuffle, epoch);
      return;
    case SamplingType::kWeighted:
      if (keep_.empty()) make_alias_table();
      if (keep_.size() == sampled.rows) return;
      refuse("sampling.weights", "Expected `sampling.weights` to have one weight for each of " +
                                     std::to_string(sampled.rows) + " rows but received " +
                                     std::to_string(keep_.size()) + ".");
    case SamplingType::kStratified:
      if (sampled.labels == nullptr) {
        refuse("sampling", "Expected targets that are class indices for stratified sampling.");
      }
      sort_by_class(sampled);
      return;
  }
}

void Sampler::sort_by_class(const SampledRows& sampled) {
  Strata& s = strata_;
  const auto rows = static_cast<std::uint32_t>(sampled.rows);
  s.rows.resize(rows);
  s.begins.assign(sampled.classes + 1, 0);
  for (std::uint32_t row = 0; row < rows; ++row) {
    const auto label = static_cast<std::size_t>(sampled.labels[row]);
    // The examples have been checked, but what is used as an index is looked at again.
    if (label >= sampled.classes) refuse("targets", "Expected `targets` not to change between epochs.");
    ++s.begins[label + 1];
  }
  std::partial_sum(s.begins.begin(), s.begins.end(), s.begins.begin());
  std::vector<std::uint32_t> next(s.begins.begin(), s.begins.end() - 1);
  for (std::uint32_t row = 0; row < rows; ++row) s.rows[next[static_cast<std::size_t>(sampled.labels[row])]++] = row;
  const auto permutation = [&](std::uint32_t size, std::uint32_t stream) {
    return Permutation(std::max(size, 1u), seed_, RandomPurpose::kSampling, epoch_, stream);
  };
  s.orders.clear();
  for (std::uint32_t label = 0; label < sampled.classes; ++label) {
    s.orders.push_back(permutation(s.begins[label + 1] - s.begins[label], kFirstClass + label));
  }
  s.batch_rows = static_cast<std::uint32_t>(sampled.batch_rows);
  s.full_batches = (rows - 1) / s.batch_rows;
  s.last_rows = rows - s.full_batches * s.batch_rows;
  s.batches = permutation(s.full_batches, kBatches);
  s.places = permutation(s.batch_rows, kPlaces);
  s.last_places = permutation(s.last_rows, kLastPlaces);
}

// The rows, class by class, are dealt out like cards, one to each batch a round, so that the batches differ by a card or
// two in any class. The last, shorter batch takes part in `last_rows` of the `batch_rows` rounds, evenly spread: before
// round m it has got m * last_rows / batch_rows, rounded down.
std::uint32_t Sampler::stratified_row(std::uint32_t position) const {
  const Strata& s = strata_;
  const std::uint32_t batch = position / s.batch_rows;
  const std::uint32_t place = position % s.batch_rows;
  std::uint64_t card;
  if (batch < s.full_batches) {
    const std::uint64_t round = s.places.at(place);
    card = round * s.full_batches + round * s.last_rows / s.batch_rows + s.batches.at(batch);
  } else {
    const std::uint64_t got = s.last_places.at(place);
    // The round in which it gets card number `got`, counted from 0.
    const std::uint64_t round = ((got + 1) * s.batch_rows + s.last_rows - 1) / s.last_rows - 1;
    card = (round + 1) * s.full_batches + got;
  }
  const auto end = std::upper_bound(s.begins.begin(), s.begins.end(), static_cast<std::uint32_t>(card));
  const auto label = static_cast<std::size_t>(end - s.begins.begin()) - 1;
  return s.rows[s.begins[label] + s.orders[label].at(static_cast<std::uint32_t>(card) - s.begins[label])];
}

std::uint32_t Sampler::weighted_row(std::uint32_t position) const {
  const std::array<std::uint32_t, 4> random =
      philox({position, 0, epoch_, static_cast<std::uint32_t>(RandomPurpose::kSampling)},
             {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  // The high half of 64 random bits times the number of rows: uniform to 2^-32.
  const std::uint64_t rows = keep_.size();
  const auto row = static_cast<std::uint32_t>((random[1] * rows + (random[0] * rows >> 32)) >> 32);
  return static_cast<float>(random[2] >> 8) * 0x1p-24f < keep_[row] ? row : alias_[row];
}

void Sampler::fill(std::size_t first, std::size_t count, std::uint32_t* out) const {
  const auto begin = static_cast<std::uint32_t>(first);
  switch (options_.type) {
    case SamplingType::kSequential:
      std::iota(out, out + count, begin);
      return;
    case SamplingType::kShuffle:
      for (std::uint32_t i = 0; i < count; ++i) out[i] = order_.at(begin + i);
      return;
    case SamplingType::kWeighted:
      for (std::uint32_t i = 0; i < count; ++i) out[i] = weighted_row(begin + i);
      return;
    case SamplingType::kStratified:
      for (std::uint32_t i = 0; i < count; ++i) out[i] = stratified_row(begin + i);
      return;
  }
}

}  // namespace millrace
