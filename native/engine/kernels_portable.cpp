#define MILLRACE_VECTOR_BYTES 16
#define MILLRACE_KERNEL_NAME "portable"
#define MILLRACE_KERNEL_TABLE kPortableKernels
#include "kernels.inc"
