#pragma once

#include <string>

namespace millrace {

/// Refusals of a number out of its range, by the full name of its field. NaN and infinity are in no range.
void expect_finite(const std::string& field, double value);
void expect_positive(const std::string& field, double value);
void expect_not_negative(const std::string& field, double value);
void expect_at_least(const std::string& field, double value, double lowest);
/// At least 0 and below 1.
void expect_fraction(const std::string& field, double value);

}  // namespace millrace
