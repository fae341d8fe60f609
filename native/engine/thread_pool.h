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
  explicit Barrier(unsigned spins) : spins_(spins) {}
  /// Only while nobody waits.
  void set_members(unsigned members) { members_ = members; }
  void wait();
  /// The time that members have waited since construction, added up, without what the spinning covered.
  double waited_seconds() const { return static_cast<double>(waited_.load(std::memory_order_relaxed)) * 1e-9; }

 private:
  bool passed(std::uint32_t generation) const { return generation_.load(std::memory_order_acquire) != generation; }
  void wait_long(std::uint32_t generation);

  unsigned members_ = 1;
  const unsigned spins_;
  std::atomic<std::uint64_t> waited_{0};  // ns
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

  /// Members that work: inside of `run` those of that run, otherwise all.
  unsigned size() const { return members_; }
  /// Calls work(member) on every member and returns when all have returned. `work` must not throw: everything that may
  /// fail is done before.
  void run(const std::function<void(unsigned)>& work) { run(threads_count(), work); }
  /// The same with only the first `members`; the others sleep on.
  void run(unsigned members, const std::function<void(unsigned)>& work);
  /// The team's barrier, for use inside `run`.
  void synchronize() {
    if (members_ > 1) barrier_.wait();
  }
  double waited_seconds() const { return barrier_.waited_seconds(); }

 private:
  void serve(unsigned member);
  unsigned threads_count() const { return static_cast<unsigned>(threads_.size()) + 1; }

  unsigned members_;
  Barrier barrier_;
  const std::function<void(unsigned)>* work_ = nullptr;
  // The number of runs, and in the low bits the members of the last one. In one number, so that a thread that slept
  // through a run in which it had no part never sees one without the other.
  std::atomic<std::uint64_t> round_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace millrace
