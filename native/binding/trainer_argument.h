#pragma once

#include <napi.h>

#include "engine/trainer.h"

namespace millrace::binding {

TrainerOptions to_trainer_options(const Napi::Value&);

}  // namespace millrace::binding
