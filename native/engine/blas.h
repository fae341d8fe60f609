#pragma once

#include <string>
#include <vector>

namespace millrace {

/// The machine's BLAS, loaded by name on first use: only so can it be told its processor before it looks for itself.
/// Debian 12's OpenBLAS 0.3.21 takes new Xeons for `Prescott` and is then five times too slow.
class Blas {
 public:
  /// Thread-safe. Loads on the first call, with one thread of BLAS's own, since the engine owns all parallelism.
  static const Blas& instance();

  bool is_loaded() const { return sgemm_ != nullptr; }
  const std::string& name() const { return name_; }        // for example `OpenBLAS 0.3.21`, or `none`
  const std::string& core() const { return core_; }        // kernels in use, for example `Zen`
  const std::string& library() const { return library_; }  // file it was loaded from
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// c[m, n] = a[m, k] * b[k, n], all row-major and dense. Only when loaded.
  void multiply(int m, int n, int k, const float* a, const float* b, float* c) const;

 private:
  using Sgemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a,
                         int lda, const float* b, int ldb, float beta, float* c, int ldc);

  Blas();
  void load();
  void describe(void* handle);

  Sgemm sgemm_ = nullptr;
  std::string name_ = "none";
  std::string core_ = "unknown";
  std::string library_;
  std::vector<std::string> warnings_;
};

}  // namespace millrace
