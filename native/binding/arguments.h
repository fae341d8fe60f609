#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

#include "engine/examples.h"
#include "engine/network.h"
#include "engine/trainer.h"

namespace millrace::binding {

/// How a value is named in "... but received X".
std::string received(const Napi::Value&);

/// Reads one plain object field by field; refuses a field of the wrong type by its full name.
class Fields {
 public:
  /// `path` goes before the names of fields, for example `layers[0]`; empty for an argument itself, whose own name is
  /// then `argument`.
  Fields(const Napi::Value& value, std::string path, const char* argument = "");

  double number(const char* name) const;
  std::uint64_t integer(const char* name, std::uint64_t lowest, std::uint64_t highest) const;
  bool boolean(const char* name) const;
  std::string text(const char* name) const;
  Napi::Value value(const char* name) const;
  std::string full_name(const char* name) const;

 private:
  Napi::Object object_;
  std::string path_;
};

/// The largest integer a JavaScript number holds exactly.
inline constexpr std::uint64_t kSafeInteger = (std::uint64_t{1} << 53) - 1;

std::uint64_t to_integer(const Napi::Value&, const std::string& name, std::uint64_t lowest, std::uint64_t highest);
/// A Float32Array of exactly `size` numbers; a detached one has none.
Napi::Float32Array to_floats(const Napi::Value&, const std::string& name, std::size_t size);

NetworkSpec to_network_spec(const Napi::Value&);
TrainerOptions to_trainer_options(const Napi::Value&);

/// A view of an `Examples` object and the arrays that must be kept alive with it.
struct ExamplesArgument {
  Examples examples;
  Napi::Value features;
  Napi::Value targets;
};
ExamplesArgument to_examples(const Napi::Value&, const Network&, Loss);

}  // namespace millrace::binding
