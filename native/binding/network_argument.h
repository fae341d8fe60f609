#pragma once

#include <napi.h>

#include "engine/network.h"

namespace millrace::binding {

NetworkSpec to_network_spec(const Napi::Value&);

}  // namespace millrace::binding
