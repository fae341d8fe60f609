#include "job.h"

#include <utility>

#include "environment.h"

namespace millrace::binding {

Job::Job(Napi::Env env, Plan plan, std::shared_ptr<std::atomic<bool>> cancelled)
    : env_(env), plan_(std::move(plan)), cancelled_(std::move(cancelled)), deferred_(env) {
  if (!plan_.on_progress.IsEmpty() && plan_.on_progress.IsFunction()) {
    on_progress_ = Napi::Persistent(plan_.on_progress.As<Napi::Function>());
  }
  for (const Napi::Value& value : plan_.kept) {
    // An optional array that was not given is no object, and only objects can be kept.
    if (value.IsObject()) kept_.push_back(Napi::Reference<Napi::Value>::New(value, 1));
  }
  // Handles end with this call; the references above keep the values.
  plan_.kept.clear();
  plan_.on_progress = {};
}

Job::~Job() {
  if (thread_.joinable()) thread_.join();
}

Napi::Promise Job::start(Napi::Env env, Plan plan, std::shared_ptr<std::atomic<bool>> cancelled) {
  std::unique_ptr<Job> job(new Job(env, std::move(plan), std::move(cancelled)));
  const Napi::Promise promise = job->deferred_.Promise();
  Job* raw = job.get();
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "millrace job"), 0, 1, raw,
                                      on_finalize, raw, on_message, &raw->channel_);
  if (status != napi_ok) throw Error(ErrorCode::kInternal, "", "A channel to the training thread could not be made.");
  // From here on the channel's finalizer owns the job. This hook is added after the channel's own, so it runs before:
  // the thread is gone by the time the channel closes.
  job.release();
  napi_add_env_cleanup_hook(env, on_environment_end, raw);
  raw->thread_ = std::thread([raw] { raw->run(); });
  return promise;
}

void Job::run() {
  try {
    plan_.work(*this);
  } catch (const Error& error) {
    failure_ = error;
  } catch (const std::bad_alloc&) {
    failure_ = Error(ErrorCode::kInternal, "", "There is not enough memory for this.");
  } catch (const std::exception& error) {
    failure_ = Error(ErrorCode::kInternal, "", error.what());
  }
  napi_call_threadsafe_function(channel_, reinterpret_cast<void*>(Message::kFinished), napi_tsfn_nonblocking);
}

void Job::report(const EpochTotals& totals) {
  {
    const std::lock_guard lock(mutex_);
    const bool waiting = newest_.has_value();
    newest_ = totals;
    if (waiting) return;
  }
  napi_call_threadsafe_function(channel_, reinterpret_cast<void*>(Message::kProgress), napi_tsfn_nonblocking);
}

void Job::on_message(napi_env env, napi_value, void* context, void* data) {
  // Without an environment the channel is only being emptied.
  if (env == nullptr) return;
  auto* job = static_cast<Job*>(context);
  const Napi::HandleScope scope(env);
  try {
    if (reinterpret_cast<std::uintptr_t>(data) == static_cast<std::uintptr_t>(Message::kProgress)) {
      job->deliver_progress(env);
    } else {
      job->settle(env);
    }
  } catch (const Napi::Error&) {
    // index.ts catches what a listener throws; anything left means that the environment is ending.
  }
}

void Job::deliver_progress(Napi::Env env) {
  EpochTotals totals;
  {
    const std::lock_guard lock(mutex_);
    if (!newest_) return;
    totals = *newest_;
    newest_.reset();
  }
  if (!on_progress_.IsEmpty()) on_progress_.Call({to_javascript(env, totals)});
}

void Job::settle(Napi::Env env) {
  if (thread_.joinable()) thread_.join();
  napi_remove_env_cleanup_hook(env, on_environment_end, this);
  plan_.finished();
  if (failure_) {
    deferred_.Reject(binding::to_javascript(env, *failure_));
  } else {
    deferred_.Resolve(plan_.result(env));
  }
  napi_release_threadsafe_function(channel_, napi_tsfn_release);
}

void Job::on_finalize(napi_env, void* data, void*) { const std::unique_ptr<Job> owner(static_cast<Job*>(data)); }

void Job::on_environment_end(void* data) {
  auto* job = static_cast<Job*>(data);
  if (job->cancelled_) job->cancelled_->store(true);
  if (job->thread_.joinable()) job->thread_.join();
}

Napi::Object to_javascript(Napi::Env env, const EpochTotals& totals) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("step", static_cast<double>(totals.step));
  object.Set("steps", static_cast<double>(totals.steps));
  object.Set("examples", static_cast<double>(totals.examples));
  object.Set("loss", totals.loss);
  object.Set("accuracy", totals.accuracy);
  object.Set("seconds", totals.seconds);
  object.Set("learningRate", totals.learning_rate);
  return object;
}

}  // namespace millrace::binding
