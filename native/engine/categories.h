#pragma once

#include <cstddef>

#include "examples.h"
#include "network.h"

namespace millrace {

/// Refuse a category that is not an integer from 0 to the number of its table's rows, naming row and column. Nothing to do
/// for networks without an embedding.
void expect_categories(const Network&, const float* input, std::size_t rows);
void expect_categories(const Network&, const Examples&);

}  // namespace millrace
