#include "engine/csv.h"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "engine/random.h"

namespace millrace::test {
namespace {

constexpr std::size_t kCsvColumns = 3;

/// Empty, short or long, with and without sign and point; all of it a number of which four may be read at once, or none of the four.
std::string field_of(Random& random) {
  const std::uint32_t kind = random.below(24);
  if (kind == 0) return "";
  if (kind == 1) return "-1.5e-3";
  if (kind == 2) return "+7";
  if (kind == 3) return "123456789.25";
  std::string text = random.below(2) == 0 ? "-" : "";
  const std::uint32_t digits = 1 + random.below(8);
  const std::uint32_t point = random.below(digits + 3);
  for (std::uint32_t i = 0; i < digits; ++i) {
    if (i == point && digits < 8) text += '.';
    text += static_cast<char>('0' + random.below(10));
  }
  if (point == digits && digits < 8) text += '.';
  return text;
}

struct Table {
  std::vector<std::vector<double>> values;
  std::vector<std::vector<std::uint8_t>> validity;
  std::size_t rows;
};

/// Of bytes that end where the memory does, so that a read past their end is caught by the sanitizer.
Table read_table(const std::string& text, std::size_t rows, InstructionSet set) {
  const auto bytes = std::make_unique<std::uint8_t[]>(text.size());
  std::memcpy(bytes.get(), text.data(), text.size());
  Table table{std::vector(kCsvColumns, std::vector<double>(rows, 7)), std::vector(kCsvColumns, std::vector<std::uint8_t>(rows / 8 + 1)), 0};
  std::vector<CsvColumn> columns;
  for (std::size_t i = 0; i < kCsvColumns; ++i) {
    columns.push_back({CsvType::kFloat64, table.values[i].data(), nullptr, table.validity[i].data(), {}});
  }
  table.rows = read_plain_csv_records(bytes.get(), text.size(), {',', false, 1 << 20}, columns, rows, set);
  return table;
}

TEST("numbers of a CSV file are those that strtod reads, and the same bits however many are read at once") {
  Random random(5, RandomPurpose::kShuffle, 1);
  for (int round = 0; round < 300; ++round) {
    const std::size_t rows = 1 + random.below(40);
    std::vector<std::string> fields;
    std::string text;
    for (std::size_t i = 0; i < rows * kCsvColumns; ++i) {
      fields.push_back(field_of(random));
      text += fields.back() + ((i + 1) % kCsvColumns == 0 ? '\n' : ',');
    }
    const Table portable = read_table(text, rows, InstructionSet::kPortable);
    CHECK(portable.rows == rows);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::size_t row = i / kCsvColumns;
      const bool is_there = (portable.validity[i % kCsvColumns][row / 8] >> row % 8 & 1) != 0;
      CHECK(is_there == !fields[i].empty());
      const double expected = is_there ? std::strtod(fields[i].c_str(), nullptr) : 0.0;
      CHECK(std::bit_cast<std::uint64_t>(portable.values[i % kCsvColumns][row]) == std::bit_cast<std::uint64_t>(expected));
    }
    for (const InstructionSet set : {InstructionSet::kAvx2, InstructionSet::kAvx512}) {
      if (!is_available(set)) continue;
      const Table wide = read_table(text, rows, set);
      CHECK(wide.rows == rows && wide.validity == portable.validity);
      for (std::size_t c = 0; c < kCsvColumns; ++c) {
        CHECK(std::memcmp(wide.values[c].data(), portable.values[c].data(), rows * sizeof(double)) == 0);
      }
    }
  }
}

TEST("a field that is no number is found among four") {
  for (const char* wrong : {".", "-", "1.2.3", "12a", "1 2", "--1", "1-", "x"}) {
    for (std::size_t place = 0; place < 4; ++place) {
      std::string text;
      for (std::size_t row = 0; row < 8; ++row) text += std::string(row == place ? wrong : "1.25") + ",2,3\n";
      for (const InstructionSet set : {InstructionSet::kPortable, InstructionSet::kAvx2}) {
        if (is_available(set)) CHECK(read_table(text, 8, set).rows == kNotPlain);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::test
