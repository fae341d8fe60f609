#pragma once

#include <cstdint>
#include <string>

#include "mapped_file.h"
#include "network.h"

namespace millrace {

/// What must be the same for a prepared file to stand for a source: this format, the network's layout and folds, and the
/// source by inode, length and time of change.
std::uint64_t identity_of(const Network&, const MappedFile& source);

/// Lets the network read its parameters, folded ones included, from the file. False, the network left as it was, where there
/// is no such file, or it is another's or damaged: its numbers are checked by their sum.
bool map_prepared(Network&, const std::string& path, std::uint64_t identity);

/// Writes the network's parameters beside `path`, brings them to the disk, renames, and maps them. Refuses, naming
/// `preparedPath`.
void write_prepared(Network&, const std::string& path, std::uint64_t identity);

}  // namespace millrace
