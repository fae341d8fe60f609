#include "team_size.h"

#include <algorithm>

namespace millrace {
namespace {

// On an otherwise idle machine members of the seed's example wait for 5 to 10 % of their time.
constexpr double kMuchWaiting = 0.2;
// A larger team must bring this share of what it would bring if it scaled perfectly.
constexpr double kGainMin = 1.0 / 3.0;
constexpr unsigned kPatienceTurnsMin = 4;
// Growing is tried more often: a team that shrank for a passing cause must soon be back, and a trial costs one turn.
constexpr unsigned kPatienceTurnsMax = 64;
constexpr unsigned kPatienceToGrowMax = 8;
// A turn of waiting may have a passing cause, such as pages touched for the first time.
constexpr unsigned kWaitingTurns = 3;

unsigned smaller_team(unsigned members) { return std::max(1u, members * 3 / 4); }
unsigned larger_team(unsigned members) { return members + std::max(1u, members / 3); }

}  // namespace

void TeamSize::record(double rows, double seconds, double waited_seconds) {
  if (maximum_ == 1 || rows == 0.0 || seconds <= 0.0) return;
  const double rate = rows / seconds;
  if (members_before_ != 0) {
    decide(rate);
    return;
  }
  if (rest_turns_ > 0) {
    --rest_turns_;
    return;
  }
  const bool waiting = waited_seconds > kMuchWaiting * seconds * members_;
  waiting_turns_ = waiting ? waiting_turns_ + 1 : 0;
  if (waiting && waiting_turns_ < kWaitingTurns) return;
  const unsigned next = waiting ? smaller_team(members_) : std::min(larger_team(members_), maximum_);
  if (next == members_) return;
  members_before_ = members_;
  rate_before_ = rate;
  members_ = next;
}

void TeamSize::decide(double rate) {
  const bool grown = members_ > members_before_;
  const double scale = static_cast<double>(std::max(members_, members_before_)) / std::min(members_, members_before_);
  const double larger_rate = grown ? rate : rate_before_;
  const double smaller_rate = grown ? rate_before_ : rate;
  const bool larger_pays = larger_rate >= smaller_rate * (1.0 + kGainMin * (scale - 1.0));
  if (grown == larger_pays) {
    patience_turns_ = kPatienceTurnsMin;
  } else {
    members_ = members_before_;
    patience_turns_ = std::clamp(2 * patience_turns_, kPatienceTurnsMin, grown ? kPatienceToGrowMax : kPatienceTurnsMax);
  }
  rest_turns_ = patience_turns_;
  members_before_ = 0;
}

}  // namespace millrace
