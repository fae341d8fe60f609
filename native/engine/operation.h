#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "activation.h"

namespace millrace {

enum class OperationType {
  kDense,
  kActivation,
  kPrelu,
  kDropout,
  kBatchNormalization,
  kLayerNormalization,
  kAdd,
  kEmbedding,
  kScale,  // prediction only: what a batch normalisation is then, if no dense layer comes before it
};

inline constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// A column of the input that holds a category, and its table of vectors.
struct EmbeddingTable {
  std::size_t column;
  std::size_t categories;
  std::size_t units;
};

/// One step of a network: reads one value (kAdd two) and makes the next. Value 0 is the network's input, value i + 1 the
/// result of operation i; each is a matrix in panels. Offsets are floats into a block of parameters, kNone for none.
struct Operation {
  OperationType type{};
  std::string name;             // of its layer, as in the files: `layers.2`
  std::size_t input = 0;        // a value
  std::size_t other = kNone;    // the second value of kAdd
  std::size_t inner = 0;        // columns of the input
  std::size_t outer = 0;        // columns of the result
  Activation activation = Activation::kLinear;  // kDense: fused into the product
  float parameter = 0.0f;                       // of the activation
  std::size_t kernel = kNone;   // dense [inner, outer]
  std::size_t bias = kNone;     // dense [outer]
  std::size_t gamma = kNone;    // normalisations, kScale: the factor
  std::size_t beta = kNone;     // normalisations, kScale: the summand
  std::size_t moving_mean = kNone;
  std::size_t moving_variance = kNone;
  std::size_t alpha = kNone;    // PReLU
  std::size_t ordinal = 0;      // number of the layer in the order of the spec, nested ones counted
  float rate = 0.0f;            // dropout: the share set to zero
  float momentum = 0.0f;        // batch normalisation: of the moving statistics
  float epsilon = 0.0f;         // normalisations: added to the variance
  std::vector<EmbeddingTable> tables;
  std::vector<std::size_t> table_offsets;

  bool reads(std::size_t value) const { return input == value || other == value; }
};

}  // namespace millrace
