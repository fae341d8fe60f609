#include <algorithm>

#include "panel.h"
#include "predictor.h"
#include "trainer.h"

namespace millrace {
namespace {

struct Part {
  std::vector<std::int32_t> confusion;
  std::uint64_t correct = 0;
};

}  // namespace

Evaluation Trainer::evaluate(const Examples& examples) {
  if (!pool_) pool_ = std::make_unique<ThreadPool>(threads_);
  const std::size_t outputs = network_->outputs();
  const Activation last = network_->last_activation();
  const bool classes = has_classes(options_.loss.type);
  const std::size_t chunks = (examples.rows + Predictor::kRowsAtOnce - 1) / Predictor::kRowsAtOnce;
  // One sum a chunk, added in order afterwards, so that the loss does not depend on the number of threads.
  std::vector<double> chunk_loss(chunks);
  std::vector<Part> parts(pool_->size());
  std::vector<Predictor> predictors(pool_->size());
  for (Predictor& predictor : predictors) predictor.reserve(*network_, Predictor::kRowsAtOnce);
  for (Part& part : parts) part.confusion.resize(classes ? outputs * outputs : 0);
  pool_->run([&](unsigned member) {
    Part& part = parts[member];
    const Range own = share_of(chunks, member, pool_->size());
    for (std::size_t chunk = own.begin; chunk < own.end; ++chunk) {
      const std::size_t first = chunk * Predictor::kRowsAtOnce;
      const std::size_t rows = std::min(Predictor::kRowsAtOnce, examples.rows - first);
      const auto [logits, activated] =
          predictors[member].forward(*network_, examples, first, rows);
      double row_loss[Predictor::kRowsAtOnce];
      std::uint32_t row_correct[Predictor::kRowsAtOnce];
      loss_rows({options_.loss, last, logits, activated, rows, outputs, examples.targets, examples.target_classes,
                 examples.weights, nullptr, first, 0.0f, nullptr, row_loss, row_correct},
                {0, rows});
      for (std::size_t row = 0; row < rows; ++row) {
        chunk_loss[chunk] += row_loss[row];
        part.correct += row_correct[row];
        if (!classes) continue;
        const std::size_t truth = target_class(examples.targets, examples.target_classes, first + row, outputs);
        ++part.confusion[truth * outputs + largest(activated, rows, row, outputs)];
      }
    }
  });
  Evaluation result{0.0, 0.0, std::vector<std::int32_t>(classes ? outputs * outputs : 0)};
  for (const double loss : chunk_loss) result.loss += loss;
  std::uint64_t correct = 0;
  for (const Part& part : parts) {
    correct += part.correct;
    for (std::size_t i = 0; i < part.confusion.size(); ++i) result.confusion[i] += part.confusion[i];
  }
  const double rows = static_cast<double>(examples.rows);
  result.loss /= rows;
  result.accuracy =
      static_cast<double>(correct) / (rows * static_cast<double>(answers_per_row(options_.loss.type, outputs)));
  return result;
}

}  // namespace millrace
