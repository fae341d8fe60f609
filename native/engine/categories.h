#pragma once

#include <cstddef>
#include <vector>

#include "examples.h"
#include "network.h"

namespace millrace {

/// Refuse a category that is not an integer from 0 to the number of its table's rows, naming row and column. Nothing to do
/// for networks without an embedding.
/// `input`: row-major [rows, columns]; `field` names it.
void expect_categories(const std::vector<EmbeddingTable>& tables, std::size_t columns, const LooseFloat* input,
                       std::size_t rows, const char* field);
void expect_categories(const Network&, const Examples&);

}  // namespace millrace
