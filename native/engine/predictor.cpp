#include "predictor.h"

#include <algorithm>

#include "denormals.h"
#include "panel.h"

namespace millrace {
namespace {

void grow(AlignedBuffer<float>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
}

}  // namespace

void Predictor::reserve(const Network& network, std::size_t rows) {
  std::size_t widest = 0;
  for (const Layer& layer : network.layers()) widest = std::max(widest, layer.outer);
  grow(input_, panel_size(rows, network.inputs()));
  for (AlignedBuffer<float>& hidden : hidden_) grow(hidden, panel_size(rows, widest));
  grow(outputs_, panel_size(rows, network.outputs()));
}

Predictor::Result Predictor::through_layers(const Network& network, const float* input, std::size_t rows,
                                            bool row_major) {
  const Kernels& k = kernels();
  const float* parameters = network.parameters();
  const std::size_t last = network.layers().size() - 1;
  for (std::size_t index = 0; index <= last; ++index) {
    const Layer& layer = network.layers()[index];
    float* output = hidden_[index % 2].data();
    const bool separate = index == last || layer.activation == Activation::kSoftmax;
    DenseProduct product{input, rows, layer.inner, parameters + layer.kernel, parameters + layer.bias, output, rows,
                         nullptr, separate ? Activation::kLinear : layer.activation};
    product.row_major = row_major && index == 0;
    k.dense(product, {0, rows}, {0, panel_count(layer.outer)});
    if (separate) {
      float* activated = index == last ? outputs_.data() : output;
      k.activate(layer.activation, output, activated, rows, layer.outer, {0, rows});
    }
    input = output;
  }
  return {input, outputs_.data()};
}

Predictor::Result Predictor::forward(const Network& network, const Examples& examples, std::size_t first_row,
                                     std::size_t rows) {
  const FlushDenormals flush;
  reserve(network, rows);
  gather(examples, {nullptr, first_row, input_.data(), rows}, {0, rows});
  return through_layers(network, input_.data(), rows, false);
}

void Predictor::predict(const Network& network, std::span<const float> input, std::size_t rows,
                        std::span<float> output) {
  const FlushDenormals flush;
  const std::size_t outputs = network.outputs();
  for (std::size_t first = 0; first < rows; first += kRowsAtOnce) {
    const std::size_t count = std::min(kRowsAtOnce, rows - first);
    reserve(network, count);
    const Result result = through_layers(network, input.data() + first * network.inputs(), count, true);
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t column = 0; column < outputs; ++column) {
        output[(first + row) * outputs + column] = result.outputs[panel_offset(count, row, column)];
      }
    }
  }
}

}  // namespace millrace
