#include "initializer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "expectation.h"
#include "panel.h"
#include "random.h"

namespace millrace {
namespace {

// Deviation of a unit normal cut at two deviations; dividing by it restores the variance asked for.
constexpr double kTruncatedDeviation = 0.87962566103423978;

double variance_of(InitializerType type, const InitialTensor& tensor) {
  const double fan_in = static_cast<double>(tensor.fan_in);
  const double fan_out = static_cast<double>(tensor.fan_out);
  switch (type) {
    case InitializerType::kGlorotUniform:
    case InitializerType::kGlorotNormal:
      return 2.0 / (fan_in + fan_out);
    case InitializerType::kHeUniform:
    case InitializerType::kHeNormal:
      return 2.0 / fan_in;
    default:
      return 1.0 / fan_in;
  }
}

template <typename Draw>
void fill(const InitialTensor& tensor, float* panels, Draw draw) {
  for (std::size_t row = 0; row < tensor.rows; ++row) {
    for (std::size_t column = 0; column < tensor.columns; ++column) {
      panels[panel_offset(tensor.rows, row, column)] = draw(row, column);
    }
  }
}

// In four partial sums, so that the compiler may use vectors; their order is part of the result.
double dot(const double* a, const double* b, std::size_t size) {
  double sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= size; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (; i < size; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// Takes from `vector` what it has in the direction of the unit vector `direction`.
void project_out(const double* direction, double* vector, std::size_t size) {
  const double share = dot(direction, vector, size);
  for (std::size_t i = 0; i < size; ++i) vector[i] -= share * direction[i];
}

/// Modified Gram-Schmidt on `count` vectors of `size` >= count, one after the other in memory. The diagonal of R, the
/// norms, is positive by construction. Vectors are finished in groups that stay in cache while the later ones pass by.
void orthonormalize(std::vector<double>& vectors, std::size_t count, std::size_t size) {
  constexpr std::size_t kGroup = 8;
  const auto at = [&](std::size_t index) { return vectors.data() + index * size; };
  for (std::size_t first = 0; first < count; first += kGroup) {
    const std::size_t end = std::min(first + kGroup, count);
    for (std::size_t index = first; index < end; ++index) {
      for (std::size_t done = first; done < index; ++done) project_out(at(done), at(index), size);
      const double norm = std::sqrt(dot(at(index), at(index), size));
      for (std::size_t i = 0; i < size; ++i) at(index)[i] /= norm;
    }
    for (std::size_t later = end; later < count; ++later) {
      for (std::size_t done = first; done < end; ++done) project_out(at(done), at(later), size);
    }
  }
}

void fill_orthogonal(const InitialTensor& tensor, Random& random, float* panels) {
  const bool tall = tensor.rows >= tensor.columns;
  const std::size_t count = std::min(tensor.rows, tensor.columns);
  const std::size_t size = std::max(tensor.rows, tensor.columns);
  std::vector<double> vectors(count * size);
  for (double& value : vectors) value = random.normal();
  orthonormalize(vectors, count, size);
  fill(tensor, panels, [&](std::size_t row, std::size_t column) {
    return static_cast<float>(tall ? vectors[column * size + row] : vectors[row * size + column]);
  });
}

}  // namespace

void expect_initializer(const std::string& field, const Initializer& initializer) {
  if (initializer.type == InitializerType::kConstant) expect_finite(field + ".value", initializer.value);
  if (initializer.type == InitializerType::kUniform) expect_positive(field + ".limit", initializer.value);
}

void initialize_tensor(const Initializer& initializer, const InitialTensor& tensor, std::uint64_t seed,
                       std::uint32_t index, float* panels) {
  Random random(seed, RandomPurpose::kInitialWeights, index);
  const double variance = variance_of(initializer.type, tensor);
  const auto uniform = [&](float limit) {
    fill(tensor, panels, [&](std::size_t, std::size_t) { return (2.0f * random.unit() - 1.0f) * limit; });
  };
  const auto constant = [&](float value) {
    fill(tensor, panels, [&](std::size_t, std::size_t) { return value; });
  };
  switch (initializer.type) {
    case InitializerType::kGlorotUniform:
    case InitializerType::kHeUniform:
    case InitializerType::kLecunUniform:
      return uniform(static_cast<float>(std::sqrt(3.0 * variance)));
    case InitializerType::kGlorotNormal:
    case InitializerType::kHeNormal:
    case InitializerType::kLecunNormal: {
      const float deviation = static_cast<float>(std::sqrt(variance) / kTruncatedDeviation);
      return fill(tensor, panels, [&](std::size_t, std::size_t) { return random.truncated_normal() * deviation; });
    }
    case InitializerType::kOrthogonal:
      return fill_orthogonal(tensor, random, panels);
    case InitializerType::kZeros:
      return constant(0.0f);
    case InitializerType::kOnes:
      return constant(1.0f);
    case InitializerType::kConstant:
      return constant(initializer.value);
    case InitializerType::kUniform:
      return uniform(initializer.value);
  }
}

}  // namespace millrace
