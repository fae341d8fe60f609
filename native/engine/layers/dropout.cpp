#include <cmath>

#include "../random.h"
#include "layers.h"

namespace millrace {

DropoutLayer::DropoutLayer(const Operation& operation, const Context& context)
    : Layer(operation, context), kept_(panel_count(operation.outer) * context.rows_max) {}

// 16 numbers of 16 bits, from two blocks of Philox.
std::uint16_t DropoutLayer::draw(const Slice& slice, std::size_t row, std::size_t panel) const {
  const auto threshold = static_cast<std::uint32_t>(std::lround(double{operation_.rate} * 65536.0));
  const auto seed = context_.seed;
  std::uint16_t kept = 0;
  for (std::uint32_t half = 0; half < 2; ++half) {
    const auto place = static_cast<std::uint32_t>(2 * panel + half);
    const auto high_step = static_cast<std::uint32_t>(slice.step >> 32) << 20;
    const auto numbers = philox({place | high_step, static_cast<std::uint32_t>(slice.batch_row + row),
                                 static_cast<std::uint32_t>(slice.step),
                                 static_cast<std::uint32_t>(operation_.ordinal) << 8 |
                                     static_cast<std::uint32_t>(RandomPurpose::kDropout)},
                                {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::uint32_t number = i % 2 == 0 ? numbers[i / 2] & 0xffff : numbers[i / 2] >> 16;
      kept = static_cast<std::uint16_t>(kept | (number >= threshold ? 1u << (8 * half + i) : 0u));
    }
  }
  return kept;
}

float DropoutLayer::scale_of(const Slice& slice) const {
  return slice.training ? 1.0f / (1.0f - operation_.rate) : 1.0f;
}

void DropoutLayer::forward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* x = input(buffer);
  float* y = result(buffer);
  const float scale = scale_of(slice);
  each_line(slice, rows, panels, [&](std::size_t at, std::size_t row, std::size_t panel) {
    const std::uint32_t kept = slice.training ? draw(slice, row, panel) : 0xffffu;
    kept_[panel * slice.rows + row] = static_cast<std::uint16_t>(kept);
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      // NaN must stay: it is multiplied, not chosen away.
      y[at + lane] = x[at + lane] * ((kept >> lane & 1u) != 0 ? scale : 0.0f);
    }
  });
}

void DropoutLayer::backward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* arrived = error();
  float* to = input_error();
  const float scale = scale_of(slice);
  const bool add = adds_to(operation_.input);
  each_line(slice, rows, panels, [&](std::size_t at, std::size_t row, std::size_t panel) {
    const std::uint32_t kept = kept_[panel * slice.rows + row];
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      const float own = arrived[at + lane] * ((kept >> lane & 1u) != 0 ? scale : 0.0f);
      to[at + lane] = add ? to[at + lane] + own : own;
    }
  });
  finish_input_error(slice, buffer, operation_.input, rows, panels);
}

}  // namespace millrace
