#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "engine/operation.h"

namespace millrace::binding {

inline constexpr std::uint64_t kRowsMax = std::numeric_limits<std::uint32_t>::max();

/// What the arguments of a prediction must fit.
struct PredictionShape {
  std::size_t inputs;
  std::size_t outputs;
  const std::vector<EmbeddingTable>& tables;  // whose columns hold categories
};

template <typename AnyNetwork>
PredictionShape shape_of(const AnyNetwork& network) {
  return {network.inputs(), network.outputs(), network.tables()};
}

/// The arguments `(input, rows, output)` of `predict` and `predictAsync`, whatever the network's precision. `output` null
/// asks for a new Float32Array.
struct PredictionCall {
  /// Refuses wrong arguments by name.
  PredictionCall(const Napi::CallbackInfo&, const PredictionShape&);
  PredictionCall(PredictionCall&&) = default;

  std::span<const std::byte> input;  // row-major float32 [rows, inputs] at any address
  std::size_t rows;
  std::span<std::byte> output;  // row-major float32 [rows, outputs] at any address, apart from `input`
  Napi::Value result;           // what `output` is a part of

  /// A copy of the input, if there had to be one.
  std::vector<std::byte> copy;
};

using Predict =
    std::function<void(std::span<const std::byte> input, std::size_t rows, std::span<std::byte> output)>;

/// A promise for a call that `predict` answers on a thread of libuv's pool. An output that the caller gave means that the
/// input stays as it is until then; otherwise it is copied. `predict`, and what it captures, is destroyed on the JavaScript
/// thread before the promise settles.
Napi::Value predict_later(const Napi::CallbackInfo&, const PredictionShape&, Predict);

}  // namespace millrace::binding
