#include "instruction_set.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace millrace {
namespace {

InstructionSet detect() {
  InstructionSet best = InstructionSet::kPortable;
  for (const InstructionSet candidate : {InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (is_available(candidate)) best = candidate;
  }
  const char* wanted = std::getenv("MILLRACE_INSTRUCTION_SET");
  if (wanted == nullptr) return best;
  for (const InstructionSet candidate : {InstructionSet::kPortable, InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (std::strcmp(wanted, name_of(candidate)) == 0 && is_available(candidate)) return candidate;
  }
  return best;
}

}  // namespace

bool is_available(InstructionSet set) {
#if defined(MILLRACE_X86_KERNELS)
  // The compiler's built-in asks the operating system (XGETBV) as well as CPUID, so saved registers are certain.
  switch (set) {
    case InstructionSet::kPortable:
      return true;
    case InstructionSet::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case InstructionSet::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
  }
  return false;
#else
  return set == InstructionSet::kPortable;
#endif
}

InstructionSet instruction_set() {
  static const InstructionSet detected = detect();
  return detected;
}

const char* name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPortable:
      return "portable";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvx512:
      return "avx512";
  }
  return "unknown";
}

}  // namespace millrace
