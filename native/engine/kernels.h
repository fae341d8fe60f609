#pragma once

#include <cstddef>
#include <cstdint>

#include "activation.h"
#include "element_type.h"
#include "images/resampling_kernels.h"
#include "instruction_set.h"
#include "loose_float.h"
#include "quantized_kernels.h"
#include "update.h"

namespace millrace {

/// A half-open range of rows or panels.
struct Range {
  std::size_t begin;
  std::size_t end;
};

/// The even share of `count` items that falls to one member of a team.
constexpr Range share_of(std::size_t count, unsigned member, unsigned members) {
  return {count * member / members, count * (member + 1) / members};
}

/// One dense product and what follows it while the result is still in registers.
///   output[rows, outer] = epilogue(input[rows, inner] * weights[inner, outer] + bias[outer])
/// All matrices in panels (see panel.h). Forward: the epilogue is `activation`. Backward (weights transposed, no bias):
/// the epilogue multiplies by the slope of `activation` at `slope_at`, the activation's own output.
struct DenseProduct {
  const LooseFloat* input;
  std::size_t input_rows;
  std::size_t inner;
  const float* weights;
  const float* bias;
  float* output;
  std::size_t output_rows;
  const float* slope_at;
  Activation activation;
  /// Of the input, see Gather; null when unknown. Where most elements are zero only the others are multiplied. That adds up
  /// to the same bits unless a weight is infinite or NaN, times which 0 is NaN, or the whole sum is 0, whose sign may differ.
  const std::uint16_t* nonzero = nullptr;
  /// The input is row-major [input_rows, inner] instead of in panels, and is read where it lies.
  bool row_major = false;
  bool accumulate = false;  // add to what `output` holds; instead of `bias`
};

/// gradient[inner, outer] = input[rows, inner]^T * error[rows, outer], and the bias gradient, the column sums of error.
/// `mode` says what becomes of a gradient tile while it is in registers.
struct WeightGradient {
  const float* input;
  std::size_t input_rows;
  std::size_t inner;
  const float* error;
  std::size_t error_rows;
  std::size_t rows;
  enum class Mode { kStore, kAdd, kUpdate } mode;
  /// Blocks of one layer: kernel panels [inner][16], and bias [padded(outer)], whose `value` is null for a layer without
  /// one. `gradient` unused by kUpdate.
  ParameterBlocks kernel;
  ParameterBlocks bias;
  /// For the kernel; the bias is spared its L1 and L2 terms.
  Update update;
  /// Of the input, see DenseProduct. Not looked at for more than 256 rows.
  const std::uint16_t* nonzero = nullptr;
};

/// An activation between two matrices in panels.
struct ActivationPass {
  Activation activation;
  float parameter;
  const float* input;  // needed by `slope` only where the slope cannot be told from the output
  float* output;
  std::size_t matrix_rows;
  std::size_t columns;
};

/// Rows of one block of a dataset's columns to be turned into panels:
///   output[row, first_column + column] = float(source[order[row], column]) * scale + offset, in two roundings
/// An output of several blocks is gathered block by block, from the first column on. The last line is padded with 0.
struct Gather {
  const void* source;  // [rows, columns] of the block; float32 may begin at any address
  ElementType type;
  std::size_t columns;
  std::size_t first_column;    // of the output; any number
  const std::uint32_t* order;  // source row of each output row; null for `first_row` onwards
  std::size_t first_row;
  float scale;
  float offset;
  float* output;
  std::size_t output_rows;
  /// [panels, output_rows], may be null: bit c of a mask is set where element (row, 16 * panel + c) of the output is not
  /// +-0. NaN is not 0.
  std::uint16_t* nonzero = nullptr;
};

/// The hot loops, once per instruction set. Every element is one chain of multiply-adds over the inner dimension in
/// ascending order, whatever the tile it falls in, so results do not depend on how work is divided.
struct Kernels {
  const char* name;
  void (*dense)(const DenseProduct&, Range rows, Range panels);
  void (*weight_gradient)(const WeightGradient&, Range inner_panels, Range panels);
  /// One pass over `count` parameters (a multiple of 16) with a gradient already in memory.
  void (*update)(const ParameterBlocks&, const Update&, std::size_t count);
  /// Adds the slope of `update`'s L1 and L2 terms to `count` gradients in memory; returns the sum of their squares.
  double (*regularize)(const ParameterBlocks&, const Update&, std::size_t count);
  /// output[outer, inner] = weights[inner, outer]^T for the given panels of output.
  void (*transpose)(const float* weights, std::size_t inner, std::size_t outer, float* output, Range panels);
  void (*gather)(const Gather&, Range rows);
  /// output = activation(input); may be in place. Softmax takes whole rows, whatever `panels` says.
  void (*activate)(const ActivationPass&, Range rows, Range panels);
  /// result = error * d activation / d input; may be in place.
  void (*slope)(const ActivationPass&, const float* error, float* result, Range rows, Range panels);
  void (*quantize_rows)(const RowQuantization&, Range rows);
  void (*quantized_dense)(const QuantizedProduct&, Range rows, Range panels);
  void (*bfloat16_dense)(const Bfloat16Product&, Range rows, Range panels);
  void (*resample_row)(const RowResampling&);
  void (*resample_column)(const ColumnResampling&);
};

/// The kernels for an instruction set; it must be one this processor and this build have.
const Kernels& kernels_for(InstructionSet);
/// The kernels for the best instruction set of this processor.
const Kernels& kernels();

}  // namespace millrace
