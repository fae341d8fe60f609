#include "trainer_object.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "examples_argument.h"
#include "engine/error.h"
#include "environment.h"
#include "fields.h"
#include "job.h"
#include "trainer_argument.h"

namespace millrace::binding {
namespace {

Napi::Float32Array to_floats(Napi::Env env, const Network& network, const float* block) {
  Napi::Float32Array flat = Napi::Float32Array::New(env, network.parameter_count());
  network.unpack(block, {flat.Data(), flat.ElementLength()});
  return flat;
}

template <typename Array, typename Number>
Napi::Value to_array(Napi::Env env, const std::vector<Number>& numbers) {
  Array array = Array::New(env, numbers.size());
  std::copy(numbers.begin(), numbers.end(), array.Data());
  return array;
}

Napi::Value accuracy_of(Napi::Env env, Loss loss, double accuracy) {
  return has_accuracy(loss) ? Napi::Number::New(env, accuracy) : env.Null();
}

}  // namespace

Napi::Function TrainerObject::define(Napi::Env env) {
  return DefineClass(env, "TrainerHandle",
                     {InstanceMethod<&TrainerObject::step>("step"), InstanceMethod<&TrainerObject::threads>("threads"),
                      InstanceMethod<&TrainerObject::train_epoch>("trainEpoch"),
                      InstanceMethod<&TrainerObject::cancel>("cancel"),
                      InstanceMethod<&TrainerObject::evaluate>("evaluate"),
                      InstanceMethod<&TrainerObject::gradients>("gradients"),
                      InstanceMethod<&TrainerObject::gradient_norms>("gradientNorms"),
                      InstanceMethod<&TrainerObject::learning_rate>("learningRate"),
                      InstanceMethod<&TrainerObject::observe>("observe"),
                      InstanceMethod<&TrainerObject::use_averaged_weights>("useAveragedWeights"),
                      InstanceMethod<&TrainerObject::optimizer_state>("optimizerState"),
                      InstanceMethod<&TrainerObject::restore>("restore"),
                      InstanceMethod<&TrainerObject::position>("position"),
                      InstanceMethod<&TrainerObject::set_position>("setPosition"),
                      InstanceMethod<&TrainerObject::dispose>("dispose")});
}

TrainerObject::TrainerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerObject>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    network_ = NetworkObject::state_of(info[0]);
    network_->for_reading();
    trainer_ = std::make_shared<Trainer>(network_->network, to_trainer_options(info[1]));
    return {};
  });
}

Trainer& TrainerObject::idle() const {
  if (!trainer_) throw Error(ErrorCode::kFailedPrecondition, "trainer", "The trainer has been disposed of.");
  if (*busy_) throw Error(ErrorCode::kFailedPrecondition, "trainer", "The trainer is at work; wait for it to end.");
  return *trainer_;
}

Napi::Value TrainerObject::step(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(idle().step()));
  });
}

Napi::Value TrainerObject::threads(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), idle().threads()); });
}

Napi::Value TrainerObject::train_epoch(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Trainer& trainer = idle();
    network_->for_writing();
    const ExamplesArgument argument = to_examples(info[0], trainer.network(), trainer.options().loss);
    const auto epoch =
        static_cast<std::uint32_t>(to_integer(info[1], "epoch", 0, std::numeric_limits<std::uint32_t>::max()));
    const auto interval_ms = static_cast<double>(
        to_integer(info[2], "progressIntervalMs", 0, std::numeric_limits<std::uint32_t>::max()));
    const bool check = info[4].ToBoolean();
    const std::uint64_t steps_max = info[5].IsNull() ? kSafeInteger : to_integer(info[5], "maxSteps", 1, kSafeInteger);
    const bool listened = info[3].IsFunction();
    const bool in_order = trainer.options().sampling.type == SamplingType::kSequential;
    argument.advise(in_order ? MappedFile::Access::kInOrder : MappedFile::Access::kScattered);
    cancelled_->store(false);
    network_->training = true;
    *busy_ = true;
    auto totals = std::make_shared<EpochTotals>();
    Job::Plan plan;
    plan.work = [trainer = trainer_, examples = argument.examples, cancelled = cancelled_, totals, epoch, interval_ms,
                 check, listened, steps_max](Job& job) {
      if (check) expect_trainable(examples, trainer->network(), trainer->options().loss);
      std::function<void(const EpochTotals&)> report;
      if (listened) report = [&job](const EpochTotals& progress) { job.report(progress); };
      *totals = trainer->train_epoch(examples, {epoch, interval_ms / 1000.0, report, cancelled.get(), steps_max});
    };
    plan.result = [totals](Napi::Env env) { return binding::to_javascript(env, *totals); };
    plan.finished = [network = network_, busy = busy_, uses = argument.uses] {
      uses->clear();
      network->training = false;
      *busy = false;
    };
    plan.on_progress = info[3];
    plan.kept = argument.arrays;
    plan.kept.push_back(info.This());
    return Job::start(info.Env(), std::move(plan), cancelled_);
  });
}

Napi::Value TrainerObject::cancel(const Napi::CallbackInfo& info) {
  cancelled_->store(true);
  return info.Env().Undefined();
}

template <typename Result>
Napi::Value TrainerObject::read_examples(const Napi::CallbackInfo& info,
                                         std::function<Result(Trainer&, const Examples&)> compute,
                                         std::function<Napi::Value(Napi::Env, const Result&)> answer) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Trainer& trainer = idle();
    network_->for_reading();
    const ExamplesArgument argument = to_examples(info[0], trainer.network(), trainer.options().loss);
    *busy_ = true;
    ++network_->readers;
    argument.advise(MappedFile::Access::kInOrder);
    auto result = std::make_shared<Result>();
    Job::Plan plan;
    plan.work = [trainer = trainer_, examples = argument.examples, result, compute](Job&) {
      expect_trainable(examples, trainer->network(), trainer->options().loss);
      *result = compute(*trainer, examples);
    };
    plan.result = [result, answer](Napi::Env env) { return answer(env, *result); };
    plan.finished = [network = network_, busy = busy_, uses = argument.uses] {
      uses->clear();
      --network->readers;
      *busy = false;
    };
    plan.kept = argument.arrays;
    plan.kept.push_back(info.This());
    return Job::start(info.Env(), std::move(plan), nullptr);
  });
}

Napi::Value TrainerObject::evaluate(const Napi::CallbackInfo& info) {
  return read_examples<Evaluation>(
      info, [](Trainer& trainer, const Examples& examples) { return trainer.evaluate(examples); },
      [trainer = trainer_](Napi::Env env, const Evaluation& evaluation) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("loss", evaluation.loss);
        result.Set("accuracy", accuracy_of(env, trainer->options().loss.type, evaluation.accuracy));
        result.Set("confusion", evaluation.confusion.empty()
                                    ? env.Null()
                                    : to_array<Napi::Int32Array>(env, evaluation.confusion));
        return result;
      });
}

// gradients(examples, training)
Napi::Value TrainerObject::gradients(const Napi::CallbackInfo& info) {
  const bool training = info[1].ToBoolean();
  return read_examples<Gradients>(
      info,
      [training](Trainer& trainer, const Examples& examples) { return trainer.gradients(examples, training); },
      [trainer = trainer_](Napi::Env env, const Gradients& gradients) -> Napi::Value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("loss", gradients.loss);
        result.Set("parameters", to_floats(env, trainer->network(), gradients.parameters.data()));
        result.Set("inputs", to_array<Napi::Float32Array>(env, gradients.inputs));
        return result;
      });
}

Napi::Value TrainerObject::gradient_norms(const Napi::CallbackInfo& info) {
  return read_examples<std::vector<double>>(
      info, [](Trainer& trainer, const Examples& examples) { return trainer.gradient_norms(examples); },
      [](Napi::Env env, const std::vector<double>& norms) { return to_array<Napi::Float64Array>(env, norms); });
}

Napi::Value TrainerObject::learning_rate(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Trainer& trainer = idle();
    return Napi::Number::New(info.Env(), trainer.optimization().rate_after(trainer.step()));
  });
}

Napi::Value TrainerObject::observe(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Trainer& trainer = idle();
    if (!info[0].IsNumber()) refuse_value("metric", "a finite number", info[0]);
    trainer.optimization().observe(info[0].As<Napi::Number>().DoubleValue());
    return info.Env().Undefined();
  });
}

Napi::Value TrainerObject::use_averaged_weights(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Trainer& trainer = idle();
    Network& network = network_->for_writing();
    const AlignedBuffer<float>& average = trainer.optimization().average();
    // Moving statistics have no average: they are one.
    std::copy_n(average.begin(), network.trainable_size(), network.parameters());
    network.fold();
    return info.Env().Undefined();
  });
}

Napi::Value TrainerObject::optimizer_state(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Trainer& trainer = idle();
    Optimization& optimization = trainer.optimization();
    Napi::Array blocks = Napi::Array::New(info.Env());
    for (const Optimization::Block& block : optimization.blocks()) {
      Napi::Object object = Napi::Object::New(info.Env());
      object.Set("name", block.name);
      object.Set("values", to_floats(info.Env(), trainer.network(), block.values.data()));
      blocks.Set(blocks.Length(), object);
    }
    const Plateau& plateau = optimization.plateau();
    Napi::Object schedule = Napi::Object::New(info.Env());
    schedule.Set("rate", plateau.rate);
    schedule.Set("best", std::isfinite(plateau.best) ? Napi::Number::New(info.Env(), plateau.best) : info.Env().Null());
    schedule.Set("waited", static_cast<double>(plateau.waited));
    schedule.Set("cooling", static_cast<double>(plateau.cooling));
    Napi::Object state = Napi::Object::New(info.Env());
    state.Set("blocks", blocks);
    state.Set("plateau", schedule);
    return state;
  });
}

namespace {

Plateau to_plateau(const Napi::Value& value, Plateau plateau) {
  const Fields fields(value, "plateau");
  fields.expect_only({"rate", "best", "waited", "cooling"});
  plateau.rate = fields.number("rate");
  if (!fields.value("best").IsNull()) plateau.best = fields.number("best");
  plateau.waited = fields.integer("waited", 0, kSafeInteger);
  plateau.cooling = fields.integer("cooling", 0, kSafeInteger);
  return plateau;
}

}  // namespace

Napi::Value TrainerObject::restore(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Optimization& optimization = idle().optimization();
    Network& network = network_->for_writing();
    const std::uint64_t step = to_integer(info[0], "step", 0, kSafeInteger);
    const Napi::Float32Array parameters = binding::to_floats(info[1], "parameters", network.parameter_count());
    const std::size_t count = optimization.blocks().size();
    if (!info[2].IsArray() || info[2].As<Napi::Array>().Length() != count) {
      refuse("blocks", "Expected `blocks` to be an array of " + std::to_string(count) + " arrays.");
    }
    std::vector<Napi::Float32Array> blocks;
    for (std::uint32_t index = 0; index < count; ++index) {
      blocks.push_back(binding::to_floats(info[2].As<Napi::Array>().Get(index), "blocks", network.parameter_count()));
    }
    optimization.set_plateau(to_plateau(info[3], optimization.plateau()));
    network.pack({parameters.Data(), parameters.ElementLength()}, network.parameters());
    network.fold();
    for (std::size_t index = 0; index < count; ++index) {
      network.pack({blocks[index].Data(), blocks[index].ElementLength()}, optimization.blocks()[index].values.data());
    }
    optimization.set_step(step);
    return info.Env().Undefined();
  });
}

Napi::Value TrainerObject::position(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const EpochPosition& position = idle().position();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("epoch", static_cast<double>(position.epoch));
    object.Set("step", static_cast<double>(position.step));
    object.Set("rows", static_cast<double>(position.rows));
    object.Set("batchRows", static_cast<double>(position.batch_rows));
    object.Set("lossSum", position.loss_sum);
    object.Set("correct", static_cast<double>(position.correct));
    return object;
  });
}

Napi::Value TrainerObject::set_position(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Trainer& trainer = idle();
    const Fields fields(info[0], "position");
    trainer.set_position({fields.integer("epoch", 0, kSafeInteger), fields.integer("step", 0, kSafeInteger),
                          fields.integer("rows", 0, kSafeInteger), fields.integer("batchRows", 0, kSafeInteger),
                          fields.number("lossSum"), fields.integer("correct", 0, kSafeInteger)});
    return info.Env().Undefined();
  });
}

Napi::Value TrainerObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!trainer_) return info.Env().Undefined();
    idle();
    trainer_.reset();
    return info.Env().Undefined();
  });
}

}  // namespace millrace::binding
