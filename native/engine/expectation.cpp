#include "expectation.h"

#include <cmath>
#include <cstdio>

#include "error.h"

namespace millrace {
namespace {

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

void expect(bool met, const std::string& field, const std::string& expected, double value) {
  if (met && std::isfinite(value)) return;
  refuse(field, "Expected `" + field + "` to be " + expected + " but received " + text_of(value) + ".");
}

}  // namespace

void expect_finite(const std::string& field, double value) { expect(true, field, "a finite number", value); }

void expect_positive(const std::string& field, double value) {
  expect(value > 0.0, field, "a positive number", value);
}

void expect_not_negative(const std::string& field, double value) {
  expect(value >= 0.0, field, "at least 0", value);
}

void expect_at_least(const std::string& field, double value, double lowest) {
  expect(value >= lowest, field, "at least " + text_of(lowest), value);
}

void expect_fraction(const std::string& field, double value) {
  expect(value >= 0.0 && value < 1.0, field, "at least 0 and below 1", value);
}

}  // namespace millrace
