#include <algorithm>
#include <cmath>

#include "layers.h"

namespace millrace {
namespace {

// Sums of floats over at most this many rows are added in doubles.
constexpr std::size_t kRowsTogether = 256;

/// total[lane] = sum over rows of term(offset of the row's line, lane), in a fixed order.
template <typename Term>
void sum_columns(std::size_t rows, std::size_t panel, double (&total)[kPanelWidth], Term term) {
  std::fill(std::begin(total), std::end(total), 0.0);
  for (std::size_t first = 0; first < rows; first += kRowsTogether) {
    float part[kPanelWidth] = {};
    for (std::size_t row = first; row < std::min(first + kRowsTogether, rows); ++row) {
      const std::size_t at = (panel * rows + row) * kPanelWidth;
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) part[lane] += term(at + lane, lane);
    }
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) total[lane] += part[lane];
  }
}

}  // namespace

BatchNormalizationLayer::BatchNormalizationLayer(const Operation& operation, const Context& context)
    : Layer(operation, context) {
  for (AlignedBuffer<float>* buffer : {&mean_, &variance_, &deviation_inverse_, &gamma_gradient_, &beta_gradient_}) {
    buffer->resize(padded(operation.outer));
  }
}

void BatchNormalizationLayer::measure(const Slice& slice, unsigned buffer, std::size_t panel) {
  const float* x = input(buffer);
  float* mean = mean_.data() + panel * kPanelWidth;
  float* variance = variance_.data() + panel * kPanelWidth;
  if (slice.training) {
    double total[kPanelWidth];
    sum_columns(slice.rows, panel, total, [&](std::size_t at, std::size_t) { return x[at]; });
    const double rows = static_cast<double>(slice.rows);
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) mean[lane] = static_cast<float>(total[lane] / rows);
    sum_columns(slice.rows, panel, total, [&](std::size_t at, std::size_t lane) {
      const float difference = x[at] - mean[lane];
      return difference * difference;
    });
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) variance[lane] = static_cast<float>(total[lane] / rows);
  } else {
    std::copy_n(parameters(operation_.moving_mean) + panel * kPanelWidth, kPanelWidth, mean);
    std::copy_n(parameters(operation_.moving_variance) + panel * kPanelWidth, kPanelWidth, variance);
  }
  for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
    deviation_inverse_[panel * kPanelWidth + lane] =
        static_cast<float>(1.0 / std::sqrt(double{variance[lane]} + operation_.epsilon));
  }
}

void BatchNormalizationLayer::forward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* x = input(buffer);
  float* y = result(buffer);
  for (std::size_t panel = panels.begin; panel < panels.end; ++panel) measure(slice, buffer, panel);
  each_line(slice, rows, panels, [&](std::size_t at, std::size_t, std::size_t panel) {
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      const std::size_t column = panel * kPanelWidth + lane;
      y[at + lane] = (x[at + lane] - mean_[column]) * deviation_inverse_[column] * parameters(operation_.gamma)[column] +
                     parameters(operation_.beta)[column];
    }
  });
}

void BatchNormalizationLayer::sum_gradients(const Slice& slice, unsigned buffer, std::size_t panel) {
  const float* x = input(buffer);
  const float* arrived = error();
  double total[kPanelWidth];
  sum_columns(slice.rows, panel, total, [&](std::size_t at, std::size_t) { return arrived[at]; });
  for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
    beta_gradient_[panel * kPanelWidth + lane] = static_cast<float>(total[lane]);
  }
  sum_columns(slice.rows, panel, total, [&](std::size_t at, std::size_t lane) {
    const std::size_t column = panel * kPanelWidth + lane;
    return arrived[at] * (x[at] - mean_[column]) * deviation_inverse_[column];
  });
  for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
    gamma_gradient_[panel * kPanelWidth + lane] = static_cast<float>(total[lane]);
  }
}

void BatchNormalizationLayer::backward(const Slice& slice, unsigned buffer, Range rows, Range panels) {
  const float* x = input(buffer);
  const float* arrived = error();
  float* to = input_error();
  const bool add = adds_to(operation_.input);
  const float share = slice.training ? 1.0f / static_cast<float>(slice.rows) : 0.0f;
  for (std::size_t panel = panels.begin; panel < panels.end; ++panel) sum_gradients(slice, buffer, panel);
  each_line(slice, rows, panels, [&](std::size_t at, std::size_t, std::size_t panel) {
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      const std::size_t column = panel * kPanelWidth + lane;
      const float normalized = (x[at + lane] - mean_[column]) * deviation_inverse_[column];
      const float centred =
          arrived[at + lane] - share * (beta_gradient_[column] + normalized * gamma_gradient_[column]);
      const float own = parameters(operation_.gamma)[column] * deviation_inverse_[column] * centred;
      to[at + lane] = add ? to[at + lane] + own : own;
    }
  });
  finish_input_error(slice, buffer, operation_.input, rows, panels);
}

// The same member's panels as in `backward`, so that nobody else reads the gamma that is changed here.
void BatchNormalizationLayer::weigh(const Slice& slice, unsigned buffer, unsigned member, WeightGradient::Mode mode,
                                    const Update& update) {
  const Range panels = own_panels(operation_.outer, member);
  for (std::size_t panel = panels.begin; panel < panels.end; ++panel) {
    if (!context_.values.has_error(operation_.input)) sum_gradients(slice, buffer, panel);
    const std::size_t first = panel * kPanelWidth;
    apply_line(operation_.gamma + first, gamma_gradient_.data() + first, mode, update);
    apply_line(operation_.beta + first, beta_gradient_.data() + first, mode, update);
  }
}

void BatchNormalizationLayer::settle(const Slice&, unsigned member) {
  const Range panels = own_panels(operation_.outer, member);
  float* moving_mean = context_.network.parameters() + operation_.moving_mean;
  float* moving_variance = context_.network.parameters() + operation_.moving_variance;
  const float kept = operation_.momentum;
  for (std::size_t column = panels.begin * kPanelWidth; column < panels.end * kPanelWidth; ++column) {
    moving_mean[column] = moving_mean[column] * kept + mean_[column] * (1.0f - kept);
    moving_variance[column] = moving_variance[column] * kept + variance_[column] * (1.0f - kept);
  }
}

void BatchNormalizationLayer::add_squared_norms(const Slice& slice, unsigned buffer, double* norms) const {
  for (std::size_t row = 0; row < slice.rows; ++row) {
    for (std::size_t column = 0; column < operation_.outer; ++column) {
      const std::size_t at = panel_offset(slice.rows, row, column);
      const double normalized = (double{input(buffer)[at]} - mean_[column]) * deviation_inverse_[column];
      const double arrived = error()[at];
      norms[row] += arrived * arrived * (normalized * normalized + 1.0);
    }
  }
}

}  // namespace millrace
