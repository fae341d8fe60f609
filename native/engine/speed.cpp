#include "speed.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "aligned_buffer.h"
#include "blas.h"
#include "cpu_quota.h"
#include "kernels.h"
#include "panel.h"
#include "thread_pool.h"

namespace millrace {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRows = 256;
constexpr std::size_t kWidth = 2048;
constexpr double kFlops = 2.0 * kRows * kWidth * kWidth;

// The best of the repetitions that fit into the time: other processes can only slow one down.
double best_gflops(double seconds, double flops, const std::function<void()>& work) {
  double best = 0.0;
  const Clock::time_point start = Clock::now();
  work();
  do {
    const Clock::time_point begin = Clock::now();
    work();
    const double spent = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::max(best, flops / spent * 1e-9);
  } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
  return best;
}

struct Operands {
  AlignedBuffer<float> input = AlignedBuffer<float>(kRows * kWidth, 0.5f);
  AlignedBuffer<float> weights = AlignedBuffer<float>(kWidth * kWidth, 0.25f);
  AlignedBuffer<float> output = AlignedBuffer<float>(kRows * kWidth);
};

}  // namespace

double measure_gflops(unsigned threads, double seconds) {
  ThreadPool pool(threads == 0 ? usable_processors() : threads);
  std::vector<Operands> operands(pool.size());
  const Kernels& k = kernels();
  return best_gflops(seconds, kFlops * pool.size(), [&] {
    pool.run([&](unsigned member) {
      Operands& o = operands[member];
      k.dense({o.input.data(), kRows, kWidth, o.weights.data(), nullptr, o.output.data(), kRows, nullptr,
               Activation::kLinear},
              {0, kRows}, {0, panel_count(kWidth)});
    });
  });
}

double measure_blas_gflops(double seconds) {
  const Blas& blas = Blas::instance();
  if (!blas.is_loaded()) return 0.0;
  Operands o;
  return best_gflops(seconds, kFlops, [&] {
    blas.multiply(kRows, kWidth, kWidth, o.input.data(), o.weights.data(), o.output.data());
  });
}

}  // namespace millrace
