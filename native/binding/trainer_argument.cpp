#include "trainer_argument.h"

#include <limits>
#include <string>

#include "augmentation_argument.h"
#include "fields.h"
#include "loss_argument.h"
#include "optimization_argument.h"
#include "sampling_argument.h"

namespace millrace::binding {

TrainerOptions to_trainer_options(const Napi::Value& value) {
  const Fields fields(value, "", "options");
  fields.expect_only({"loss", "optimizer", "schedule", "regularization", "clipping", "averaging", "batchSize", "seed",
                      "threads", "sampling", "augmentations"});
  TrainerOptions options{};
  options.loss = to_loss(fields.value("loss"));
  options.optimization = to_optimization_spec(fields);
  const Napi::Value batch_size = fields.value("batchSize");
  const bool full = batch_size.IsString() && batch_size.As<Napi::String>().Utf8Value() == "full";
  options.batch_size = full ? 0 : fields.integer("batchSize", 1, std::numeric_limits<std::uint32_t>::max());
  options.seed = fields.integer("seed", 0, kSafeInteger);
  options.threads = static_cast<unsigned>(fields.integer("threads", 0, std::numeric_limits<std::int32_t>::max()));
  options.sampling = to_sampling(fields);
  options.augmentations = to_augmentations(fields);
  return options;
}

}  // namespace millrace::binding
