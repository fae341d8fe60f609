#pragma once

#include <cstddef>
#include <span>

#include "instruction_set.h"

namespace millrace {

/// What is known of numbers that came before, laid out as a caller keeps it between two calls.
struct Moments {
  double count;
  /// Infinity and minus infinity where there is no number.
  double minimum;
  double maximum;
  /// Their sum is `sum + lost` (Neumaier 1974).
  double sum;
  double lost;
  /// The first number. The mean of all is `origin + offset`, so that a large mean does not swallow a small spread.
  double origin;
  double offset;
  /// Sum of squared distances from the mean.
  double squares;
};

/// Values of a block lie in the first-level cache while they are gone over three times.
inline constexpr std::size_t kMomentBlock = 2048;

/// Adds finite numbers, `kMomentBlock` at once, the last of them perhaps fewer: the same blocks give the same bits, on every processor.
/// Blocks are joined as in Chan, Golub and LeVeque 1983.
void add_moments(std::span<const double> values, Moments& moments, InstructionSet set = instruction_set());

}  // namespace millrace
