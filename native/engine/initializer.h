#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace millrace {

enum class InitializerType {
  kGlorotUniform,
  kGlorotNormal,
  kHeUniform,
  kHeNormal,
  kLecunUniform,
  kLecunNormal,
  kOrthogonal,
  kZeros,
  kOnes,
  kConstant,
  kUniform
};

/// `value`: the constant, or the limit of the uniform distribution. The other types ignore it.
struct Initializer {
  InitializerType type;
  float value = 0.0f;
};

/// What a tensor [rows, columns] is drawn for. `fan_in` and `fan_out` are the inputs and outputs of one of its units.
struct InitialTensor {
  std::size_t rows;
  std::size_t columns;
  std::size_t fan_in;
  std::size_t fan_out;
};

/// Refuses a constant that is not finite and a limit that is not positive, naming `field`.
void expect_initializer(const std::string& field, const Initializer&);

/// Fills a tensor in panels (its padding is left alone) from the stream of numbers (seed, index), in row-major order, so
/// that a seed gives the same numbers on every machine, as far as its logarithms agree.
/// - Glorot (Glorot and Bengio 2010): variance 2 / (fan in + fan out); He (He et al. 2015): 2 / fan in;
///   LeCun (LeCun et al. 1998): 1 / fan in. Uniform: limits +- sqrt(3 variance). Normal: cut at two deviations and
///   widened to keep the variance, as Keras does (PyTorch's are not cut).
/// - orthogonal (Saxe et al. 2014): Q of the QR decomposition of a matrix of normals, with a positive diagonal in R;
///   columns are orthonormal, rows where there are more columns. Takes 2 * long side * short side^2 operations.
/// - uniform: between -limit and limit.
void initialize_tensor(const Initializer&, const InitialTensor&, std::uint64_t seed, std::uint32_t index,
                       float* panels);

}  // namespace millrace
