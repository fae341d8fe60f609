#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "activation.h"
#include "kernels.h"

namespace millrace {

/// Formulas of one row, with logits z, outputs p = activation(z) of n columns, targets t or class y. The loss of a batch
/// is sum(weight_i * loss_i) / rows, as in Keras; PyTorch divides by the sum of the weights.
enum class Loss {
  kMeanSquaredError,   // sum (p - t)^2 / n
  kMeanAbsoluteError,  // sum |p - t| / n; the slope at 0 is 0
  /// With e = p - t: sum h(e) / n, h(e) = e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2. Huber 1964.
  kHuber,
  kLogCosh,  // with e = p - t: sum log cosh(e) / n, as |e| + log(1 + exp(-2 |e|)) - log 2, which overflows for no e
  /// From the logits: sum (max(z, 0) - z t + log(1 + exp(-|z|))) / n. The last activation is sigmoid.
  kBinaryCrossEntropy,
  /// From the logits: sum_c t_c (log sum exp(z) - z_c), t one at class y or given. The last activation is softmax or
  /// log-softmax.
  kCategoricalCrossEntropy,
  kHinge,  // sum max(0, 1 - t p) / n, t of -1 and 1; a target of 0 counts as -1, as in Keras
  /// sum_c t_c (log t_c - log p_c), 0 log 0 = 0. From the logits where the last activation is softmax or log-softmax;
  /// otherwise t and p are kept within 1e-7 and 1, as in Keras. Kullback and Leibler 1951.
  kKullbackLeibler,
  kPoisson,  // sum (p - t log(p + 1e-7)) / n, as in Keras; PyTorch's default takes log p for output
};

struct LossSpec {
  LossSpec(Loss loss) : type(loss) {}  // NOLINT: a loss without options is written as its name

  Loss type;
  double delta = 1.0;  // of Huber's loss
  /// Share s of a cross-entropy's target that is spread evenly: t (1 - s) + s / classes, or t (1 - s) + s / 2 for the
  /// binary one. Szegedy et al. 2015, section 7.
  double label_smoothing = 0.0;
  /// A factor for the loss of every row of a class; empty for none. Categorical: one a class, the class of given
  /// probabilities is the largest. Binary with one output: for 0 and for 1, a target of at most 0.5 counts as 0.
  std::vector<float> class_weights;
};

/// Whether the loss knows what a right answer is.
constexpr bool has_accuracy(Loss loss) {
  return loss == Loss::kBinaryCrossEntropy || loss == Loss::kCategoricalCrossEntropy || loss == Loss::kHinge;
}
/// Whether a row has one answer, a class, of which confusions can be counted.
constexpr bool has_classes(Loss loss) { return loss == Loss::kCategoricalCrossEntropy; }
/// Right answers that a row can have.
constexpr std::size_t answers_per_row(Loss loss, std::size_t columns) { return has_classes(loss) ? 1 : columns; }

/// Whether `LossBatch::error` is taken with respect to the logits, not to the outputs.
bool is_fused(Loss loss, Activation last);

/// Refuses options that are out of range, or that the loss does not have, and a last activation that does not fit.
void expect_matching(const LossSpec&, Activation last, std::size_t outputs);

/// Refuses targets that would poison a training, naming row and column: numbers that are not finite, classes that the
/// network does not have, probabilities outside [0, 1], rows of probabilities that do not add up to 1.
/// `classes`: int32 [rows], otherwise float32 [rows, outputs].
void expect_targets(const LossSpec&, Activation last, const void* targets, bool classes, std::size_t rows,
                    std::size_t outputs);
/// Refuses weights (float32 [rows], or null) that are negative or not finite, naming the row.
void expect_weights(const float* weights, std::size_t rows);

/// One batch at the end of the network; matrices in panels of `matrix_rows` rows.
struct LossBatch {
  const LossSpec& loss;
  Activation last;
  const float* logits;
  const float* outputs;        // the last activation of the logits
  std::size_t matrix_rows;
  std::size_t columns;
  const void* targets;         // float [source rows, columns], or int32 class of each source row
  bool classes;                // which of the two
  const float* weights;        // one a source row, or null
  const std::uint32_t* order;  // source row of each row; null for `first_row` onwards
  std::size_t first_row;
  float share;                 // 1 / rows of the whole batch
  /// Gradient of the batch's mean loss, padding included: with respect to the logits where loss and activation are
  /// fused, to the outputs otherwise (`is_fused`). May be null when only the loss is wanted.
  float* error;
  double* row_loss;            // one a row, times the row's weight
  std::uint32_t* row_correct;  // one a row: right answers, out of `answers_per_row`, without weights
};

void loss_rows(const LossBatch&, Range rows);

/// The index of the largest output of a row, the first one among equals.
std::size_t largest(const float* outputs, std::size_t matrix_rows, std::size_t row, std::size_t columns);
/// The class of a row of targets of either form.
std::size_t target_class(const void* targets, bool classes, std::size_t source_row, std::size_t columns);

}  // namespace millrace
