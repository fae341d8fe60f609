#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "../aligned_buffer.h"
#include "../kernels.h"
#include "../network.h"
#include "../optimization.h"
#include "../panel.h"
#include "../thread_pool.h"

namespace millrace {

/// Rows of a dataset that pass through the network together: a batch, or a part of a large one.
struct Slice {
  const std::uint32_t* order;  // source row of each row; null for `first_row` onwards
  std::size_t first_row;       // with an order: the slice's place in the epoch
  std::size_t rows;
  float weight;             // 1 / rows of the whole batch
  std::size_t batch_row;    // of the slice's first row in its batch
  std::uint64_t step;       // counted from 0 over all epochs; with `batch_row` it decides what dropout drops
  bool training;            // false: no dropout, moving statistics
};

/// Whether a product's panels can be shared out without one member having much more to do; otherwise its rows are.
constexpr bool shares_evenly(std::size_t panels, unsigned members) {
  return panels % members == 0 || panels >= 4 * std::size_t{members};
}

/// Every value of a network and the error at it (the gradient of the loss), for one slice, in panels of the slice's rows.
/// Inputs are double: one is read while the next slice is gathered into the other. The error of a value that a dense
/// layer made with a fused activation is the error at that activation's input.
class Values {
 public:
  /// `input_error` also makes room for the gradient of the inputs.
  Values(const Network&, std::size_t rows_max, bool input_error);

  float* input(unsigned buffer) { return inputs_[buffer].data(); }
  /// See Gather.
  std::uint16_t* nonzero(unsigned buffer) { return nonzero_[buffer].data(); }
  float* at(std::size_t value, unsigned buffer) { return value == 0 ? input(buffer) : results_[value - 1].data(); }
  float* error(std::size_t value) { return errors_[value].data(); }
  bool has_error(std::size_t value) const { return !errors_[value].empty(); }

 private:
  AlignedBuffer<float> inputs_[2];
  AlignedBuffer<std::uint16_t> nonzero_[2];
  std::vector<AlignedBuffer<float>> results_;
  std::vector<AlignedBuffer<float>> errors_;
};

/// One operation of a network as it is trained. Members of a team call the same method at once, each with its share: all
/// rows by some panels, or some rows by all panels. Between methods the team meets, except that one member may go from
/// an operation to the next with its rows while neither needs whole columns.
class Layer {
 public:
  /// What a layer works on. All outlive it.
  struct Context {
    const Kernels& kernels;
    Network& network;
    Values& values;
    const ParameterBlocks& blocks;  // where the network's parameters and what lies beside them begin
    const ThreadPool& pool;
    std::size_t rows_max;
    std::uint64_t seed;  // of what dropout drops
  };

  Layer(const Operation&, const Context&);
  virtual ~Layer() = default;

  const Operation& operation() const { return operation_; }
  /// Whether `forward` and `backward` must be given all rows, because each column is worked on as a whole.
  virtual bool whole_columns() const { return false; }
  /// Copies the parameters that `backward` reads, since `weigh` may change them at the same time.
  virtual void refresh(unsigned) {}
  /// From the operation's input to its result, for these rows and panels of the result.
  virtual void forward(const Slice&, unsigned buffer, Range rows, Range panels) = 0;
  /// From the error of the result to that of the input, for these rows and panels of the input.
  virtual void backward(const Slice&, unsigned buffer, Range rows, Range panels) = 0;
  /// The gradient of the layer's own parameters, which becomes what `mode` says, for this member's share.
  virtual void weigh(const Slice&, unsigned, unsigned, WeightGradient::Mode, const Update&) {}
  /// What a finished step changes besides, for this member's share: moving statistics.
  virtual void settle(const Slice&, unsigned) {}
  /// Adds to each row's entry the squared norm of that one example's gradient of the layer's parameters.
  virtual void add_squared_norms(const Slice&, unsigned, double*) const {}

  /// Takes the finished error of `value`, an input of this operation, through the activation that was fused into the
  /// product which made it; does nothing while another operation has still to add to it.
  void finish_input_error(const Slice&, unsigned buffer, std::size_t value, Range rows, Range panels) const;

 protected:
  const float* input(unsigned buffer) const { return context_.values.at(operation_.input, buffer); }
  float* result(unsigned buffer) const { return context_.values.at(result_, buffer); }
  float* error() const { return context_.values.error(result_); }
  float* input_error() const { return context_.values.error(operation_.input); }
  const float* parameters(std::size_t offset) const { return context_.network.parameters() + offset; }
  ParameterBlocks blocks_at(std::size_t offset) const;
  /// Where gradients arrive at `value` from several operations, the first to come sets and the others add.
  bool adds_to(std::size_t value) const;
  /// The activation fused into the product that made `value`, if this operation is the last to write the value's error.
  Activation fused_activation(std::size_t value) const;
  /// Calls body(offset of a line of 16, row, panel) for every line of a matrix of the slice.
  template <typename Body>
  static void each_line(const Slice& slice, Range rows, Range panels, Body body) {
    for (std::size_t panel = panels.begin; panel < panels.end; ++panel) {
      for (std::size_t row = rows.begin; row < rows.end; ++row) {
        body((panel * slice.rows + row) * kPanelWidth, row, panel);
      }
    }
  }
  /// One line of 16 of a gradient: stored, added, or consumed by the optimizer.
  void apply_line(std::size_t offset, const float* gradient, WeightGradient::Mode, const Update&) const;
  /// Of the team at work.
  unsigned members() const { return context_.pool.size(); }
  Range own_panels(std::size_t columns, unsigned member) const;
  /// Copies this member's share of a vector of parameters.
  void copy_own(std::size_t offset, unsigned member, AlignedBuffer<float>& copy) const;

  const Operation& operation_;
  const Context context_;
  const std::size_t result_;

 private:
  std::size_t index() const { return result_ - 1; }
};

/// The layer for an operation of a network.
std::unique_ptr<Layer> make_layer(const Operation&, const Layer::Context&);

}  // namespace millrace
