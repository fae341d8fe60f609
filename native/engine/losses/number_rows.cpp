// Losses of each output by itself: the mean over a row's columns, taken from the outputs.

#include <cmath>
#include <numbers>

#include "loss_rows.h"

namespace millrace {
namespace {

/// The loss of one output, and its derivative by the output.
struct Term {
  double loss;
  double slope;
};

// -1, 0 or 1; NaN stays NaN, which two comparisons alone would hide.
double sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x; }

Term squared(double output, double target) {
  const double error = output - target;
  return {error * error, 2.0 * error};
}

Term absolute(double output, double target) {
  const double error = output - target;
  return {std::abs(error), sign(error)};
}

Term huber(double output, double target, double delta) {
  const double error = output - target;
  const double size = std::abs(error);
  // `!(size > delta)`, so that NaN takes the branch that keeps it.
  if (!(size > delta)) return {0.5 * error * error, error};
  return {delta * size - 0.5 * delta * delta, delta * sign(error)};
}

Term log_cosh(double output, double target) {
  const double error = output - target;
  const double size = std::abs(error);
  return {size + std::log1p(std::exp(-2.0 * size)) - std::numbers::ln2, std::tanh(error)};
}

Term hinge(double output, double target) {
  const double side = target > 0.0 ? 1.0 : -1.0;
  const double margin = 1.0 - side * output;
  return margin <= 0.0 ? Term{0.0, 0.0} : Term{margin, -side};
}

Term poisson(double output, double target) {
  constexpr double kFuzz = 1e-7;
  return {output - target * std::log(output + kFuzz), 1.0 - target / (output + kFuzz)};
}

template <typename TermOf>
void each_output(const LossBatch& b, Range rows, TermOf term_of) {
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const float* target = target_row(b, row);
    const double weight = row_weight(b, row);
    const double share = weight * b.share / static_cast<double>(b.columns);
    double total = 0.0;
    for (std::size_t c = 0; c < b.columns; ++c) {
      const std::size_t at = panel_offset(b.matrix_rows, row, c);
      const Term term = term_of(b.outputs[at], target[c]);
      total += term.loss;
      if (b.error != nullptr) b.error[at] = static_cast<float>(term.slope * share);
    }
    b.row_loss[row] = weight * total / static_cast<double>(b.columns);
    b.row_correct[row] = 0;
  }
}

void count_sides(const LossBatch& b, Range rows) {
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const float* target = target_row(b, row);
    for (std::size_t c = 0; c < b.columns; ++c) {
      b.row_correct[row] += (b.outputs[panel_offset(b.matrix_rows, row, c)] > 0.0f) == (target[c] > 0.0f);
    }
  }
}

}  // namespace

void number_rows(const LossBatch& b, Range rows) {
  switch (b.loss.type) {
    case Loss::kMeanAbsoluteError:
      return each_output(b, rows, absolute);
    case Loss::kHuber:
      return each_output(b, rows, [delta = b.loss.delta](double p, double t) { return huber(p, t, delta); });
    case Loss::kLogCosh:
      return each_output(b, rows, log_cosh);
    case Loss::kHinge:
      each_output(b, rows, hinge);
      return count_sides(b, rows);
    case Loss::kPoisson:
      return each_output(b, rows, poisson);
    default:
      return each_output(b, rows, squared);
  }
}

}  // namespace millrace
