#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>

#include "engine/trainer.h"
#include "network_object.h"

namespace millrace::binding {

/// `new TrainerHandle(networkHandle, options)`; the TypeScript class Trainer wraps it.
class TrainerObject : public Napi::ObjectWrap<TrainerObject> {
 public:
  static Napi::Function define(Napi::Env);

  explicit TrainerObject(const Napi::CallbackInfo&);

 private:
  /// Refuses when disposed or at work.
  Trainer& idle() const;

  /// A job that reads the network and the examples of info[0]: `compute` on its thread, `answer` on this one.
  template <typename Result>
  Napi::Value read_examples(const Napi::CallbackInfo& info, std::function<Result(Trainer&, const Examples&)> compute,
                            std::function<Napi::Value(Napi::Env, const Result&)> answer);

  Napi::Value step(const Napi::CallbackInfo&);
  Napi::Value threads(const Napi::CallbackInfo&);
  Napi::Value train_epoch(const Napi::CallbackInfo&);
  Napi::Value cancel(const Napi::CallbackInfo&);
  Napi::Value evaluate(const Napi::CallbackInfo&);
  Napi::Value gradients(const Napi::CallbackInfo&);
  Napi::Value gradient_norms(const Napi::CallbackInfo&);
  Napi::Value learning_rate(const Napi::CallbackInfo&);
  Napi::Value observe(const Napi::CallbackInfo&);
  Napi::Value use_averaged_weights(const Napi::CallbackInfo&);
  Napi::Value optimizer_state(const Napi::CallbackInfo&);
  Napi::Value restore(const Napi::CallbackInfo&);
  Napi::Value position(const Napi::CallbackInfo&);
  Napi::Value set_position(const Napi::CallbackInfo&);
  Napi::Value dispose(const Napi::CallbackInfo&);

  std::shared_ptr<NetworkState> network_;
  std::shared_ptr<Trainer> trainer_;                        // null after dispose
  std::shared_ptr<bool> busy_ = std::make_shared<bool>(false);
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace millrace::binding
