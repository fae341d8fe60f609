#include "layers.h"

namespace millrace {

ActivationLayer::ActivationLayer(const Operation& operation, const Context& context) : Layer(operation, context) {
  if (adds_to(operation.input)) scratch_.resize(panel_size(context.rows_max, operation.inner));
}

void ActivationLayer::forward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  context_.kernels.activate({operation_.activation, operation_.parameter, input(buffer), result(buffer), slice.rows,
                             operation_.outer},
                            rows, panels);
}

void ActivationLayer::backward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const ActivationPass pass{operation_.activation, operation_.parameter, input(buffer), result(buffer), slice.rows,
                            operation_.outer};
  if (scratch_.empty()) {
    context_.kernels.slope(pass, error(), input_error(), rows, panels);
  } else {
    context_.kernels.slope(pass, error(), scratch_.data(), rows, panels);
    float* to = input_error();
    each_line(slice, rows, panels, [&](std::size_t at, std::size_t, std::size_t) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) to[at + lane] += scratch_[at + lane];
    });
  }
  finish_input_error(slice, buffer, operation_.input, rows, panels);
}

}  // namespace millrace
