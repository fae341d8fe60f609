#include "check.h"

int main() {
  for (const auto& [name, body] : millrace::test::cases()) {
    std::printf("%s\n", name.c_str());
    std::fflush(stdout);
    body();
  }
  std::printf("%zu passed\n", millrace::test::cases().size());
}
