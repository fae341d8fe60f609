#include <cmath>

#include "layers.h"

namespace millrace {

RowStatistics row_statistics(const float* matrix, std::size_t rows, std::size_t row, std::size_t columns,
                             float epsilon) {
  double total = 0.0;
  for (std::size_t column = 0; column < columns; ++column) total += matrix[panel_offset(rows, row, column)];
  const double mean = total / static_cast<double>(columns);
  double squares = 0.0;
  for (std::size_t column = 0; column < columns; ++column) {
    const double difference = matrix[panel_offset(rows, row, column)] - mean;
    squares += difference * difference;
  }
  const double variance = squares / static_cast<double>(columns);
  return {static_cast<float>(mean), static_cast<float>(1.0 / std::sqrt(variance + epsilon))};
}

LayerNormalizationLayer::LayerNormalizationLayer(const Operation& operation, const Context& context)
    : Layer(operation, context),
      gamma_(padded(operation.outer)),
      mean_(context.rows_max),
      deviation_inverse_(context.rows_max) {}

void LayerNormalizationLayer::refresh(unsigned member) { copy_own(operation_.gamma, member, gamma_); }

void LayerNormalizationLayer::forward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* x = input(buffer);
  float* y = result(buffer);
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const RowStatistics statistics = row_statistics(x, slice.rows, row, operation_.inner, operation_.epsilon);
    mean_[row] = statistics.mean;
    deviation_inverse_[row] = statistics.deviation_inverse;
  }
  each_line(slice, rows, panels, [&](std::size_t at, std::size_t row, std::size_t panel) {
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      const std::size_t column = panel * kPanelWidth + lane;
      y[at + lane] = (x[at + lane] - mean_[row]) * deviation_inverse_[row] * parameters(operation_.gamma)[column] +
                     parameters(operation_.beta)[column];
    }
  });
}

void LayerNormalizationLayer::backward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* x = input(buffer);
  float* to = input_error();
  const bool add = adds_to(operation_.input);
  const double share = 1.0 / static_cast<double>(operation_.inner);
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const auto normalized = [&](std::size_t at) { return (x[at] - mean_[row]) * deviation_inverse_[row]; };
    double sum = 0.0;
    double dot = 0.0;
    for (std::size_t column = 0; column < operation_.inner; ++column) {
      const std::size_t at = panel_offset(slice.rows, row, column);
      const double arrived = double{gamma_[column]} * error()[at];
      sum += arrived;
      dot += arrived * normalized(at);
    }
    for (std::size_t column = 0; column < padded(operation_.inner); ++column) {
      const std::size_t at = panel_offset(slice.rows, row, column);
      const bool inside = column < operation_.inner;
      const double centred = double{gamma_[column]} * error()[at] - share * (sum + dot * normalized(at));
      const float own = inside ? static_cast<float>(centred * deviation_inverse_[row]) : 0.0f;
      to[at] = add ? to[at] + own : own;
    }
  }
  finish_input_error(slice, buffer, operation_.input, rows, panels);
}

void LayerNormalizationLayer::weigh(const Slice& slice, unsigned buffer, unsigned member, WeightGradient::Mode mode,
                                    const Update& update) {
  const float* x = input(buffer);
  const Range panels = own_panels(operation_.outer, member);
  for (std::size_t panel = panels.begin; panel < panels.end; ++panel) {
    float gamma[kPanelWidth] = {};
    float beta[kPanelWidth] = {};
    each_line(slice, {0, slice.rows}, {panel, panel + 1}, [&](std::size_t at, std::size_t row, std::size_t) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        gamma[lane] += error()[at + lane] * (x[at + lane] - mean_[row]) * deviation_inverse_[row];
        beta[lane] += error()[at + lane];
      }
    });
    apply_line(operation_.gamma + panel * kPanelWidth, gamma, mode, update);
    apply_line(operation_.beta + panel * kPanelWidth, beta, mode, update);
  }
}

void LayerNormalizationLayer::add_squared_norms(const Slice& slice, unsigned buffer, double* norms) const {
  for (std::size_t row = 0; row < slice.rows; ++row) {
    for (std::size_t column = 0; column < operation_.outer; ++column) {
      const std::size_t at = panel_offset(slice.rows, row, column);
      const double normalized = (double{input(buffer)[at]} - mean_[row]) * deviation_inverse_[row];
      const double arrived = error()[at];
      norms[row] += arrived * arrived * (normalized * normalized + 1.0);
    }
  }
}

}  // namespace millrace
