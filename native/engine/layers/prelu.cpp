#include "layers.h"

namespace millrace {

PreluLayer::PreluLayer(const Operation& operation, const Context& context)
    : Layer(operation, context), alpha_(padded(operation.outer)) {}

void PreluLayer::refresh(unsigned member) { copy_own(operation_.alpha, member, alpha_); }

void PreluLayer::forward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* x = input(buffer);
  const float* alpha = parameters(operation_.alpha);
  float* y = result(buffer);
  each_line(slice, rows, panels, [&](std::size_t at, std::size_t, std::size_t panel) {
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      const float value = x[at + lane];
      y[at + lane] = value < 0.0f ? alpha[panel * kPanelWidth + lane] * value : value;
    }
  });
}

void PreluLayer::backward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* x = input(buffer);
  const float* arrived = error();
  float* to = input_error();
  const bool add = adds_to(operation_.input);
  each_line(slice, rows, panels, [&](std::size_t at, std::size_t, std::size_t panel) {
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      const float slope = x[at + lane] < 0.0f ? alpha_[panel * kPanelWidth + lane] : 1.0f;
      const float own = slope * arrived[at + lane];
      to[at + lane] = add ? to[at + lane] + own : own;
    }
  });
  finish_input_error(slice, buffer, operation_.input, rows, panels);
}

void PreluLayer::weigh(const Slice& slice, unsigned buffer, unsigned member, WeightGradient::Mode mode,
                       const Update& update) {
  const Range panels = own_panels(operation_.outer, member);
  for (std::size_t panel = panels.begin; panel < panels.end; ++panel) {
    float line[kPanelWidth] = {};
    each_line(slice, {0, slice.rows}, {panel, panel + 1}, [&](std::size_t at, std::size_t, std::size_t) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        const float x = input(buffer)[at + lane];
        line[lane] += x < 0.0f ? x * error()[at + lane] : 0.0f;
      }
    });
    apply_line(operation_.alpha + panel * kPanelWidth, line, mode, update);
  }
}

void PreluLayer::add_squared_norms(const Slice& slice, unsigned buffer, double* norms) const {
  for (std::size_t row = 0; row < slice.rows; ++row) {
    for (std::size_t column = 0; column < operation_.outer; ++column) {
      const std::size_t at = panel_offset(slice.rows, row, column);
      const double own = input(buffer)[at] < 0.0f ? double{input(buffer)[at]} * error()[at] : 0.0;
      norms[row] += own * own;
    }
  }
}

}  // namespace millrace
