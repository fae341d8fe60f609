#include <algorithm>
#include <limits>

#include "layers.h"

namespace millrace {
namespace {

/// Calls kept(input column, result column) for columns without a table, then table(index, result column).
template <typename Kept, typename Table>
void each_part(const Operation& operation, Kept kept, Table table) {
  std::size_t to = 0;
  for (std::size_t column = 0; column < operation.inner; ++column) {
    const bool category = std::any_of(operation.tables.begin(), operation.tables.end(),
                                      [&](const EmbeddingTable& entry) { return entry.column == column; });
    if (!category) kept(column, to++);
  }
  for (std::size_t index = 0; index < operation.tables.size(); ++index) {
    table(index, to);
    to += operation.tables[index].units;
  }
}

/// `table.categories` if the number is no category of the table. Callers refuse such rows by name, but their arrays may
/// change after that: no memory is read beyond the table whatever they hold.
std::size_t category_at(const EmbeddingTable& table, const float* input, std::size_t rows, std::size_t row) {
  const float value = input[panel_offset(rows, row, table.column)];
  // Compared as numbers first: a float beyond the range of integers must not be converted.
  if (!(value >= 0.0f && value < static_cast<float>(table.categories))) return table.categories;
  const auto category = static_cast<std::size_t>(value);
  return static_cast<float>(category) == value ? category : table.categories;
}

}  // namespace

void embed(const Operation& operation, const float* parameters, const float* input, float* output, std::size_t rows,
           Range range) {
  each_part(
      operation,
      [&](std::size_t from, std::size_t to) {
        for (std::size_t row = range.begin; row < range.end; ++row) {
          output[panel_offset(rows, row, to)] = input[panel_offset(rows, row, from)];
        }
      },
      [&](std::size_t index, std::size_t to) {
        const EmbeddingTable& table = operation.tables[index];
        const float* vectors = parameters + operation.table_offsets[index];
        for (std::size_t row = range.begin; row < range.end; ++row) {
          const std::size_t category = category_at(table, input, rows, row);
          const bool known = category < table.categories;
          for (std::size_t unit = 0; unit < table.units; ++unit) {
            output[panel_offset(rows, row, to + unit)] = known ? vectors[panel_offset(table.categories, category, unit)]
                                                               : std::numeric_limits<float>::quiet_NaN();
          }
        }
      });
}

EmbeddingLayer::EmbeddingLayer(const Operation& operation, const Context& context) : Layer(operation, context) {
  for (const EmbeddingTable& table : operation.tables) {
    gradients_.emplace_back(panel_size(table.categories, table.units));
  }
}

void EmbeddingLayer::forward(const Slice& slice, unsigned buffer, Range rows, Range) {
  embed(operation_, parameters(0), input(buffer), result(buffer), slice.rows, rows);
}

void EmbeddingLayer::backward(const Slice& slice, unsigned, Range rows, Range) {
  float* to = input_error();
  each_part(
      operation_,
      [&](std::size_t column, std::size_t from) {
        for (std::size_t row = rows.begin; row < rows.end; ++row) {
          to[panel_offset(slice.rows, row, column)] = error()[panel_offset(slice.rows, row, from)];
        }
      },
      [&](std::size_t index, std::size_t) {
        const std::size_t column = operation_.tables[index].column;
        for (std::size_t row = rows.begin; row < rows.end; ++row) to[panel_offset(slice.rows, row, column)] = 0.0f;
      });
}

// Members share out the lines of the tables; each adds the rows that fall on its own lines, in the order of the batch.
void EmbeddingLayer::weigh(const Slice& slice, unsigned buffer, unsigned member, WeightGradient::Mode mode,
                           const Update& update) {
  each_part(
      operation_, [](std::size_t, std::size_t) {},
      [&](std::size_t index, std::size_t from) {
        const EmbeddingTable& table = operation_.tables[index];
        float* gradient = gradients_[index].data();
        const Range lines = share_of(panel_count(table.units) * table.categories, member, members());
        std::fill(gradient + lines.begin * kPanelWidth, gradient + lines.end * kPanelWidth, 0.0f);
        for (std::size_t row = 0; row < slice.rows; ++row) {
          const std::size_t category = category_at(table, input(buffer), slice.rows, row);
          if (category == table.categories) continue;  // its loss is NaN
          for (std::size_t unit = 0; unit < table.units; ++unit) {
            const std::size_t at = panel_offset(table.categories, category, unit);
            if (at / kPanelWidth < lines.begin || at / kPanelWidth >= lines.end) continue;
            gradient[at] += error()[panel_offset(slice.rows, row, from + unit)];
          }
        }
        for (std::size_t line = lines.begin; line < lines.end; ++line) {
          apply_line(operation_.table_offsets[index] + line * kPanelWidth, gradient + line * kPanelWidth, mode, update);
        }
      });
}

void EmbeddingLayer::add_squared_norms(const Slice& slice, unsigned, double* norms) const {
  each_part(
      operation_, [](std::size_t, std::size_t) {},
      [&](std::size_t index, std::size_t from) {
        for (std::size_t row = 0; row < slice.rows; ++row) {
          for (std::size_t unit = 0; unit < operation_.tables[index].units; ++unit) {
            const double arrived = error()[panel_offset(slice.rows, row, from + unit)];
            norms[row] += arrived * arrived;
          }
        }
      });
}

}  // namespace millrace
