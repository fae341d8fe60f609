#include "layers.h"

namespace millrace {

DenseLayer::DenseLayer(const Operation& operation, const Context& context) : Layer(operation, context) {
  if (context.values.has_error(operation.input)) transposed_.resize(panel_size(operation.outer, operation.inner));
}

bool DenseLayer::by_panels() const {
  return shares_evenly(panel_count(operation_.outer), members());
}

void DenseLayer::refresh(unsigned member) {
  if (transposed_.empty()) return;
  context_.kernels.transpose(parameters(operation_.kernel), operation_.inner, operation_.outer, transposed_.data(),
                             own_panels(operation_.inner, member));
}

void DenseLayer::forward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  DenseProduct product{};
  product.input = input(buffer);
  product.input_rows = slice.rows;
  product.inner = operation_.inner;
  product.weights = parameters(operation_.kernel);
  product.bias = operation_.bias == kNone ? nullptr : parameters(operation_.bias);
  product.output = result(buffer);
  product.output_rows = slice.rows;
  product.activation = operation_.activation;
  if (operation_.input == 0) product.nonzero = context_.values.nonzero(buffer);
  context_.kernels.dense(product, rows, panels);
}

void DenseLayer::backward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  DenseProduct product{};
  product.input = error();
  product.input_rows = slice.rows;
  product.inner = operation_.outer;
  product.weights = transposed_.data();
  product.output = input_error();
  product.output_rows = slice.rows;
  product.activation = fused_activation(operation_.input);
  if (product.activation != Activation::kLinear) product.slope_at = input(buffer);
  product.accumulate = adds_to(operation_.input);
  context_.kernels.dense(product, rows, panels);
}

void DenseLayer::weigh(const Slice& slice, unsigned buffer, unsigned member, WeightGradient::Mode mode,
                       const Update& update) {
  WeightGradient gradient{};
  gradient.input = input(buffer);
  gradient.input_rows = slice.rows;
  gradient.inner = operation_.inner;
  gradient.error = error();
  gradient.error_rows = slice.rows;
  gradient.rows = slice.rows;
  gradient.mode = mode;
  gradient.kernel = blocks_at(operation_.kernel);
  if (operation_.bias != kNone) gradient.bias = blocks_at(operation_.bias);
  gradient.update = update;
  if (operation_.input == 0) gradient.nonzero = context_.values.nonzero(buffer);
  const std::size_t inner_panels = panel_count(operation_.inner);
  const std::size_t panels = panel_count(operation_.outer);
  if (by_panels()) {
    context_.kernels.weight_gradient(gradient, {0, inner_panels}, share_of(panels, member, members()));
  } else {
    context_.kernels.weight_gradient(gradient, share_of(inner_panels, member, members()), {0, panels});
  }
}

// The gradient of one example is the outer product of its input and its error: the squares of its elements add up to
// the product of the two sums of squares (Goodfellow 2015, "Efficient per-example gradient computations").
void DenseLayer::add_squared_norms(const Slice& slice, unsigned buffer, double* norms) const {
  const auto sum_of_squares = [&](const float* matrix, std::size_t row, std::size_t columns) {
    double total = 0.0;
    for (std::size_t column = 0; column < columns; ++column) {
      const double value = matrix[panel_offset(slice.rows, row, column)];
      total += value * value;
    }
    return total;
  };
  const double bias = operation_.bias == kNone ? 0.0 : 1.0;
  for (std::size_t row = 0; row < slice.rows; ++row) {
    norms[row] += (sum_of_squares(input(buffer), row, operation_.inner) + bias) *
                  sum_of_squares(error(), row, operation_.outer);
  }
}

}  // namespace millrace
