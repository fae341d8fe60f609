#pragma once

namespace millrace {

/// Billions of floating-point operations per second of the engine's dense product, 256 x 2048 x 2048 a thread, on
/// `threads` threads (0: all that the process may use) for about `seconds`.
double measure_gflops(unsigned threads, double seconds);

/// The same product through the machine's BLAS on one thread; 0 where there is none.
double measure_blas_gflops(double seconds);

}  // namespace millrace
