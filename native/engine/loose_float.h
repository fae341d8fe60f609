#pragma once

namespace millrace {

/// A float32 that may begin at any address, as the numbers of a message do. Reading one costs what any float costs: the
/// processors at hand load from every address, and only the compiler must be told. `auto` and templates drop what it is told:
/// name the type.
typedef float LooseFloat __attribute__((aligned(1), may_alias));

}  // namespace millrace
