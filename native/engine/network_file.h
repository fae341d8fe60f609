#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "network.h"

namespace millrace {

/// A network with the weights of a file that holds row-major float32 tensors, `offsets` being the byte where each of the
/// network's tensors begins, in their order. Refuses numbers that are not finite, by tensor and byte, and a file too short.
///
/// Prediction reads panels, so the weights are packed, and normalisations folded. Without `prepared_path` the result is memory
/// of the process's own. With it, it is kept in a file there, from which this and every later call map it, as long as neither
/// the source nor the layout has changed; else the file is made anew, complete or not at all. Refuses, naming
/// `preparedPath`, where it cannot be written.
///
/// Neither file may be written to or cut short while the network lives: SIGBUS would end the process. They are replaced by
/// renaming.
std::shared_ptr<Network> open_network(const NetworkSpec&, const std::string& path, std::span<const std::uint64_t> offsets,
                                      const std::optional<std::string>& prepared_path);

}  // namespace millrace
