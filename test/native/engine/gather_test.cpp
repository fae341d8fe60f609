#include <limits>

#include "check.h"
#include "engine/kernels.h"
#include "matrices.h"

namespace millrace::test {
namespace {

TEST("gather reads bytes and floats in any order") {
  for (const Kernels* k : available_kernels()) {
    for (const std::size_t columns : {1, 15, 16, 17, 97}) {
      // Exactly as large as said: a read past the end is caught by the sanitizer.
      std::vector<std::uint8_t> bytes(5 * columns);
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
      const std::vector<float> floats(bytes.begin(), bytes.end());
      const std::vector<std::uint32_t> order{4, 0, 3};
      for (const bool stored_as_bytes : {true, false}) {
        AlignedBuffer<float> output(panel_size(3, columns), 7.0f);
        const void* source = stored_as_bytes ? static_cast<const void*>(bytes.data()) : floats.data();
        k->gather({source, stored_as_bytes, columns, order.data(), 0, 0.5f, -1.0f, output.data(), 3},
                                {0, 3});
        for (std::size_t r = 0; r < 3; ++r) {
          for (std::size_t c = 0; c < padded(columns); ++c) {
            const float expected = c < columns ? floats[order[r] * columns + c] * 0.5f - 1.0f : 0.0f;
            CHECK(output[panel_offset(3, r, c)] == expected);
          }
        }
      }
    }
  }
}

TEST("gather says which elements are not zero") {
  for (const Kernels* k : available_kernels()) {
    for (const std::size_t columns : {1, 15, 16, 17, 97}) {
      constexpr std::size_t kRows = 7;
      Matrix source(kRows, columns);
      const float values[] = {0.0f, -0.0f, 1.0f, -3.0f, std::numeric_limits<float>::quiet_NaN(), 0.0f, 5.0f};
      for (std::size_t i = 0; i < source.flat.size(); ++i) source.flat[i] = values[i * i % 7];
      for (const float offset : {0.0f, 3.0f}) {
        AlignedBuffer<float> output(panel_size(kRows, columns));
        std::vector<std::uint16_t> masks(panel_count(columns) * kRows, 0xffff);
        k->gather({source.flat.data(), false, columns, nullptr, 0, 1.0f, offset, output.data(), kRows, masks.data()},
                  {0, 3});
        k->gather({source.flat.data(), false, columns, nullptr, 0, 1.0f, offset, output.data(), kRows, masks.data()},
                  {3, kRows});
        for (std::size_t r = 0; r < kRows; ++r) {
          for (std::size_t c = 0; c < padded(columns); ++c) {
            const bool set = (masks[c / kPanelWidth * kRows + r] >> (c % kPanelWidth) & 1) != 0;
            CHECK(set == (output[panel_offset(kRows, r, c)] != 0.0f));
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace millrace::test
