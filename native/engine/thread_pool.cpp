#include "thread_pool.h"

#include "cpu_quota.h"
#include "denormals.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace millrace {
namespace {

// About 50 microseconds of `pause`: longer than a step's imbalance, shorter than a scheduler's tick.
constexpr unsigned kSpins = 2000;

inline void relax() {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Barrier::wait() {
  const std::uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  for (unsigned spin = 0; spin < spins_; ++spin) {
    if (generation_.load(std::memory_order_acquire) != generation) return;
    relax();
  }
  while (generation_.load(std::memory_order_acquire) == generation) {
    generation_.wait(generation, std::memory_order_acquire);
  }
}

ThreadPool::ThreadPool(unsigned threads)
    : size_(threads), barrier_(threads, threads > usable_processors() ? 0 : kSpins) {
  threads_.reserve(size_ - 1);
  for (unsigned member = 1; member < size_; ++member) threads_.emplace_back([this, member] { serve(member); });
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_release);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(const std::function<void(unsigned)>& work) {
  const FlushDenormals flush;
  work_ = &work;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  work(0);
  synchronize();
}

void ThreadPool::serve(unsigned member) {
  const FlushDenormals flush;
  std::uint32_t seen = 0;
  while (true) {
    round_.wait(seen, std::memory_order_acquire);
    ++seen;
    if (stopping_.load(std::memory_order_acquire)) return;
    (*work_)(member);
    synchronize();
  }
}

}  // namespace millrace
