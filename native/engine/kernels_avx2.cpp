#define MILLRACE_VECTOR_BYTES 32
#define MILLRACE_KERNEL_NAME "avx2"
#define MILLRACE_KERNEL_TABLE kAvx2Kernels
#include "kernels.inc"
