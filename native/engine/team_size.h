#pragma once

namespace millrace {

/// How many members of a team work, found while working. A team that shares its processors with other programs loses
/// most of its time at its barriers, waiting for whichever member has just been taken off its processor; fewer members
/// then do more. The team works in turns of some milliseconds and reports each: when its members wait much, a smaller
/// team is tried for one turn, and from time to time a larger one. Results have the same bits with any number of members.
class TeamSize {
 public:
  explicit TeamSize(unsigned maximum) : maximum_(maximum), members_(maximum) {}

  /// Members of the next turn.
  unsigned members() const { return members_; }
  /// What the last turn did: rows trained, its length, and the time its members waited, added up.
  void record(double rows, double seconds, double waited_seconds);

 private:
  void decide(double rate);

  const unsigned maximum_;
  unsigned members_;
  // The team before the turn that tries another one; 0 outside of trials.
  unsigned members_before_ = 0;
  double rate_before_ = 0.0;
  unsigned waiting_turns_ = 0;  // in a row in which the members waited much
  // Turns until the next trial, and how many there were before this one: doubled by every trial that changed nothing.
  unsigned rest_turns_ = 0;
  unsigned patience_turns_ = 1;
};

}  // namespace millrace
