#include "network_file.h"

#include <cmath>
#include <cstring>

#include "error.h"
#include "loose_float.h"
#include "mapped_file.h"
#include "panel.h"
#include "prepared_file.h"

namespace millrace {
namespace {

const char* name_of_defect(float value) { return std::isnan(value) ? "NaN" : value > 0.0f ? "Infinity" : "-Infinity"; }

void pack_tensor(const ParameterTensor& tensor, const MappedFile& source, std::uint64_t offset, float* block) {
  const std::size_t bytes = tensor.size() * sizeof(float);
  if (offset > source.size() || bytes > source.size() - offset) {
    refuse(tensor.name, "The file is truncated: tensor `" + tensor.name + "` ends at byte " + std::to_string(offset + bytes) +
                            " but the file at byte " + std::to_string(source.size()) + ".");
  }
  const LooseFloat* from = reinterpret_cast<const LooseFloat*>(source.data() + offset);
  for (std::size_t row = 0; row < tensor.rows(); ++row) {
    for (std::size_t column = 0; column < tensor.columns(); ++column, ++from) {
      const float value = *from;
      if (!std::isfinite(value)) {
        const std::size_t element = row * tensor.columns() + column;
        refuse(tensor.name, "Expected tensor `" + tensor.name + "` to be finite but received " + name_of_defect(value) +
                                " in element " + std::to_string(element) + ", at byte " +
                                std::to_string(offset + element * sizeof(float)) + ".");
      }
      block[tensor.offset + panel_offset(tensor.rows(), row, column)] = value;
    }
  }
}

}  // namespace

std::shared_ptr<Network> open_network(const NetworkSpec& spec, const std::string& path,
                                      std::span<const std::uint64_t> offsets,
                                      const std::optional<std::string>& prepared_path) {
  const MappedFile source(path, 0, std::nullopt);
  auto network = std::make_shared<Network>(spec, Network::Memory::kNone);
  if (offsets.size() != network->tensors().size()) {
    refuse("offsets", "Expected an offset for each of the network's tensors.");
  }
  const std::uint64_t identity = prepared_path ? identity_of(*network, source) : 0;
  if (prepared_path && map_prepared(*network, *prepared_path, identity)) return network;
  network->adopt(ParameterBlock(network->block_size()), {});
  for (std::size_t index = 0; index < offsets.size(); ++index) {
    pack_tensor(network->tensors()[index], source, offsets[index], network->parameters());
  }
  network->fold();
  if (prepared_path) write_prepared(*network, *prepared_path, identity);
  return network;
}

}  // namespace millrace
