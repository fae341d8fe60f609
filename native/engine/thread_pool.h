#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace millrace {

/// A point that all threads of a team must reach before any goes on. Waits by spinning and
/// yielding for a bounded time, since steps take tens of microseconds, then sleeps in the kernel, so that a descheduled
/// partner costs no processor time.
class Barrier {
 public:
  /// `spins` bounds the spinning; 0 yields at once, which is right when there are more threads than processors.
  Barrier(unsigned members, unsigned spins) : members_(members), spins_(spins) {}
  void wait();

 private:
  const unsigned members_;
  const unsigned spins_;
  alignas(64) std::atomic<unsigned> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
};

/// A fixed team of threads; the caller of `run` is member 0. Sleeps between runs.
class ThreadPool {
 public:
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned size() const { return size_; }
  /// Calls work(member) on every member and returns when all have returned. `work` must not throw: everything that may
  /// fail is done before.
  void run(const std::function<void(unsigned)>& work);
  /// The team's barrier, for use inside `run`.
  void synchronize() {
    if (size_ > 1) barrier_.wait();
  }

 private:
  void serve(unsigned member);

  const unsigned size_;
  Barrier barrier_;
  const std::function<void(unsigned)>* work_ = nullptr;
  std::atomic<std::uint32_t> round_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace millrace
