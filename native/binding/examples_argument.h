#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "engine/examples.h"
#include "engine/network.h"
#include "mapped_array.h"

namespace millrace::binding {

/// A view of an `Examples` object and the arrays that must be kept alive with it.
struct ExamplesArgument {
  Examples examples;
  std::vector<Napi::Value> arrays;
  /// The mapped files among them; to be emptied when they are no longer read.
  std::shared_ptr<std::vector<MappedUse>> uses = std::make_shared<std::vector<MappedUse>>();

  void advise(MappedFile::Access access) const {
    for (const MappedUse& use : *uses) use.file().advise(access);
  }
};
ExamplesArgument to_examples(const Napi::Value&, const Network&, const LossSpec&);

}  // namespace millrace::binding
