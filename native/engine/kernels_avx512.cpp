#define MILLRACE_VECTOR_BYTES 64
#define MILLRACE_KERNEL_NAME "avx512"
#define MILLRACE_KERNEL_TABLE kAvx512Kernels
#include "kernels.inc"
