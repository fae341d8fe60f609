#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "check.h"
#include "engine/kernels.h"
#include "engine/network.h"
#include "engine/quantized_network.h"
#include "matrices.h"

namespace millrace::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct QuantizedShape {
  std::size_t rows, inner, outer;
};

constexpr QuantizedShape kQuantizedShapes[] = {{1, 1, 1},   {1, 784, 128}, {2, 17, 33},   {3, 257, 47}, {5, 16, 16},
                             {7, 31, 10}, {13, 64, 257}, {32, 97, 19}, {4, 4097, 31}, {6, 1024, 2}};

/// Bytes with the eight largest sums that are allowed, and some steps of zeros.
struct Quantized {
  std::size_t rows, inner, outer, stride, words;
  AlignedBuffer<std::uint8_t> input;
  AlignedBuffer<std::uint64_t> masks;
  AlignedBuffer<RowScale> scales;
  AlignedBuffer<std::int8_t> weights;
  AlignedBuffer<float> weight_scales, bias;
  AlignedBuffer<std::int32_t> weight_sums;

  explicit Quantized(const QuantizedShape& shape)
      : rows(shape.rows),
        inner(shape.inner),
        outer(shape.outer),
        stride(padded(inner)),
        words(mask_words(inner)),
        input(rows * stride),
        masks(rows * words),
        scales(rows),
        weights(stride * padded(outer)),
        weight_scales(padded(outer)),
        bias(padded(outer)),
        weight_sums(padded(outer)) {
    Random random(inner, RandomPurpose::kShuffle, 0);
    for (std::size_t r = 0; r < rows; ++r) {
      scales[r] = {0.01f * static_cast<float>(r + 1), static_cast<std::int32_t>(random.below(128))};
      for (std::size_t i = 0; i < inner; ++i) {
        const bool silent = i / kPanelWidth % 3 == 1;
        const auto value = static_cast<std::uint8_t>(r == 0 ? kActivationMax : random.below(kActivationMax + 1));
        input[r * stride + i] = silent ? 0 : value;
        if (input[r * stride + i] != 0) masks[r * words + i / 1024] |= std::uint64_t{1} << i / kPanelWidth % 64;
      }
      // Beyond the inner dimension weights are 0, so whatever stands here is nothing.
      for (std::size_t i = inner; i < stride; ++i) input[r * stride + i] = 99;
    }
    for (std::size_t j = 0; j < outer; ++j) {
      weight_scales[j] = 0.001f * static_cast<float>(j + 1);
      bias[j] = static_cast<float>(j) - 3.0f;
      for (std::size_t i = 0; i < inner; ++i) {
        // Of the eight that meet, in column 0 two are the largest possible with one sign, elsewhere all are about equal.
        const int size = j == 0 ? (i % kPanelWidth < 2 ? kWeightMax : 0) : static_cast<int>(random.below(33));
        set_weight(i, j, j % 2 == 0 ? size : -size);
      }
    }
  }

  void set_weight(std::size_t i, std::size_t j, int value) {
    weights[j / kPanelWidth * stride * kPanelWidth + i / kQuad * kQuad * kPanelWidth + j % kPanelWidth * kQuad + i % kQuad] =
        static_cast<std::int8_t>(value);
    weight_sums[j] += value;
  }

  int weight(std::size_t i, std::size_t j) const {
    return weights[j / kPanelWidth * stride * kPanelWidth + i / kQuad * kQuad * kPanelWidth + j % kPanelWidth * kQuad +
                   i % kQuad];
  }

  float expected(std::size_t r, std::size_t j) const {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < inner; ++i) sum += (input[r * stride + i] - scales[r].zero) * weight(i, j);
    // The engine's own roundings, one by one.
    const float scale = scales[r].scale * weight_scales[j];
    const float product = static_cast<float>(sum) * scale;
    return product + bias[j];
  }

  AlignedBuffer<float> run(const Kernels& k, Activation activation) const {
    AlignedBuffer<float> output(panel_size(rows, outer));
    k.quantized_dense({input.data(), stride, masks.data(), scales.data(), stride, weights.data(), weight_scales.data(),
                       weight_sums.data(), bias.data(), output.data(), rows, activation},
                      {0, rows}, {0, panel_count(outer)});
    return output;
  }
};

TEST("int8 products are exact for every shape, and have the same bits on every instruction set") {
  for (const Kernels* k : available_kernels()) {
    for (const QuantizedShape& shape : kQuantizedShapes) {
      const Quantized q(shape);
      const AlignedBuffer<float> linear = q.run(*k, Activation::kLinear);
      const AlignedBuffer<float> relu = q.run(*k, Activation::kRelu);
      for (std::size_t r = 0; r < q.rows; ++r) {
        for (std::size_t j = 0; j < q.outer; ++j) {
          const float expected = q.expected(r, j);
          CHECK(linear[panel_offset(q.rows, r, j)] == expected);
          CHECK(relu[panel_offset(q.rows, r, j)] == std::max(expected, 0.0f));
        }
      }
    }
  }
}

struct QuantizedMatrix {
  std::vector<std::uint8_t> numbers;
  std::vector<std::uint64_t> masks;
  std::vector<RowScale> scales;
  std::size_t stride;

  QuantizedMatrix(const Kernels& k, const MatrixView& view, std::size_t rows, std::size_t columns,
                  const ActivationRange* range)
      : numbers(rows * padded(columns)), masks(rows * mask_words(columns)), scales(rows), stride(padded(columns)) {
    k.quantize_rows({view, columns, range, numbers.data(), stride, masks.data(), scales.data()}, {0, rows});
  }

  float value(std::size_t r, std::size_t c) const {
    return scales[r].scale * static_cast<float>(numbers[r * stride + c] - scales[r].zero);
  }
};

TEST("rows are quantised to within a step, row-major and in panels alike, on every instruction set") {
  for (const Kernels* k : available_kernels()) {
    for (const std::size_t columns : {1, 15, 16, 17, 784, 1024, 1040, 4097}) {
      const std::size_t rows = 5;
      Matrix matrix = Matrix::random(rows, columns, columns);
      // Rows of one sign, of the other, with an outlier, and of zeros.
      for (std::size_t c = 0; c < columns; ++c) {
        float* at = matrix.flat.data() + c;
        at[0] = std::abs(at[0]);
        at[columns] = -std::abs(at[columns]);
        if (c == columns / 2) at[2 * columns] = 1e6f;
        at[3 * columns] = 0.0f;
      }
      const AlignedBuffer<float> panels = matrix.panels();
      const QuantizedMatrix flat(*k, {matrix.flat.data(), columns, kPanelWidth}, rows, columns, nullptr);
      const QuantizedMatrix same(*k, {panels.data(), kPanelWidth, rows * kPanelWidth}, rows, columns, nullptr);
      const QuantizedMatrix plain(kernels_for(InstructionSet::kPortable), {matrix.flat.data(), columns, kPanelWidth}, rows,
                                  columns, nullptr);
      CHECK(flat.numbers == same.numbers && flat.numbers == plain.numbers);
      CHECK(flat.masks == same.masks && flat.masks == plain.masks);
      for (std::size_t r = 0; r < rows; ++r) {
        CHECK(flat.scales[r].scale == plain.scales[r].scale && flat.scales[r].zero == plain.scales[r].zero);
        for (std::size_t c = 0; c < columns; ++c) {
          CHECK(flat.numbers[r * flat.stride + c] <= kActivationMax);
          // Half a step, and half a step more at one end, where zero was rounded.
          CHECK_NEAR(flat.value(r, c), matrix.at(r, c), 1.001 * flat.scales[r].scale);
          const bool seen = flat.masks[r * mask_words(columns) + c / 1024] >> c / kPanelWidth % 64 & 1;
          CHECK(seen || flat.numbers[r * flat.stride + c] == 0);
        }
      }
    }
  }
}

TEST("a row that is not finite has the scale NaN; huge and tiny rows keep their numbers") {
  for (const Kernels* k : available_kernels()) {
    for (const float wrong : {kNan, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
      for (const std::size_t place : {0, 7, 16, 18}) {
        Matrix matrix = Matrix::random(3, 19, 1);
        matrix.flat[19 + place] = wrong;
        const ActivationRange range{-1.0f, 1.0f};
        for (const ActivationRange* fixed : {static_cast<const ActivationRange*>(nullptr), &range}) {
          const QuantizedMatrix q(*k, {matrix.flat.data(), 19, kPanelWidth}, 3, 19, fixed);
          CHECK(std::isnan(q.scales[1].scale));
          CHECK(q.scales[0].scale > 0.0f && q.scales[2].scale > 0.0f);
        }
      }
    }
    const std::vector<float> huge{3e38f, -3e38f, 0.0f};
    const QuantizedMatrix top(*k, {huge.data(), 3, kPanelWidth}, 1, 3, nullptr);
    for (std::size_t c = 0; c < 3; ++c) CHECK_NEAR(top.value(0, c), huge[c], 1.001 * top.scales[0].scale);
    const std::vector<float> tiny{1e-39f, -1e-40f, 0.0f};
    const QuantizedMatrix none(*k, {tiny.data(), 3, kPanelWidth}, 1, 3, nullptr);
    CHECK(none.scales[0].scale == 0.0f);
  }
}

TEST("with a fixed range what lies beyond is taken for its ends") {
  for (const Kernels* k : available_kernels()) {
    const std::vector<float> row{-5.0f, -1.0f, 0.0f, 0.5f, 3.0f, 1e30f, -1e30f};
    const ActivationRange range{-1.0f, 3.0f};
    const QuantizedMatrix q(*k, {row.data(), row.size(), kPanelWidth}, 1, row.size(), &range);
    CHECK(q.value(0, 2) == 0.0f);
    for (std::size_t c = 0; c < row.size(); ++c) {
      CHECK_NEAR(q.value(0, c), std::clamp(row[c], -1.0f, 3.0f), 1.001 * q.scales[0].scale);
    }
  }
}

TEST("bfloat16 rounds to nearest, ties to even, and keeps NaN and infinity") {
  CHECK(to_bfloat16(1.0f) == 0x3f80);
  CHECK(to_bfloat16(-2.5f) == 0xc020);
  CHECK(to_bfloat16(1.00390625f) == 0x3f80);  // half way: down to even
  CHECK(to_bfloat16(1.01171875f) == 0x3f82);  // half way: up to even
  CHECK(to_bfloat16(1.00390637f) == 0x3f81);
  CHECK(to_bfloat16(std::numeric_limits<float>::infinity()) == 0x7f80);
  CHECK(to_bfloat16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(to_bfloat16(kNan) >> 7 == 0xff && (to_bfloat16(kNan) & 0x7f) != 0);
}

TEST("bfloat16 products have the bits of float32 products with the rounded weights") {
  for (const Kernels* k : available_kernels()) {
    for (const auto& [rows, inner, outer] : kQuantizedShapes) {
      const Matrix input = Matrix::random(rows, inner, 1);
      const AlignedBuffer<float> x = input.panels();
      const AlignedBuffer<float> w = Matrix::random(inner, outer, 2).panels();
      const AlignedBuffer<float> bias = Matrix::random(1, outer, 3).panels();
      AlignedBuffer<std::uint16_t> halves(w.size());
      AlignedBuffer<float> rounded(w.size());
      for (std::size_t i = 0; i < w.size(); ++i) {
        halves[i] = to_bfloat16(w[i]);
        const std::uint32_t bits = static_cast<std::uint32_t>(halves[i]) << 16;
        std::memcpy(&rounded[i], &bits, sizeof(bits));
        CHECK_NEAR(rounded[i], w[i], std::abs(w[i]) / 256.0);
      }
      AlignedBuffer<float> expected(panel_size(rows, outer));
      DenseProduct product{};
      product.input = x.data();
      product.input_rows = rows;
      product.inner = inner;
      product.weights = rounded.data();
      product.bias = bias.data();
      product.output = expected.data();
      product.output_rows = rows;
      product.activation = Activation::kTanh;
      k->dense(product, {0, rows}, {0, panel_count(outer)});
      for (const bool flat : {true, false}) {
        AlignedBuffer<float> output(expected.size());
        const MatrixView view = flat ? MatrixView{input.flat.data(), inner, kPanelWidth}
                                     : MatrixView{x.data(), kPanelWidth, rows * kPanelWidth};
        k->bfloat16_dense({view, inner, halves.data(), bias.data(), output.data(), rows, Activation::kTanh}, {0, rows},
                          {0, panel_count(outer)});
        CHECK(std::memcmp(output.data(), expected.data(), output.size() * sizeof(float)) == 0);
      }
    }
  }
}

/// The largest distance of a quantised layer from the float64 product, in the size of what is summed.
double relative_error(const QuantizedDense& dense, const Matrix& input, const Matrix& weights) {
  AlignedBuffer<float> output(panel_size(input.rows, weights.columns));
  QuantizedRows scratch;
  dense.forward({input.flat.data(), input.columns, kPanelWidth}, input.rows, Activation::kLinear, output.data(), scratch);
  double worst = 0.0;
  for (std::size_t r = 0; r < input.rows; ++r) {
    for (std::size_t j = 0; j < weights.columns; ++j) {
      double sum = 0.0, size = 0.0;
      for (std::size_t i = 0; i < input.columns; ++i) {
        const double product = static_cast<double>(input.at(r, i)) * weights.at(i, j);
        sum += product;
        size += product * product;
      }
      worst = std::max(worst, std::abs(output[panel_offset(input.rows, r, j)] - sum) / std::sqrt(size));
    }
  }
  return worst;
}

TEST("a quantised layer is as near to float32 as its steps are fine") {
  for (const std::size_t inner : {17, 784, 4097}) {
    const Matrix input = Matrix::random(9, inner, 1);
    const Matrix weights = Matrix::random(inner, 37, 2);
    const AlignedBuffer<float> kernel = weights.panels(), bias(padded(37));
    // Weights in some 40 steps and inputs in 63 from 0 to 1 leave a deviation of 1 to 2 %; 333 draws reach 4 deviations.
    CHECK(relative_error(QuantizedDense(Precision::kInt8, inner, 37, kernel.data(), bias.data()), input, weights) < 0.08);
    // A rounding of 2^-9 a weight.
    CHECK(relative_error(QuantizedDense(Precision::kBfloat16, inner, 37, kernel.data(), bias.data()), input, weights) <
          0.006);
  }
}

TEST("sums of the longest columns fit: every weight and activation at its end") {
  const std::size_t inner = 700000;
  const std::vector<float> input(inner, 1.0f);
  const AlignedBuffer<float> bias(padded(1));
  AlignedBuffer<float> kernel(panel_size(inner, 1));
  for (std::size_t i = 0; i < inner; ++i) kernel[i * kPanelWidth] = -0.5f;
  const QuantizedDense dense(Precision::kInt8, inner, 1, kernel.data(), bias.data());
  AlignedBuffer<float> output(kPanelWidth);
  QuantizedRows scratch;
  dense.forward({input.data(), inner, kPanelWidth}, 1, Activation::kLinear, output.data(), scratch);
  CHECK_NEAR(output[0], -0.5 * static_cast<double>(inner), 0.02 * static_cast<double>(inner));
}

TEST("a kernel that is not finite shows in its own column only") {
  const Matrix input = Matrix::random(2, 5, 1);
  Matrix weights = Matrix::random(5, 3, 2);
  weights.flat[4] = kNan;
  const AlignedBuffer<float> kernel = weights.panels(), bias(padded(3));
  for (const Precision precision : {Precision::kInt8, Precision::kBfloat16}) {
    const QuantizedDense dense(precision, 5, 3, kernel.data(), bias.data());
    AlignedBuffer<float> output(panel_size(2, 3));
    QuantizedRows scratch;
    dense.forward({input.flat.data(), 5, kPanelWidth}, 2, Activation::kLinear, output.data(), scratch);
    for (std::size_t r = 0; r < 2; ++r) {
      for (std::size_t j = 0; j < 3; ++j) CHECK(std::isnan(output[panel_offset(2, r, j)]) == (j == 1));
    }
  }
}

}  // namespace
}  // namespace millrace::test
