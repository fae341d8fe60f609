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

/// What answers the calls `predict(input, rows)` and `predictAsync(input, rows)` of a network, whatever its precision.
struct Prediction {
  std::size_t inputs;
  std::size_t outputs;
  std::vector<EmbeddingTable> tables;  // whose columns hold categories
  /// input: row-major [rows, inputs]; output: row-major [rows, outputs]. `later` calls it on a thread of libuv's pool.
  std::function<void(std::span<const float> input, std::size_t rows, std::span<float> output)> predict;

  /// Refuse wrong arguments by name, as all methods do.
  Napi::Value now(const Napi::CallbackInfo&) const;
  /// A promise. `predict`, and what it captures, is destroyed on the JavaScript thread before the promise settles.
  Napi::Value later(const Napi::CallbackInfo&) &&;
};

}  // namespace millrace::binding
