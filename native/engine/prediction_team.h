#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "network.h"
#include "prediction_graph.h"
#include "predictor.h"
#include "quantized_network.h"

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
  void predict(Predictor& own, const Network&, std::span<const std::byte> input, std::size_t rows, std::span<std::byte> output);
  void predict(QuantizedNetwork::Scratch& own, const QuantizedNetwork&, std::span<const std::byte> input, std::size_t rows,
               std::span<std::byte> output);
  void predict(PredictionGraph::Scratch& own, const PredictionGraph&, std::span<const std::byte* const> inputs,
               std::size_t rows, std::span<std::byte* const> outputs);

 private:
  /// What a helper keeps from one prediction to the next.
  struct Memory {
    Predictor predictor;
    QuantizedNetwork::Scratch quantized;
    PredictionGraph::Scratch graph;
  };
  /// Predicts some rows with a helper's memory, or with the caller's own when it is null.
  using Part = std::function<void(Memory*, Range rows)>;

  void share(std::size_t rows, const std::function<void(Memory&)>& reserve, const Part& part);
  void serve(Memory& memory);
  Range take_part();

  std::mutex caller_;
  std::mutex mutex_;  // of all below
  std::condition_variable wake_;
  std::condition_variable finished_;
  const Part* part_ = nullptr;
  std::size_t next_ = 0;  // row
  std::size_t rows_ = 0;
  unsigned running_ = 0;  // helpers with a part in hand
  bool stopping_ = false;
  std::vector<Memory> memories_;  // one a helper
  std::vector<std::thread> threads_;
};

/// The predict of each kind of network, on the process's one team when there is enough to do. The team is as large as the CPU quota when the
/// first such prediction comes.
void predict_on_team(Predictor& own, const Network&, std::span<const std::byte> input, std::size_t rows,
                     std::span<std::byte> output);
void predict_on_team(QuantizedNetwork::Scratch& own, const QuantizedNetwork&, std::span<const std::byte> input,
                     std::size_t rows, std::span<std::byte> output);
void predict_on_team(PredictionGraph::Scratch& own, const PredictionGraph&, std::span<const std::byte* const> inputs,
                     std::size_t rows, std::span<std::byte* const> outputs);

}  // namespace millrace
