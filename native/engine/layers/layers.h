#pragma once

#include <cstdint>
#include <vector>

#include "../aligned_buffer.h"
#include "layer.h"

namespace millrace {

/// y = activation(x W + b). Each member owns columns of W where there are enough: their weights, gradient and moments.
class DenseLayer : public Layer {
 public:
  DenseLayer(const Operation&, const Context&);
  /// Whether the layer is shared out by panels of its result; then the owner of a column's weights also computes it.
  bool by_panels() const;
  void refresh(unsigned member) override;
  void forward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void backward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void weigh(const Slice&, unsigned buffer, unsigned member, WeightGradient::Mode, const Update&) override;
  void add_squared_norms(const Slice&, unsigned buffer, double*) const override;

 private:
  AlignedBuffer<float> transposed_;  // [outer, inner]
};

/// y = activation(x); see kernels/activation.inc.
class ActivationLayer : public Layer {
 public:
  ActivationLayer(const Operation&, const Context&);
  void forward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void backward(const Slice&, unsigned buffer, Range rows, Range panels) override;

 private:
  AlignedBuffer<float> scratch_;  // where the slope is to be added to what others have written
};

/// y = x < 0 ? alpha x : x, one alpha a column (He et al. 2015; PyTorch's default is one for all columns).
class PreluLayer : public Layer {
 public:
  PreluLayer(const Operation&, const Context&);
  void refresh(unsigned member) override;
  void forward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void backward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void weigh(const Slice&, unsigned buffer, unsigned member, WeightGradient::Mode, const Update&) override;
  void add_squared_norms(const Slice&, unsigned buffer, double*) const override;

 private:
  AlignedBuffer<float> alpha_;
};

/// y = x / (1 - rate), or 0 with probability `rate`, taken in steps of 2^-16 (Srivastava et al. 2014, scaled while
/// training). What is dropped depends on seed, step, place in the batch and layer only.
class DropoutLayer : public Layer {
 public:
  DropoutLayer(const Operation&, const Context&);
  void forward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void backward(const Slice&, unsigned buffer, Range rows, Range panels) override;

 private:
  std::uint16_t draw(const Slice&, std::size_t row, std::size_t panel) const;
  float scale_of(const Slice& slice) const;

  std::vector<std::uint16_t> kept_;  // [panel][row], one bit a column
};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta with each column's mean and (biased) variance over the batch
/// (Ioffe and Szegedy 2015). moving = momentum * moving + (1 - momentum) * batch's, for prediction. As in Keras the moving
/// variance is the biased one; PyTorch's is unbiased, and its momentum is 1 - this one.
class BatchNormalizationLayer : public Layer {
 public:
  BatchNormalizationLayer(const Operation&, const Context&);
  bool whole_columns() const override { return true; }
  void forward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void backward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void weigh(const Slice&, unsigned buffer, unsigned member, WeightGradient::Mode, const Update&) override;
  void settle(const Slice&, unsigned member) override;
  void add_squared_norms(const Slice&, unsigned buffer, double*) const override;

 private:
  void measure(const Slice&, unsigned buffer, std::size_t panel);
  void sum_gradients(const Slice&, unsigned buffer, std::size_t panel);

  AlignedBuffer<float> mean_;
  AlignedBuffer<float> variance_;
  AlignedBuffer<float> deviation_inverse_;
  AlignedBuffer<float> gamma_gradient_;
  AlignedBuffer<float> beta_gradient_;
};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta with each row's mean and variance (Ba et al. 2016).
class LayerNormalizationLayer : public Layer {
 public:
  LayerNormalizationLayer(const Operation&, const Context&);
  void refresh(unsigned member) override;
  void forward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void backward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void weigh(const Slice&, unsigned buffer, unsigned member, WeightGradient::Mode, const Update&) override;
  void add_squared_norms(const Slice&, unsigned buffer, double*) const override;

 private:
  AlignedBuffer<float> gamma_;
  std::vector<float> mean_;
  std::vector<float> deviation_inverse_;
};

/// y = x + block(x), the end of a residual block (He et al. 2016).
class AddLayer : public Layer {
 public:
  using Layer::Layer;
  void forward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void backward(const Slice&, unsigned buffer, Range rows, Range panels) override;
};

/// The columns that hold no category, in order, and then the vector of each table's category.
class EmbeddingLayer : public Layer {
 public:
  EmbeddingLayer(const Operation&, const Context&);
  void forward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void backward(const Slice&, unsigned buffer, Range rows, Range panels) override;
  void weigh(const Slice&, unsigned buffer, unsigned member, WeightGradient::Mode, const Update&) override;
  void add_squared_norms(const Slice&, unsigned buffer, double*) const override;

 private:
  std::vector<AlignedBuffer<float>> gradients_;  // by table, in panels
};

/// The same for prediction: `input` and `output` in panels of `rows` rows.
void embed(const Operation&, const float* parameters, const float* input, float* output, std::size_t rows, Range);
/// Mean and 1 / sqrt(variance + epsilon) of one row, in doubles.
struct RowStatistics {
  float mean;
  float deviation_inverse;
};
RowStatistics row_statistics(const float* matrix, std::size_t rows, std::size_t row, std::size_t columns, float epsilon);

}  // namespace millrace
