#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "aligned_buffer.h"
#include "datatype.h"
#include "kernels.h"
#include "operation.h"

namespace millrace {

enum class GraphStepType { kDense, kActivation, kPrelu, kScale, kClip, kArithmetic, kConcatenate, kCast };

enum class Arithmetic { kAdd, kSubtract, kMultiply, kDivide };

/// Reads values and makes the next. Values are numbered: those of the graph's inputs first, then one for each step. All but
/// kConcatenate and kCast take and make float32.
struct GraphStep {
  GraphStepType type{};
  std::vector<std::size_t> inputs;  // values: one; kArithmetic one or two; kConcatenate any number
  std::size_t units = 0;            // kDense
  Activation activation = Activation::kLinear;  // kDense: elementwise ones, with their default parameter; kActivation
  float parameter = 0.0f;                       // kActivation
  /// Row-major; copied. kDense the kernel [inner, units], or `transposed` [units, inner]; by column: kPrelu alpha, kScale the
  /// factor, kArithmetic of one value the other operand.
  std::span<const float> weights;
  bool transposed = false;
  std::span<const float> bias;         // kDense [units] or none, kScale the summand
  bool reversed = false;               // kArithmetic of one value: that value is the right operand
  Arithmetic arithmetic{};
  float lowest = 0.0f;                 // kClip
  float highest = 0.0f;
  std::size_t blocks = 1;              // kConcatenate: the inputs' rows are so many blocks, which are put together block by block
  Datatype datatype = Datatype::kFloat32;  // kCast
};

struct GraphInput {
  Datatype datatype;
  std::size_t columns;
};

struct GraphSpec {
  std::vector<GraphInput> inputs;
  std::vector<GraphStep> steps;
  std::vector<std::size_t> outputs;  // values
};

/// Prediction for any graph of rows: several inputs and outputs, of any datatype, branches that meet. Nothing is fused or
/// folded here: a step does what it says. Does not change once made.
class PredictionGraph {
 public:
  /// Memory that predictions need, kept from one to the next; each thread has its own.
  struct Scratch {
    std::vector<AlignedBuffer<float>> slots;
  };

  /// Refuses what does not fit, naming the step.
  explicit PredictionGraph(const GraphSpec&);

  const std::vector<GraphInput>& inputs() const { return inputs_; }
  std::size_t output_count() const { return outputs_.size(); }
  std::size_t output_row_bytes(std::size_t output) const;
  /// Memory of the parameters.
  std::size_t bytes() const { return parameters_.size() * sizeof(float); }
  /// Of one row.
  std::size_t multiply_adds() const { return multiply_adds_; }

  void reserve(Scratch&, std::size_t rows) const;

  /// Computes some rows of matrices that are row-major and may lie anywhere in memory. A row's outputs have the same bits
  /// whatever other rows are computed with it.
  void predict(std::span<const std::byte* const> inputs, Range rows, std::span<std::byte* const> outputs, Scratch&) const;

 private:
  struct Step {
    GraphStepType type;
    std::vector<std::size_t> inputs;
    Operation operation;  // of those that every network has; of others `gamma` is the operand
    bool reversed;
    Arithmetic arithmetic;
    float lowest;
    float highest;
    std::size_t blocks;
  };
  struct Value {
    Datatype datatype;
    std::size_t columns;
    std::size_t slot = kNone;  // none: an input that is read only where it lies
    bool in_panels = false;    // an input: others than dense layers compute with it
  };
  class Pass;

  void add_step(const GraphStep&, const std::string& name);
  std::size_t add_parameters(std::span<const float>, std::size_t rows, std::size_t columns, const std::string& name,
                             bool transposed = false);
  void assign_slots();

  std::vector<GraphInput> inputs_;
  std::vector<Step> steps_;
  std::vector<Value> values_;
  std::vector<std::size_t> outputs_;
  std::vector<std::size_t> slot_row_bytes_;
  AlignedBuffer<float> parameters_;
  std::size_t multiply_adds_ = 0;
};

}  // namespace millrace
