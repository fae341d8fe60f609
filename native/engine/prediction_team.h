#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "network.h"
#include "predictor.h"

namespace millrace {

/// Threads that help with predictions of many rows. A prediction is cut into parts of Predictor::kRowsAtOnce rows, which
/// the caller and the helpers take one by one: a helper that does not get a processor takes none and is not waited for.
class PredictionTeam {
 public:
  explicit PredictionTeam(unsigned threads);
  ~PredictionTeam();
  PredictionTeam(const PredictionTeam&) = delete;
  PredictionTeam& operator=(const PredictionTeam&) = delete;

  /// As Predictor::predict, whose bits it gives. From any thread: the helpers serve one caller at a time, others work alone.
  void predict(Predictor& own, const Network&, std::span<const float> input, std::size_t rows, std::span<float> output);

 private:
  using Part = std::function<void(Predictor&, std::size_t)>;

  void serve(Predictor& predictor);
  void share(Predictor& own, std::size_t parts, const Part& part);

  std::mutex caller_;
  std::mutex mutex_;  // of all below
  std::condition_variable wake_;
  std::condition_variable finished_;
  const Part* part_ = nullptr;
  std::size_t next_ = 0;
  std::size_t parts_ = 0;
  unsigned running_ = 0;  // helpers with a part in hand
  bool stopping_ = false;
  std::vector<Predictor> predictors_;  // one a helper
  std::vector<std::thread> threads_;
};

/// Predictor::predict, on the process's one team when there is enough to do. The team is as large as the CPU quota when the
/// first such prediction comes.
void predict_on_team(Predictor& own, const Network&, std::span<const float> input, std::size_t rows,
                     std::span<float> output);

}  // namespace millrace
