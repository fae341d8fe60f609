#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

// A test program small enough to need no framework: cases register themselves, the first failure ends the program.
namespace millrace::test {

struct Case {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Register {
  Register(const char* name, std::function<void()> body) { cases().push_back({name, std::move(body)}); }
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  std::exit(1);
}

}  // namespace millrace::test

#define TEST_JOIN_EXPANDED(a, b) a##b
#define TEST_JOIN(a, b) TEST_JOIN_EXPANDED(a, b)
#define TEST_NUMBERED(name, number) \
  static void TEST_JOIN(test_, number)(); \
  static const millrace::test::Register TEST_JOIN(register_, number)(name, TEST_JOIN(test_, number)); \
  static void TEST_JOIN(test_, number)()
// A counter, since several files may be compiled as one and have cases in the same line.
#define TEST(name) TEST_NUMBERED(name, __COUNTER__)

#define CHECK(condition) \
  do { \
    if (!(condition)) millrace::test::fail(__FILE__, __LINE__, "expected " #condition); \
  } while (false)

#define CHECK_NEAR(actual, expected, allowed) \
  do { \
    const double actual_ = (actual), expected_ = (expected), allowed_ = (allowed); \
    if (!(std::abs(actual_ - expected_) <= allowed_)) { \
      millrace::test::fail(__FILE__, __LINE__, \
                           #actual " is " + std::to_string(actual_) + ", expected " + std::to_string(expected_)); \
    } \
  } while (false)
