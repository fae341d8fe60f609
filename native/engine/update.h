#pragma once

namespace millrace {

/// No rule keeps more than this many moments.
inline constexpr int kMomentsMax = 3;

/// Parameters and what lies beside them: the gradient, the moments that the rule has (see optimizer.h; the others are
/// null), and the moving average of the parameters where one is kept. Views; same layout in all.
struct ParameterBlocks {
  float* value;
  float* gradient;
  float* moment[kMomentsMax];
  float* average;
};

enum class UpdateRule { kDescent, kMomentum, kNesterov, kAdam, kAmsgrad, kRmsprop, kAdagrad, kAdadelta, kLion };

/// The numbers of one optimizer step, ready for the kernels. Made by `Optimization::update_at`; the step count is in
/// here and not in the blocks, so that it advances once a step however many tensors there are.
struct Update {
  UpdateRule rule = UpdateRule::kDescent;
  float learning_rate = 0.0f;  // Adam: already divided by 1 - beta1^t
  float momentum = 0.0f;
  float beta1 = 0.0f;
  float beta1_rest = 0.0f;  // 1 - beta1, from doubles: in floats it would be off by 1e-5 for a beta of 0.999
  float beta2 = 0.0f;       // also the decay that RMSprop and Adadelta call rho
  float beta2_rest = 0.0f;
  float epsilon = 0.0f;
  float second_moment_scale = 1.0f;  // Adam: 1 / sqrt(1 - beta2^t)

  /// Whether the rule is all there is: none of the fields below differs from its default, and no average is kept.
  bool plain = true;
  float gradient_scale = 1.0f;                // clipping by norm
  float l1 = 0.0f;                            // gradient += l1 * sign(w) + l2_slope * w, for kernels only
  float l2_slope = 0.0f;                      // 2 * l2
  float clip_value = __builtin_inff();        // then each element is cut at +- this
  float weight_decay = 0.0f;                  // rate * decay: w -= weight_decay * w before the rule
  float average_kept = 0.0f;                  // average = kept * average + added * w after the rule
  float average_added = 0.0f;
};

}  // namespace millrace
