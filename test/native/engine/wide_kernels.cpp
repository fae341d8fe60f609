// The kernels as compiled for AVX-512, with its 64-byte vectors and its tiles, but of whatever instructions this file is
// compiled for: what the AVX-512 build does beyond that is its compiler's work and a handful of intrinsics.
#define MILLRACE_VECTOR_BYTES 64
#define MILLRACE_KERNEL_NAME "wide"
#define MILLRACE_KERNEL_TABLE kWideKernels
#include "engine/kernels.inc"

namespace millrace::test {

const Kernels& wide_kernels();
const Kernels& wide_kernels() { return kWideKernels; }

}  // namespace millrace::test
