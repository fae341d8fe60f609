#pragma once

namespace millrace {

enum class InstructionSet { kPortable, kAvx2, kAvx512 };

/// The widest set that this processor and its operating system have, and that this build holds kernels for.
/// `MILLRACE_INSTRUCTION_SET` (`portable`, `avx2`, `avx512`) asks for a narrower one, for tests and for comparing.
InstructionSet instruction_set();

bool is_available(InstructionSet);

const char* name_of(InstructionSet);

}  // namespace millrace
