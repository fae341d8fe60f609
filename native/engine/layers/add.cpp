#include "layers.h"

namespace millrace {

void AddLayer::forward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* a = input(buffer);
  const float* b = context_.values.at(operation_.other, buffer);
  float* sum = result(buffer);
  each_line(slice, rows, panels, [&](std::size_t at, std::size_t, std::size_t) {
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) sum[at + lane] = a[at + lane] + b[at + lane];
  });
}

void AddLayer::backward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* arrived = error();
  for (const std::size_t value : {operation_.input, operation_.other}) {
    if (!context_.values.has_error(value)) continue;
    float* to = context_.values.error(value);
    const bool add = adds_to(value);
    each_line(slice, rows, panels, [&](std::size_t at, std::size_t, std::size_t) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        to[at + lane] = add ? to[at + lane] + arrived[at + lane] : arrived[at + lane];
      }
    });
    finish_input_error(slice, buffer, value, rows, panels);
  }
}

}  // namespace millrace
