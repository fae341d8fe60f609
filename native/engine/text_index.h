#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace millrace {

/// Distinct texts in the order in which they came, found by their bytes. The bytes must stay where they are.
class TextIndex {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  /// @param end behind the last byte that may be read, whichever text it belongs to
  explicit TextIndex(const std::uint8_t* end) : end_(end), slots_(std::size_t{1} << kSlotBitsMin, kEmpty) {}

  std::size_t size() const { return texts_.size(); }

  /// The place of a text; kNone: it is not there. `end` is of the buffer that `text` lies in.
  std::size_t find(const std::uint8_t* text, std::size_t length, const std::uint8_t* end) const {
    const Key key = key_of(text, length, end);
    const std::uint32_t place = slots_[slot_of(key, text)];
    return place == kEmpty ? kNone : place;
  }

  /// The place of a text, which is added where it is new.
  std::size_t add(const std::uint8_t* text, std::size_t length) {
    const Key key = key_of(text, length, end_);
    const std::size_t slot = slot_of(key, text);
    if (slots_[slot] != kEmpty) return slots_[slot];
    const std::size_t place = texts_.size();
    texts_.push_back({key, text});
    slots_[slot] = static_cast<std::uint32_t>(place);
    if (4 * texts_.size() > slots_.size()) grow();
    return place;
  }

 private:
  static constexpr unsigned kSlotBitsMin = 8;
  static constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15U;
  static constexpr std::uint32_t kEmpty = 0xffffffff;
  static constexpr std::size_t kWord = sizeof(std::uint64_t);

  /// Texts of up to eight bytes are told apart by these alone.
  struct Key {
    std::uint64_t bytes;
    std::size_t length;
  };
  struct Text {
    Key key;
    const std::uint8_t* text;
  };

  static std::uint64_t load(const std::uint8_t* at, std::size_t length) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, length);
    return word;
  }

  /// Of a longer text a hash of all its words.
  static Key key_of(const std::uint8_t* text, std::size_t length, const std::uint8_t* end) {
    if (length > kWord) {
      std::uint64_t hash = load(text + length - kWord, kWord);
      for (std::size_t at = 0; at + kWord < length; at += kWord) hash = mix(hash ^ load(text + at, kWord));
      return {hash, length};
    }
    // One load of a fixed size is faster than one of as many bytes as there are.
    if (static_cast<std::size_t>(end - text) < kWord || length == 0) return {load(text, length), length};
    const unsigned unused = static_cast<unsigned>(8 * (kWord - length));
    return {little_endian() ? load(text, kWord) << unused >> unused : load(text, length), length};
  }

  static bool little_endian() {
    const std::uint16_t one = 1;
    std::uint8_t first = 0;
    std::memcpy(&first, &one, 1);
    return first == 1;
  }

  /// The finalizer of MurmurHash3 (Appleby 2011), shortened.
  static std::uint64_t mix(std::uint64_t value) {
    value *= kGolden;
    return value ^ (value >> 32);
  }

  bool is_same(const Text& known, const Key& key, const std::uint8_t* text) const {
    return known.key.bytes == key.bytes && known.key.length == key.length &&
           (key.length <= kWord || std::memcmp(known.text, text, key.length) == 0);
  }

  /// Where a text is, or would be added: the upper bits of a product with the golden ratio are spread evenly (Knuth 1973, section 6.4).
  std::size_t slot_of(const Key& key, const std::uint8_t* text) const {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t slot = (key.bytes + key.length) * kGolden >> (64 - slot_bits_);; slot = (slot + 1) & mask) {
      if (slots_[slot] == kEmpty || is_same(texts_[slots_[slot]], key, text)) return slot;
    }
  }

  void grow() {
    ++slot_bits_;
    slots_.assign(2 * slots_.size(), kEmpty);
    for (std::size_t place = 0; place < texts_.size(); ++place) {
      slots_[slot_of(texts_[place].key, texts_[place].text)] = static_cast<std::uint32_t>(place);
    }
  }

  const std::uint8_t* end_;
  std::vector<Text> texts_;
  unsigned slot_bits_ = kSlotBitsMin;
  /// Places, at most a quarter of them used, so that most texts are where they are looked for first.
  std::vector<std::uint32_t> slots_;
};

}  // namespace millrace
