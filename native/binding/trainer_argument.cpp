#include "trainer_argument.h"

#include <limits>
#include <string>

#include "fields.h"
#include "loss_argument.h"
#include "sampling_argument.h"

namespace millrace::binding {
namespace {

constexpr std::pair<const char*, OptimizerType> kOptimizers[] = {{"gradientDescent", OptimizerType::kGradientDescent},
                                                                 {"sgd", OptimizerType::kSgd},
                                                                 {"adam", OptimizerType::kAdam}};

}  // namespace

TrainerOptions to_trainer_options(const Napi::Value& value) {
  const Fields fields(value, "", "options");
  const Fields optimizer(fields.value("optimizer"), "optimizer");
  TrainerOptions options{};
  options.loss = to_loss(fields.value("loss"));
  options.optimizer.type = to_choice(optimizer, "type", kOptimizers);
  options.optimizer.learning_rate = static_cast<float>(optimizer.number("learningRate"));
  if (options.optimizer.type == OptimizerType::kSgd) {
    options.optimizer.momentum = static_cast<float>(optimizer.number("momentum"));
    options.optimizer.nesterov = optimizer.boolean("nesterov");
  }
  if (options.optimizer.type == OptimizerType::kAdam) {
    options.optimizer.beta1 = static_cast<float>(optimizer.number("beta1"));
    options.optimizer.beta2 = static_cast<float>(optimizer.number("beta2"));
    options.optimizer.epsilon = static_cast<float>(optimizer.number("epsilon"));
  }
  const Napi::Value batch_size = fields.value("batchSize");
  const bool full = batch_size.IsString() && batch_size.As<Napi::String>().Utf8Value() == "full";
  options.batch_size = full ? 0 : fields.integer("batchSize", 1, std::numeric_limits<std::uint32_t>::max());
  options.seed = fields.integer("seed", 0, kSafeInteger);
  options.threads = static_cast<unsigned>(fields.integer("threads", 0, std::numeric_limits<std::int32_t>::max()));
  options.sampling = to_sampling(fields);
  return options;
}

}  // namespace millrace::binding
