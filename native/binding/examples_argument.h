#pragma once

#include <napi.h>

#include "engine/examples.h"
#include "engine/network.h"

namespace millrace::binding {

/// A view of an `Examples` object and the arrays that must be kept alive with it.
struct ExamplesArgument {
  Examples examples;
  Napi::Value features;
  Napi::Value targets;
};
ExamplesArgument to_examples(const Napi::Value&, const Network&, Loss);

}  // namespace millrace::binding
