#include "engine/predictor.h"

#include <cstring>
#include <memory>

#include "check.h"
#include "engine/quantized_network.h"
#include "matrices.h"

namespace millrace::test {
namespace {

LayerSpec dense(std::size_t units, Activation activation) {
  LayerSpec layer;
  layer.units = units;
  layer.activation = activation;
  layer.kernel_initializer = {InitializerType::kGlorotUniform};
  return layer;
}

LayerSpec activation(Activation kind) {
  LayerSpec layer;
  layer.type = LayerType::kActivation;
  layer.activation = kind;
  return layer;
}

/// Calls predict(input, rows, output) with arrays that begin at every byte and end where their memory ends.
template <typename Predict>
void check_at_every_byte(std::size_t inputs, std::size_t outputs, const Predict& predict) {
  for (const std::size_t rows : {std::size_t{1}, std::size_t{3}, Predictor::kRowsAtOnce + 6}) {
    const Matrix numbers = Matrix::random(rows, inputs, 5);
    std::vector<std::byte> expected(rows * outputs * sizeof(float));
    predict(std::as_bytes(std::span(numbers.flat)), rows, std::span(expected));
    for (std::size_t offset = 0; offset < 8; ++offset) {
      std::vector<std::byte> input(offset + numbers.flat.size() * sizeof(float));
      std::memcpy(input.data() + offset, numbers.flat.data(), input.size() - offset);
      std::vector<std::byte> output(7 - offset + expected.size());
      predict(std::span<const std::byte>(input).subspan(offset), rows, std::span(output).subspan(7 - offset));
      CHECK(std::memcmp(output.data() + 7 - offset, expected.data(), expected.size()) == 0);
    }
  }
}

void check_network(Network network) {
  network.initialize(3);
  Predictor predictor;
  check_at_every_byte(network.inputs(), network.outputs(), [&](auto input, std::size_t rows, auto output) {
    predictor.predict(network, input, rows, output);
  });
  for (const Precision precision : {Precision::kInt8, Precision::kBfloat16}) {
    const QuantizedNetwork quantized(network, precision);
    QuantizedNetwork::Scratch scratch;
    check_at_every_byte(network.inputs(), network.outputs(), [&](auto input, std::size_t rows, auto output) {
      quantized.predict(input, rows, output, scratch);
    });
  }
}

TEST("predictions read and write numbers at any address and nothing beside them") {
  check_network(Network({19, {dense(37, Activation::kRelu), dense(5, Activation::kSoftmax)}}));
}

TEST("predictions read no more than a row where no product comes first") {
  check_network(Network({5, {activation(Activation::kTanh), dense(3, Activation::kLinear)}}));
  check_network(Network({5, {activation(Activation::kSoftmax)}}));
}

}  // namespace
}  // namespace millrace::test
