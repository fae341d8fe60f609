#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "permutation.h"

namespace millrace {

enum class SamplingType {
  kShuffle,     // every row once an epoch, in an order of its own
  kSequential,  // every row once, in the order of the examples
  kWeighted,    // as many draws an epoch as rows, with replacement, each row as likely as its weight
  kStratified,  // every row once; each batch has nearly the classes' proportions of the whole
};

struct SamplingOptions {
  SamplingType type = SamplingType::kShuffle;
  std::vector<float> weights;  // kWeighted: one a row, not negative, not all 0; empty otherwise
};

/// What a sampler must know of the examples. `labels` [rows] in 0..classes-1 for kStratified; may be null otherwise.
struct SampledRows {
  std::size_t rows;
  std::size_t batch_rows;
  const std::int32_t* labels;
  std::size_t classes;
};

/// Which row of the examples stands at which position of an epoch: a pure function of (options, seed, epoch, position),
/// so that an epoch can be gone on with from anywhere, and any thread can ask for its own part.
///
/// Memory: none for kShuffle and kSequential; 8 bytes a row for kWeighted (the alias table); 4 bytes a row for
/// kStratified (rows by class).
class Sampler {
 public:
  /// Refuses weights that are no distribution.
  Sampler(SamplingOptions options, std::uint64_t seed);

  /// Before the first `fill` of an epoch. Takes constant time, except for kStratified, which reads the labels, and the first of
  /// kWeighted, which reads the weights.
  /// Refuses weights that are not one a row, and kStratified without labels.
  void begin(const SampledRows& sampled, std::uint32_t epoch);

  /// The rows at positions first..first+count-1. Any number of threads may call it at once.
  void fill(std::size_t first, std::size_t count, std::uint32_t* out) const;

 private:
  /// Rows by class, and the order in which they are dealt out to batches.
  struct Strata {
    std::vector<std::uint32_t> rows;    // class by class
    std::vector<std::uint32_t> begins;  // of each class in `rows`, and the end
    std::vector<Permutation> orders;    // of each class's rows; classes without rows are never asked
    std::uint32_t batch_rows;
    std::uint32_t last_rows;     // of the last batch
    std::uint32_t full_batches;  // before the last one
    Permutation batches;
    Permutation places;       // in a full batch
    Permutation last_places;  // in the last batch
  };

  void make_alias_table();
  void sort_by_class(const SampledRows&);
  std::uint32_t weighted_row(std::uint32_t position) const;
  std::uint32_t stratified_row(std::uint32_t position) const;

  SamplingOptions options_;
  std::uint64_t seed_;
  std::uint32_t epoch_ = 0;
  Permutation order_;
  std::vector<float> keep_;           // kWeighted: probability that a row keeps its own draws
  std::vector<std::uint32_t> alias_;  // and who gets the others
  Strata strata_{};
};

}  // namespace millrace
