#pragma once

#include <napi.h>

#include <vector>

#include "engine/examples.h"
#include "engine/network.h"

namespace millrace::binding {

/// A view of an `Examples` object and the arrays that must be kept alive with it.
struct ExamplesArgument {
  Examples examples;
  std::vector<Napi::Value> arrays;
};
ExamplesArgument to_examples(const Napi::Value&, const Network&, const LossSpec&);

}  // namespace millrace::binding
