#pragma once

#include <cstddef>
#include <cstring>

#include "panel.h"

namespace millrace {

/// Some rows of a matrix of any datatype, in panels or row-major, anywhere in memory.
template <typename Byte>
struct MatrixBytes {
  Byte* data;
  std::size_t element_bytes;
  std::size_t rows;
  std::size_t columns;
  bool in_panels;

  Byte* at(std::size_t row, std::size_t column) const {
    const std::size_t place = in_panels ? panel_offset(rows, row, column) : row * columns + column;
    return data + place * element_bytes;
  }
  /// Elements from a column on that lie side by side.
  std::size_t run(std::size_t column) const {
    const std::size_t rest = columns - column;
    return in_panels && rest > kPanelWidth - column % kPanelWidth ? kPanelWidth - column % kPanelWidth : rest;
  }
};

/// A part of a matrix's columns.
struct ColumnRange {
  std::size_t first;
  std::size_t count;
};

/// Calls move(from, to, count) for the columns `part` of every row of `from`, which become those of `to` from `column` on, in
/// pieces that lie side by side in both.
template <typename Move>
void move_columns(const MatrixBytes<const std::byte>& from, ColumnRange part, const MatrixBytes<std::byte>& to, std::size_t column,
                  Move&& move) {
  for (std::size_t row = 0; row < from.rows; ++row) {
    for (std::size_t done = 0; done < part.count;) {
      std::size_t count = part.count - done;
      const std::size_t source = from.run(part.first + done), target = to.run(column + done);
      if (source < count) count = source;
      if (target < count) count = target;
      move(from.at(row, part.first + done), to.at(row, column + done), count);
      done += count;
    }
  }
}

/// The bits as they are.
inline void copy_columns(const MatrixBytes<const std::byte>& from, ColumnRange part, const MatrixBytes<std::byte>& to,
                         std::size_t column) {
  move_columns(from, part, to, column, [&](const std::byte* source, std::byte* target, std::size_t count) {
    std::memcpy(target, source, count * from.element_bytes);
  });
}

}  // namespace millrace
