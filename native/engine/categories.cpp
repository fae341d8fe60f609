#include "categories.h"

#include <algorithm>
#include <string>

#include "error.h"
#include "panel.h"

namespace millrace {
namespace {

constexpr std::size_t kRowsAtOnce = 64;

void expect_category(const EmbeddingTable& table, const char* field, float value, std::size_t row) {
  // Compared as numbers first: a float beyond the range of integers must not be converted.
  const bool inside = value >= 0.0f && value < static_cast<float>(table.categories);
  if (inside && static_cast<float>(static_cast<std::size_t>(value)) == value) return;
  refuse(field, "Expected `" + std::string(field) + "` to hold a category from 0 to " +
                    std::to_string(table.categories - 1) + " but received " + std::to_string(value) + " in row " +
                    std::to_string(row) + ", column " + std::to_string(table.column) + ".");
}

}  // namespace

void expect_categories(const std::vector<EmbeddingTable>& tables, std::size_t columns, const LooseFloat* input,
                       std::size_t rows, const char* field) {
  for (const EmbeddingTable& table : tables) {
    for (std::size_t row = 0; row < rows; ++row) {
      expect_category(table, field, input[row * columns + table.column], row);
    }
  }
}

void expect_categories(const Network& network, const Examples& examples) {
  const std::vector<EmbeddingTable>& tables = network.tables();
  if (tables.empty()) return;
  AlignedBuffer<float> panels(panel_size(kRowsAtOnce, network.inputs()));
  for (std::size_t first = 0; first < examples.rows; first += kRowsAtOnce) {
    const std::size_t rows = std::min(kRowsAtOnce, examples.rows - first);
    gather(examples, {nullptr, first, panels.data(), rows}, {0, rows});
    for (const EmbeddingTable& table : tables) {
      for (std::size_t row = 0; row < rows; ++row) {
        expect_category(table, "features", panels[panel_offset(rows, row, table.column)], first + row);
      }
    }
  }
}

}  // namespace millrace
