#include "blas.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include "instruction_set.h"

namespace millrace {
namespace {

constexpr int kRowMajor = 101;
constexpr int kNoTranspose = 111;

/// Sets an environment variable unless the user has, and takes it back at the end, so that child processes are not told.
class TemporaryVariable {
 public:
  TemporaryVariable(const char* name, const char* value) : name_(name) {
    if (value == nullptr || std::getenv(name) != nullptr) return;
    ours_ = setenv(name, value, 0) == 0;
  }
  ~TemporaryVariable() {
    if (ours_) unsetenv(name_);
  }
  TemporaryVariable(const TemporaryVariable&) = delete;
  TemporaryVariable& operator=(const TemporaryVariable&) = delete;

 private:
  const char* name_;
  bool ours_ = false;
};

const char* wanted_core() {
#if defined(__x86_64__)
  if (is_available(InstructionSet::kAvx512)) return "SKYLAKEX";
  if (is_available(InstructionSet::kAvx2)) return __builtin_cpu_is("amd") ? "ZEN" : "HASWELL";
#endif
  return nullptr;
}

bool is_fast_core(std::string core) {
  std::transform(core.begin(), core.end(), core.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array kAvx512Cores{"skylakex", "cooperlake", "sapphirerapids"};
  constexpr std::array kAvx2Cores{"haswell", "zen"};
  const auto is_core = [&](const char* name) { return core == name; };
  const bool avx512 = std::any_of(kAvx512Cores.begin(), kAvx512Cores.end(), is_core);
  if (is_available(InstructionSet::kAvx512)) return avx512;
  if (is_available(InstructionSet::kAvx2)) return avx512 || std::any_of(kAvx2Cores.begin(), kAvx2Cores.end(), is_core);
  return true;
}

}  // namespace

const Blas& Blas::instance() {
  static const Blas blas;
  return blas;
}

Blas::Blas() { load(); }

void Blas::load() {
  const TemporaryVariable core("OPENBLAS_CORETYPE", wanted_core());
  const TemporaryVariable threads("OPENBLAS_NUM_THREADS", "1");
  void* handle = nullptr;
  for (const char* candidate : {MILLRACE_BLAS_LIBRARY, "libopenblas.so.0", "libblas.so.3"}) {
    handle = dlopen(candidate, RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) break;
  }
  if (handle == nullptr) {
    warnings_.push_back("No BLAS library could be loaded (built against " + std::string(MILLRACE_BLAS_LIBRARY) +
                        "). The engine's own kernels are used for everything; install libopenblas0 to compare.");
    return;
  }
  sgemm_ = reinterpret_cast<Sgemm>(dlsym(handle, "cblas_sgemm"));
  if (sgemm_ == nullptr) {
    warnings_.push_back("The BLAS library has no cblas_sgemm; install libopenblas0.");
    return;
  }
  name_ = "BLAS";
  describe(handle);
}

void Blas::describe(void* handle) {
  Dl_info place{};
  if (dladdr(reinterpret_cast<void*>(sgemm_), &place) != 0 && place.dli_fname != nullptr) library_ = place.dli_fname;
  using Text = char* (*)();
  using SetThreads = void (*)(int);
  if (const auto set_threads = reinterpret_cast<SetThreads>(dlsym(handle, "openblas_set_num_threads"))) set_threads(1);
  if (const auto config = reinterpret_cast<Text>(dlsym(handle, "openblas_get_config"))) {
    std::istringstream words(config());
    std::string vendor;
    std::string version;
    words >> vendor >> version;
    name_ = vendor + " " + version;
  }
  const auto core_name = reinterpret_cast<Text>(dlsym(handle, "openblas_get_corename"));
  if (core_name == nullptr) return;
  core_ = core_name();
  if (!is_fast_core(core_)) {
    warnings_.push_back("OpenBLAS uses its kernels for " + core_ + " on a processor with " +
                        name_of(instruction_set()) + "; set OPENBLAS_CORETYPE=" +
                        (wanted_core() == nullptr ? "the right core" : wanted_core()) + " or install a newer OpenBLAS.");
  }
}

void Blas::multiply(int m, int n, int k, const float* a, const float* b, float* c) const {
  sgemm_(kRowMajor, kNoTranspose, kNoTranspose, m, n, k, 1.0f, a, k, b, n, 0.0f, c, n);
}

}  // namespace millrace
