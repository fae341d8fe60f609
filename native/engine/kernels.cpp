#include "kernels.h"

namespace millrace {

extern const Kernels kPortableKernels;
#if defined(MILLRACE_X86_KERNELS)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

const Kernels& kernels_for(InstructionSet set) {
#if defined(MILLRACE_X86_KERNELS)
  if (set == InstructionSet::kAvx512) return kAvx512Kernels;
  if (set == InstructionSet::kAvx2) return kAvx2Kernels;
#endif
  (void)set;
  return kPortableKernels;
}

const Kernels& kernels() {
  static const Kernels& best = kernels_for(instruction_set());
  return best;
}

}  // namespace millrace
