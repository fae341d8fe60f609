#include "engine/trainer.h"

#include <cstring>
#include <thread>

#include "check.h"
#include "engine/cpu_quota.h"
#include "engine/error.h"
#include "engine/prediction_team.h"
#include "engine/predictor.h"
#include "matrices.h"

namespace millrace::test {
namespace {

LayerSpec dense(std::size_t units, Activation activation, InitializerType initializer) {
  LayerSpec layer;
  layer.units = units;
  layer.activation = activation;
  layer.kernel_initializer = {initializer};
  layer.bias_initializer = {InitializerType::kZeros};
  return layer;
}

std::shared_ptr<Network> small_network() {
  auto network = std::make_shared<Network>(NetworkSpec{
      19, {dense(37, Activation::kRelu, InitializerType::kHeNormal),
           dense(16, Activation::kSoftmax, InitializerType::kGlorotUniform),
           dense(33, Activation::kTanh, InitializerType::kGlorotNormal),
           dense(5, Activation::kSoftmax, InitializerType::kHeUniform)}});
  network->initialize(11);
  return network;
}

/// Every kind of layer, so that the thread sanitizer sees how members share each.
std::shared_ptr<Network> every_layer() {
  const auto layer_of = [](LayerType type) {
    LayerSpec layer;
    layer.type = type;
    layer.momentum = 0.9f;
    layer.epsilon = 1e-3f;
    layer.rate = 0.25f;
    layer.kernel_initializer = {InitializerType::kUniform, 0.5f};
    return layer;
  };
  LayerSpec embedding = layer_of(LayerType::kEmbedding);
  embedding.tables = {{18, 1, 40}};
  LayerSpec residual = layer_of(LayerType::kResidual);
  residual.layers = {layer_of(LayerType::kLayerNormalization), dense(37, Activation::kGelu, InitializerType::kHeNormal),
                     layer_of(LayerType::kDropout)};
  auto network = std::make_shared<Network>(NetworkSpec{
      19, {embedding, dense(37, Activation::kLinear, InitializerType::kHeNormal),
           layer_of(LayerType::kBatchNormalization), layer_of(LayerType::kPrelu), residual,
           dense(5, Activation::kSoftmax, InitializerType::kGlorotUniform)}});
  network->initialize(11);
  return network;
}

struct Data {
  explicit Data(std::size_t rows) : features(Matrix::random(rows, 19, 4)), labels(rows) {
    for (std::size_t row = 0; row < rows; ++row) labels[row] = static_cast<std::int32_t>(row % 5);
  }
  Examples examples() const {
    return {features.rows, {{ElementType::kFloat32, features.columns, features.flat.data()}}, labels.data(), true};
  }
  Matrix features;
  std::vector<std::int32_t> labels;
};

TrainerOptions options_of(unsigned threads, std::size_t batch_size, float rate = 0.01f) {
  return {Loss::kCategoricalCrossEntropy, {OptimizerType::kAdam, rate, 0.0f, false, 0.9f, 0.999f, 1e-7f},
          batch_size, 5, threads};
}

std::vector<float> trained(unsigned threads, std::size_t batch_size, std::size_t rows,
                           const std::shared_ptr<Network>& network = small_network()) {
  Data data(rows);
  // A column of categories for the networks that want one.
  for (std::size_t row = 0; row < rows; ++row) data.features.flat[row * 19 + 18] = 0.0f;
  Trainer trainer(network, options_of(threads, batch_size));
  for (std::uint32_t epoch = 0; epoch < 2; ++epoch) trainer.train_epoch(data.examples(), {epoch, 0.0, {}, nullptr});
  std::vector<float> flat(network->parameter_count());
  network->unpack(network->parameters(), flat);
  return flat;
}

TEST("training gives the same bits with every number of threads") {
  for (const std::size_t batch_size : {1, 32, 300, 0}) {
    const std::size_t rows = batch_size == 1 ? 40 : 700;
    const std::vector<float> alone = trained(1, batch_size, rows);
    for (const unsigned threads : {2, 3, 5}) {
      const std::vector<float> team = trained(threads, batch_size, rows);
      CHECK(std::memcmp(alone.data(), team.data(), alone.size() * sizeof(float)) == 0);
    }
  }
}

TEST("training gives the same bits while its team tries other sizes") {
  // Long enough for many turns; five members on fewer processors wait much.
  const std::size_t rows = 30000;
  const std::vector<float> alone = trained(1, 32, rows);
  const std::vector<float> team = trained(5, 32, rows);
  CHECK(std::memcmp(alone.data(), team.data(), alone.size() * sizeof(float)) == 0);
}

TEST("every kind of layer trains to the same bits with every number of threads") {
  for (const std::size_t batch_size : {32, 300}) {
    const std::vector<float> alone = trained(1, batch_size, 700, every_layer());
    for (const unsigned threads : {2, 5}) {
      const std::vector<float> team = trained(threads, batch_size, 700, every_layer());
      CHECK(std::memcmp(alone.data(), team.data(), alone.size() * sizeof(float)) == 0);
    }
  }
}

TEST("padding of the parameters stays zero") {
  const Data data(64);
  const auto network = small_network();
  Trainer trainer(network, options_of(2, 16));
  trainer.train_epoch(data.examples(), {0, 0.0, {}, nullptr});
  for (const ParameterTensor& tensor : network->tensors()) {
    for (std::size_t row = 0; row < tensor.rows(); ++row) {
      for (std::size_t column = tensor.columns(); column < padded(tensor.columns()); ++column) {
        CHECK(network->parameters()[tensor.offset + panel_offset(tensor.rows(), row, column)] == 0.0f);
      }
    }
  }
}

TEST("a cancelled epoch ends after the step at hand, on every member") {
  const Data data(5000);
  std::atomic<bool> cancelled{false};
  Trainer trainer(small_network(), options_of(3, 8));
  const auto cancel_at_ten = [&](const EpochTotals& totals) { cancelled = totals.step >= 10; };
  try {
    trainer.train_epoch(data.examples(), {0, 0.0, cancel_at_ten, &cancelled});
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kCancelled);
  }
  CHECK(trainer.step() == 10);
}

TEST("a loss that is no number ends the epoch with the last good weights") {
  Data data(200);
  data.features.flat[19 * 150 + 3] = NAN;
  const auto network = small_network();
  Trainer trainer(network, options_of(2, 8));
  try {
    trainer.train_epoch(data.examples(), {0, 0.0, {}, nullptr});
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kDiverged);
  }
  for (std::size_t i = 0; i < network->block_size(); ++i) CHECK(std::isfinite(network->parameters()[i]));
}

TEST("bad examples are refused with their place") {
  Data data(20);
  data.labels[7] = 5;
  try {
    expect_trainable(data.examples(), *small_network(), Loss::kCategoricalCrossEntropy);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("row 7") != std::string::npos);
    CHECK(error.field() == "targets");
  }
}

TEST("evaluation and gradients leave the weights alone and agree on the loss") {
  const Data data(300);
  const auto network = small_network();
  const AlignedBuffer<float> before(network->parameters(), network->parameters() + network->block_size());
  Trainer trainer(network, options_of(2, 8));
  const Evaluation evaluation = trainer.evaluate(data.examples());
  const Gradients gradients = trainer.gradients(data.examples(), true);
  // Both add 300 doubles, in different groups.
  CHECK_NEAR(evaluation.loss, gradients.loss, 1e-12);
  CHECK(std::memcmp(before.data(), network->parameters(), before.size() * sizeof(float)) == 0);
}

TEST("a prediction does not depend on the rows beside it") {
  const auto network = small_network();
  const Matrix input = Matrix::random(130, 19, 9);
  std::vector<float> together(130 * 5), alone(5);
  Predictor predictor;
  predictor.predict(*network, std::as_bytes(std::span(input.flat)), 130, std::as_writable_bytes(std::span(together)));
  for (std::size_t row = 0; row < 130; ++row) {
    predictor.predict(*network, std::as_bytes(std::span(input.flat).subspan(row * 19, 19)), 1,
                      std::as_writable_bytes(std::span(alone)));
    CHECK(std::memcmp(alone.data(), together.data() + row * 5, 5 * sizeof(float)) == 0);
  }
}

TEST("predictions of many rows have the same bits with helpers, also for several callers at once") {
  const auto network = small_network();
  const std::size_t rows = 10 * Predictor::kRowsAtOnce + 3;
  const Matrix input = Matrix::random(rows, 19, 9);
  std::vector<float> alone(rows * 5);
  Predictor own;
  own.predict(*network, std::as_bytes(std::span(input.flat)), rows, std::as_writable_bytes(std::span(alone)));
  PredictionTeam team(3);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      Predictor predictor;
      for (int round = 0; round < 50; ++round) {
        std::vector<float> together(rows * 5, 7.0f);
        team.predict(predictor, *network, std::as_bytes(std::span(input.flat)), rows,
                     std::as_writable_bytes(std::span(together)));
        if (std::memcmp(alone.data(), together.data(), alone.size() * sizeof(float)) != 0) std::abort();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST("a team meets at its barrier thousands of times, also with more threads than processors") {
  ThreadPool pool(5);
  std::vector<std::uint64_t> counts(5);
  for (int round = 0; round < 3; ++round) {
    pool.run([&](unsigned member) {
      for (std::uint64_t i = 0; i < 500; ++i) {
        ++counts[member];
        pool.synchronize();
        for (const std::uint64_t count : counts) {
          if (count != counts[member]) std::abort();
        }
        pool.synchronize();
      }
    });
  }
  CHECK(usable_processors() >= 1);
}

}  // namespace
}  // namespace millrace::test
