#include "engine/kernels.h"

#include <cstring>
#include <limits>

#include "check.h"
#include "engine/optimizer.h"
#include "matrices.h"

namespace millrace::test {
namespace {

// float32 sums of n products of numbers up to 1: n roundings of at most n * 6e-8, in practice its root.
double allowed(std::size_t inner) { return 2e-7 * static_cast<double>(inner) + 1e-6; }

double apply(Activation activation, double x) {
  const double sigmoid = 1.0 / (1.0 + std::exp(-x));
  switch (activation) {
    case Activation::kSigmoid:
      return sigmoid;
    case Activation::kHardSigmoid:
      return std::clamp(x / 6.0 + 0.5, 0.0, 1.0);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kRelu:
      return x > 0.0 ? x : 0.0;
    case Activation::kLeakyRelu:
      return x > 0.0 ? x : double{default_parameter(activation)} * x;
    case Activation::kElu:
      return x > 0.0 ? x : std::expm1(x);
    case Activation::kSelu:
      return 1.0507009873554805 * (x > 0.0 ? x : 1.6732632423543772 * std::expm1(x));
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x * sigmoid;
    case Activation::kSoftplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    case Activation::kSoftsign:
      return x / (1.0 + std::abs(x));
    case Activation::kLinear:
    case Activation::kSoftmax:
    case Activation::kLogSoftmax:
      break;
  }
  return x;
}

/// What a float32 formula may be off by, beyond some units in the last place of the result.
double allowed_beside(Activation activation) {
  switch (activation) {
    case Activation::kGelu:  // its distribution function is good to 1.5e-7, times numbers up to 5.5
    case Activation::kGeluTanh:
      return 1e-6;
    case Activation::kHardSigmoid:
      return 1e-7;
    case Activation::kSilu:  // the exponential is 0 below the smallest normal number, times numbers up to 100
      return 2e-36;
    default:
      return 2e-38;  // nothing below the smallest normal number
  }
}

constexpr Activation kAllElementwise[] = {
    Activation::kLinear, Activation::kSigmoid, Activation::kHardSigmoid, Activation::kTanh, Activation::kRelu,
    Activation::kLeakyRelu, Activation::kElu, Activation::kSelu, Activation::kGelu, Activation::kGeluTanh,
    Activation::kSilu, Activation::kSoftplus, Activation::kSoftsign};

double slope_of(Activation activation, double y) {
  switch (activation) {
    case Activation::kSigmoid:
      return y * (1.0 - y);
    case Activation::kTanh:
      return 1.0 - y * y;
    case Activation::kRelu:
      return y > 0.0 ? 1.0 : 0.0;
    default:
      break;
  }
  return 1.0;
}

struct Shape {
  std::size_t rows, inner, outer;
};

constexpr Shape kShapes[] = {{1, 1, 1},    {1, 784, 128}, {2, 17, 33},  {3, 257, 47}, {5, 16, 16},   {7, 31, 10},
                             {12, 300, 80}, {13, 64, 257}, {32, 97, 19}, {37, 513, 64}, {65, 40, 130}, {4, 4097, 31}};
constexpr Activation kElementwise[] = {Activation::kLinear, Activation::kSigmoid, Activation::kTanh, Activation::kRelu};

double product(const Matrix& a, const Matrix& b, std::size_t row, std::size_t column) {
  double sum = 0.0;
  for (std::size_t k = 0; k < a.columns; ++k) sum += static_cast<double>(a.at(row, k)) * b.at(k, column);
  return sum;
}

TEST("dense agrees with the plain sum for every shape, activation and instruction set") {
  for (const Kernels* k : available_kernels()) {
    for (const auto& [rows, inner, outer] : kShapes) {
      const Matrix input = Matrix::random(rows, inner, 1);
      const Matrix weights = Matrix::random(inner, outer, 2);
      const AlignedBuffer<float> bias = Matrix::random(1, outer, 3).panels();
      const AlignedBuffer<float> x = input.panels();
      const AlignedBuffer<float> w = weights.panels();
      for (const Activation activation : kElementwise) {
        AlignedBuffer<float> output(panel_size(rows, outer));
        k->dense({x.data(), rows, inner, w.data(), bias.data(), output.data(), rows, nullptr, activation},
                               {0, rows}, {0, panel_count(outer)});
        for (std::size_t r = 0; r < rows; ++r) {
          for (std::size_t c = 0; c < outer; ++c) {
            const double expected = apply(activation, product(input, weights, r, c) + bias[c]);
            CHECK_NEAR(output[panel_offset(rows, r, c)], expected, allowed(inner));
          }
        }
      }
    }
  }
}

/// [panels][rows] of bits, as Gather makes them.
std::vector<std::uint16_t> nonzero_of(const Matrix& matrix) {
  std::vector<std::uint16_t> masks(panel_count(matrix.columns) * matrix.rows);
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    for (std::size_t c = 0; c < matrix.columns; ++c) {
      if (matrix.at(r, c) != 0.0f) masks[c / kPanelWidth * matrix.rows + r] |= 1u << (c % kPanelWidth);
    }
  }
  return masks;
}

TEST("dense reads a row-major input with the bits of one in panels, also where it skips zeros") {
  for (const Kernels* k : available_kernels()) {
    for (const auto& [rows, inner, outer] : kShapes) {
      for (const double share : {0.2, 1.0}) {
        const Matrix input = Matrix::sparse(rows, inner, share, 1);
        const std::vector<std::uint16_t> masks = nonzero_of(input);
        const AlignedBuffer<float> x = input.panels();
        const AlignedBuffer<float> w = Matrix::random(inner, outer, 2).panels();
        const auto run = [&](const float* from, bool row_major, const std::uint16_t* nonzero) {
          AlignedBuffer<float> output(panel_size(rows, outer));
          k->dense({from, rows, inner, w.data(), nullptr, output.data(), rows, nullptr, Activation::kRelu, nonzero,
                    row_major},
                   {0, rows}, {0, panel_count(outer)});
          return output;
        };
        const AlignedBuffer<float> expected = run(x.data(), false, nullptr);
        for (const std::uint16_t* nonzero : {static_cast<const std::uint16_t*>(nullptr), masks.data()}) {
          const AlignedBuffer<float> output = run(input.flat.data(), true, nonzero);
          CHECK(std::memcmp(expected.data(), output.data(), output.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

TEST("dense multiplies by the slope on the way back") {
  for (const Kernels* k : available_kernels()) {
    const Matrix error = Matrix::random(9, 21, 1);
    const Matrix transposed = Matrix::random(21, 35, 2);
    const Matrix at = Matrix::random(9, 35, 3);
    const AlignedBuffer<float> e = error.panels(), t = transposed.panels(), y = at.panels();
    for (const Activation activation : kElementwise) {
      AlignedBuffer<float> output(panel_size(9, 35));
      k->dense({e.data(), 9, 21, t.data(), nullptr, output.data(), 9, y.data(), activation}, {0, 9},
                             {0, 3});
      for (std::size_t r = 0; r < 9; ++r) {
        for (std::size_t c = 0; c < 35; ++c) {
          CHECK_NEAR(output[panel_offset(9, r, c)],
                     product(error, transposed, r, c) * slope_of(activation, at.at(r, c)), allowed(21));
        }
      }
    }
  }
}

TEST("dense gives the same bits however rows and panels are divided") {
  for (const Kernels* k : available_kernels()) {
    const std::size_t rows = 29, inner = 600, outer = 150;
    const AlignedBuffer<float> x = Matrix::random(rows, inner, 1).panels();
    const AlignedBuffer<float> w = Matrix::random(inner, outer, 2).panels();
    const auto run = [&](std::size_t row_step, std::size_t panel_step) {
      AlignedBuffer<float> output(panel_size(rows, outer));
      for (std::size_t row = 0; row < rows; row += row_step) {
        for (std::size_t panel = 0; panel < panel_count(outer); panel += panel_step) {
          k->dense(
              {x.data(), rows, inner, w.data(), nullptr, output.data(), rows, nullptr, Activation::kTanh},
              {row, std::min(row + row_step, rows)}, {panel, std::min(panel + panel_step, panel_count(outer))});
        }
      }
      return output;
    };
    const AlignedBuffer<float> whole = run(rows, panel_count(outer));
    for (const std::size_t row_step : {1, 2, 3, 7, 13}) {
      for (const std::size_t panel_step : {1, 3, 10}) {
        const AlignedBuffer<float> parts = run(row_step, panel_step);
        CHECK(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)) == 0);
      }
    }
  }
}

TEST("the weight gradient agrees with the plain sum, stored, added and applied") {
  for (const Kernels* k : available_kernels()) {
    for (const auto& [rows, inner, outer] : kShapes) {
      const Matrix input = Matrix::random(rows, inner, 1);
      const Matrix error = Matrix::random(rows, outer, 2);
      const AlignedBuffer<float> x = input.panels();
      const AlignedBuffer<float> e = error.panels();
      AlignedBuffer<float> values(panel_size(inner, outer)), gradient(values.size());
      AlignedBuffer<float> bias(padded(outer)), bias_gradient(bias.size());
      WeightGradient g{x.data(), rows, inner, e.data(), rows, rows, WeightGradient::Mode::kStore,
                       {values.data(), gradient.data(), nullptr, nullptr},
                       {bias.data(), bias_gradient.data(), nullptr, nullptr},
                       {}};
      g.update.rule = UpdateRule::kDescent;
      g.update.learning_rate = 0.5f;
      const Range inner_panels{0, panel_count(inner)}, panels{0, panel_count(outer)};
      k->weight_gradient(g, inner_panels, panels);
      g.mode = WeightGradient::Mode::kAdd;
      k->weight_gradient(g, inner_panels, panels);
      g.mode = WeightGradient::Mode::kUpdate;
      k->weight_gradient(g, inner_panels, panels);
      for (std::size_t c = 0; c < outer; ++c) {
        double column = 0.0;
        for (std::size_t r = 0; r < rows; ++r) column += error.at(r, c);
        CHECK_NEAR(bias_gradient[c], 2.0 * column, 2.0 * allowed(rows));
        CHECK_NEAR(bias[c], -0.5 * column, allowed(rows));
        for (std::size_t i = 0; i < inner; ++i) {
          double sum = 0.0;
          for (std::size_t r = 0; r < rows; ++r) sum += static_cast<double>(input.at(r, i)) * error.at(r, c);
          const std::size_t at = panel_offset(inner, i, c);
          CHECK_NEAR(gradient[at], 2.0 * sum, 2.0 * allowed(rows));
          CHECK_NEAR(values[at], -0.5 * sum, allowed(rows));
        }
      }
    }
  }
}

constexpr double kShares[] = {0.0, 0.02, 0.2, 0.45, 0.7, 1.0};
constexpr Shape kSparseShapes[] = {{1, 784, 128}, {2, 17, 33},  {3, 257, 47},  {6, 300, 16},   {13, 64, 257},
                                   {32, 784, 64}, {37, 513, 90}, {65, 40, 130}, {256, 97, 19}, {257, 33, 20}};

TEST("skipping zeros of the input changes no bit of a product, however rows and panels are divided") {
  for (const Kernels* k : available_kernels()) {
    for (const auto& [rows, inner, outer] : kSparseShapes) {
      const AlignedBuffer<float> w = Matrix::random(inner, outer, 2).panels();
      const AlignedBuffer<float> bias = Matrix::random(1, outer, 3).panels();
      for (const double share : kShares) {
        const Matrix input = Matrix::sparse(rows, inner, share, 1);
        const AlignedBuffer<float> x = input.panels();
        const std::vector<std::uint16_t> masks = nonzero_of(input);
        const auto run = [&](const std::uint16_t* nonzero, std::size_t row_step, std::size_t panel_step) {
          AlignedBuffer<float> output(panel_size(rows, outer));
          for (std::size_t row = 0; row < rows; row += row_step) {
            for (std::size_t panel = 0; panel < panel_count(outer); panel += panel_step) {
              k->dense({x.data(), rows, inner, w.data(), bias.data(), output.data(), rows, nullptr, Activation::kRelu,
                        nonzero},
                       {row, std::min(row + row_step, rows)},
                       {panel, std::min(panel + panel_step, panel_count(outer))});
            }
          }
          return output;
        };
        const AlignedBuffer<float> dense = run(nullptr, rows, panel_count(outer));
        for (const std::size_t step : {std::size_t{3}, std::max(rows, panel_count(outer))}) {
          const AlignedBuffer<float> sparse = run(masks.data(), step, step);
          CHECK(std::memcmp(dense.data(), sparse.data(), dense.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

TEST("skipping zeros of the input changes no bit of a weight gradient, stored or added") {
  for (const Kernels* k : available_kernels()) {
    for (const auto& [rows, inner, outer] : kSparseShapes) {
      const AlignedBuffer<float> e = Matrix::random(rows, outer, 2).panels();
      for (const double share : kShares) {
        const Matrix input = Matrix::sparse(rows, inner, share, 1);
        const AlignedBuffer<float> x = input.panels();
        const std::vector<std::uint16_t> masks = nonzero_of(input);
        const auto run = [&](const std::uint16_t* nonzero) {
          AlignedBuffer<float> gradient(panel_size(inner, outer)), bias_gradient(padded(outer));
          for (const WeightGradient::Mode mode : {WeightGradient::Mode::kStore, WeightGradient::Mode::kAdd}) {
            k->weight_gradient({x.data(), rows, inner, e.data(), rows, rows, mode,
                                {nullptr, gradient.data(), nullptr, nullptr},
                                {nullptr, bias_gradient.data(), nullptr, nullptr},
                                {}, nonzero},
                               {0, panel_count(inner)}, {0, panel_count(outer)});
          }
          return gradient;
        };
        const AlignedBuffer<float> dense = run(nullptr);
        const AlignedBuffer<float> sparse = run(masks.data());
        CHECK(std::memcmp(dense.data(), sparse.data(), dense.size() * sizeof(float)) == 0);
      }
    }
  }
}

TEST("a step that is zero in the input is not taken: not even NaN comes out of its weight") {
  for (const Kernels* k : available_kernels()) {
    const Matrix input(5, 40);
    const AlignedBuffer<float> x = input.panels();
    const std::vector<std::uint16_t> masks = nonzero_of(input);
    const AlignedBuffer<float> w(panel_size(40, 20), std::numeric_limits<float>::quiet_NaN());
    AlignedBuffer<float> output(panel_size(5, 20), 7.0f);
    k->dense({x.data(), 5, 40, w.data(), nullptr, output.data(), 5, nullptr, Activation::kLinear, masks.data()}, {0, 5},
             {0, 2});
    for (const float value : output) CHECK(value == 0.0f);
  }
}

TEST("Adam's first step is the learning rate against the gradient's sign") {
  for (const Kernels* k : available_kernels()) {
    AlignedBuffer<float> value(16), gradient(16), first(16), second(16);
    for (std::size_t i = 0; i < 16; ++i) gradient[i] = static_cast<float>(i) - 8.0f;
    const Optimizer adam({OptimizerType::kAdam, 0.25, 0.0, false, 0.9, 0.999, 1e-30});
    gradient[8] = 1.0f;
    k->update({value.data(), gradient.data(), first.data(), second.data()}, adam.update_at(1, 0.25), 16);
    for (std::size_t i = 0; i < 16; ++i) CHECK_NEAR(value[i], gradient[i] < 0.0f ? 0.25 : -0.25, 1e-5);
  }
}

TEST("transpose moves every element and clears the padding") {
  for (const Kernels* k : available_kernels()) {
    for (const auto& [rows, inner, outer] : kShapes) {
      const Matrix weights = Matrix::random(inner, outer, rows);
      const AlignedBuffer<float> w = weights.panels();
      AlignedBuffer<float> transposed(panel_size(outer, inner), 7.0f);
      k->transpose(w.data(), inner, outer, transposed.data(), {0, panel_count(inner)});
      for (std::size_t o = 0; o < outer; ++o) {
        for (std::size_t i = 0; i < padded(inner); ++i) {
          CHECK(transposed[panel_offset(outer, o, i)] == (i < inner ? weights.at(i, o) : 0.0f));
        }
      }
    }
  }
}

TEST("softmax is stable for logits of 1e4 and exact at its ends") {
  for (const Kernels* k : available_kernels()) {
    for (const std::size_t columns : {2, 10, 16, 17, 40}) {
      Matrix logits(2, columns);
      for (std::size_t c = 0; c < columns; ++c) logits.flat[c] = c == 1 ? 1e4f : -1e4f;
      for (std::size_t c = 0; c < columns; ++c) logits.flat[columns + c] = static_cast<float>(c) * 0.25f;
      AlignedBuffer<float> z = logits.panels();
      k->activate({Activation::kSoftmax, 0.0f, z.data(), z.data(), 2, columns}, {0, 2}, {0, panel_count(columns)});
      double total = 0.0;
      for (std::size_t c = 0; c < columns; ++c) total += std::exp(0.25 * static_cast<double>(c));
      for (std::size_t c = 0; c < columns; ++c) {
        CHECK(z[panel_offset(2, 0, c)] == (c == 1 ? 1.0f : 0.0f));
        CHECK_NEAR(z[panel_offset(2, 1, c)], std::exp(0.25 * static_cast<double>(c)) / total, 1e-6);
      }
    }
  }
}

TEST("activations agree with the C library over their whole range") {
  for (const Kernels* k : available_kernels()) {
    for (const Activation activation : kAllElementwise) {
      AlignedBuffer<float> x(16), y(16);
      const ActivationPass pass{activation, default_parameter(activation), x.data(), y.data(), 1, 16};
      for (double from = -100.0; from < 100.0; from += 0.37) {
        for (std::size_t i = 0; i < 16; ++i) x[i] = static_cast<float>(from + 0.023 * static_cast<double>(i));
        k->activate(pass, {0, 1}, {0, 1});
        for (std::size_t i = 0; i < 16; ++i) {
          const double expected = apply(activation, x[i]);
          CHECK_NEAR(y[i], expected, 6e-7 * std::abs(expected) + allowed_beside(activation));
        }
      }
      x.assign(16, std::numeric_limits<float>::quiet_NaN());
      k->activate(pass, {0, 1}, {0, 1});
      for (const float value : y) CHECK(std::isnan(value));
    }
  }
}

TEST("slopes agree with differences, from the output or from the input") {
  for (const Kernels* k : available_kernels()) {
    for (const Activation activation : kAllElementwise) {
      AlignedBuffer<float> x(16), y(16), error(16), result(16);
      const ActivationPass pass{activation, default_parameter(activation), x.data(), y.data(), 1, 16};
      for (double from = -9.01; from < 9.0; from += 0.37) {
        for (std::size_t i = 0; i < 16; ++i) x[i] = static_cast<float>(from + 0.023 * static_cast<double>(i));
        for (std::size_t i = 0; i < 16; ++i) error[i] = static_cast<float>(i) - 7.5f;
        k->activate(pass, {0, 1}, {0, 1});
        k->slope(pass, error.data(), result.data(), {0, 1}, {0, 1});
        for (std::size_t i = 0; i < 16; ++i) {
          // Not across a corner.
          const double step = 1e-4;
          if (std::abs(x[i]) < 2 * step || std::abs(std::abs(x[i]) - 3.0) < 2 * step) continue;
          const double slope = (apply(activation, x[i] + step) - apply(activation, x[i] - step)) / (2.0 * step);
          CHECK_NEAR(result[i], slope * error[i], 2e-5);
        }
      }
    }
  }
}

}  // namespace
}  // namespace millrace::test
