#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "engine/trainer.h"

namespace millrace::binding {

/// Long work on a thread of its own: neither the event loop nor libuv's pool, whose four threads file and DNS calls
/// need. Its promise settles on the JavaScript thread. When the environment ends first, the work is cancelled and waited
/// for, so that no thread outlives what it reads.
class Job {
 public:
  struct Plan {
    /// On the job's thread; may throw.
    std::function<void(Job&)> work;
    /// On the JavaScript thread after success: the promise's value.
    std::function<Napi::Value(Napi::Env)> result;
    /// On the JavaScript thread, however the work ended, before the promise settles.
    std::function<void()> finished;
    /// Called with progress; null for none.
    Napi::Value on_progress;
    /// JavaScript values that must stay alive, such as the arrays the work reads.
    std::vector<Napi::Value> kept;
  };

  /// Starts the work and returns its promise. `cancelled`, when given, is raised at the environment's end.
  static Napi::Promise start(Napi::Env, Plan plan, std::shared_ptr<std::atomic<bool>> cancelled);

  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// From the job's thread: hands the newest totals to JavaScript. A slow listener sees fewer, never a queue of old ones.
  void report(const EpochTotals&);

 private:
  enum class Message : std::uintptr_t { kProgress = 1, kFinished = 2 };

  Job(Napi::Env, Plan plan, std::shared_ptr<std::atomic<bool>> cancelled);
  void run();
  void deliver_progress(Napi::Env);
  void settle(Napi::Env);
  static void on_message(napi_env, napi_value, void* context, void* data);
  static void on_finalize(napi_env, void* data, void*);
  static void on_environment_end(void* data);

  napi_env env_;
  Plan plan_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
  Napi::Promise::Deferred deferred_;
  Napi::FunctionReference on_progress_;
  std::vector<Napi::Reference<Napi::Value>> kept_;
  napi_threadsafe_function channel_ = nullptr;
  std::mutex mutex_;
  std::optional<EpochTotals> newest_;
  std::optional<Error> failure_;
  std::thread thread_;
};

/// Progress or result of an epoch as a JavaScript object.
Napi::Object to_javascript(Napi::Env, const EpochTotals&);

}  // namespace millrace::binding
