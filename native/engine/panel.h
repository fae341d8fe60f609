#pragma once

#include <cstddef>

namespace millrace {

/// Every matrix of the engine lies in *panels*: 16 columns (one 64-byte line) by all rows, one panel after the other.
/// Element (r, c) of a [rows, columns] matrix is at `(c / 16) * rows * 16 + r * 16 + c % 16`; the last panel is padded.
///
/// The same layout serves every product of a dense layer without packing: the forward product streams weight panels
/// [inner][16] and walks an input panel line by line, and the weight gradient walks an input and an error panel
/// together. It is also free of the power-of-two strides that make row-major 128 or 2048 wide matrices thrash a cache.
/// One row in panels is simply that row, padded.
inline constexpr std::size_t kPanelWidth = 16;

constexpr std::size_t panel_count(std::size_t columns) { return (columns + kPanelWidth - 1) / kPanelWidth; }

/// Columns after padding to whole panels.
constexpr std::size_t padded(std::size_t columns) { return panel_count(columns) * kPanelWidth; }

/// Floats that a [rows, columns] matrix takes in panels.
constexpr std::size_t panel_size(std::size_t rows, std::size_t columns) { return rows * padded(columns); }

constexpr std::size_t panel_offset(std::size_t rows, std::size_t row, std::size_t column) {
  return (column / kPanelWidth) * rows * kPanelWidth + row * kPanelWidth + column % kPanelWidth;
}

}  // namespace millrace
