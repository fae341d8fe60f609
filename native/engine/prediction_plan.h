#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "operation.h"
#include "parameter_block.h"

namespace millrace {

/// What prediction computes: a network's operations without dropout, with batch normalisations folded into the dense
/// layers before them (or turned into kScale), and every elementwise activation fused into its dense layer except the
/// network's last, whose input losses want to see.
class PredictionPlan {
 public:
  PredictionPlan() = default;
  PredictionPlan(const std::vector<Operation>& operations, std::size_t block_size);

  /// Values are numbered anew: 0 is the input, i + 1 the result of operation i. Offsets are into `parameters`.
  const std::vector<Operation>& operations() const { return operations_; }
  /// Which scratch matrix holds a value; no two values that are needed at the same time share one. Not for value 0.
  std::size_t slot(std::size_t value) const { return slots_[value]; }
  /// Whether only dense layers read the input, so that it may be row-major.
  bool products_read_input() const { return products_read_input_; }
  std::size_t slot_count() const { return slot_count_; }

  /// Of one row; an operation other than a product counts one for each number it makes.
  std::size_t multiply_adds() const;

  /// The block that `operations` read: the network's own, or a copy with the folded numbers in it.
  const float* parameters(const float* block) const { return folded_.empty() ? block : folded_.data(); }
  /// Memory of the plan's own parameters.
  std::size_t parameter_bytes() const { return folded_.size() * sizeof(float); }
  /// The plan with a block of its own that holds all parameters but the kernels and biases of dense layers, which somebody
  /// else computes.
  PredictionPlan without_products(const float* block) const;

  /// Floats of the block that `fold` makes; 0 where nothing is folded.
  std::size_t folded_size() const { return folds_.empty() ? 0 : folded_size_; }
  const ParameterBlock& folded() const { return folded_; }
  void adopt(ParameterBlock folded) { folded_ = std::move(folded); }

  /// Computes the folded numbers from the network's block.
  void fold(const float* block);

 private:
  struct Fold {
    std::size_t operation;    // of this plan: a dense layer or kScale
    Operation normalization;  // as it stands in the network
  };

  void assign_slots();

  std::vector<Operation> operations_;
  std::vector<std::size_t> slots_;
  std::size_t slot_count_ = 0;
  bool products_read_input_ = false;
  std::vector<Fold> folds_;
  std::size_t block_size_ = 0;
  std::size_t folded_size_ = 0;
  ParameterBlock folded_;
};

}  // namespace millrace
