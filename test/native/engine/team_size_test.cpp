#include "engine/team_size.h"

#include <atomic>
#include <vector>

#include "check.h"
#include "engine/thread_pool.h"

namespace millrace::test {
namespace {

constexpr double kTurn = 0.02;

// Members that neither wait nor disturb each other: rates grow with the team.
void work_undisturbed(TeamSize& team, int turns) {
  for (int turn = 0; turn < turns; ++turn) team.record(1000.0 * team.members(), kTurn, 0.05 * kTurn * team.members());
}

// Processors that others use too: whatever the team, it does the work of one, and the rest of it waits.
void work_crowded(TeamSize& team, int turns) {
  for (int turn = 0; turn < turns; ++turn) team.record(1000.0, kTurn, kTurn * (team.members() - 1));
}

TEST("a team that is not disturbed keeps its size") {
  TeamSize team(8);
  for (int turn = 0; turn < 1000; ++turn) {
    work_undisturbed(team, 1);
    CHECK(team.members() == 8);
  }
}

TEST("a team shrinks to what the others leave it, and grows back when they have gone") {
  TeamSize team(8);
  work_crowded(team, 200);
  CHECK(team.members() <= 2);
  work_undisturbed(team, 500);
  CHECK(team.members() == 8);
}

TEST("members that wait by the nature of their work stay while they pay, and trials become rare") {
  TeamSize team(2);
  int alone = 0;
  for (int turn = 0; turn < 1000; ++turn) {
    if (team.members() == 1) ++alone;
    team.record(team.members() == 1 ? 1000.0 : 1600.0, kTurn, 0.3 * kTurn * team.members());
  }
  CHECK(alone > 0);
  CHECK(alone < 25);
}

TEST("a turn without rows, and a team of one, change nothing") {
  TeamSize team(4);
  team.record(0.0, kTurn, kTurn * 4);
  CHECK(team.members() == 4);
  TeamSize alone(1);
  work_crowded(alone, 10);
  CHECK(alone.members() == 1);
}

TEST("only the members of a run work, however many there were in the run before") {
  ThreadPool pool(5);
  for (int round = 0; round < 200; ++round) {
    const unsigned members = 1 + static_cast<unsigned>(round * 7 % 5);
    std::vector<std::atomic<int>> calls(5);
    pool.run(members, [&](unsigned member) {
      if (pool.size() != members) std::abort();
      ++calls[member];
      pool.synchronize();
      for (unsigned other = 0; other < members; ++other) {
        if (calls[other] != 1) std::abort();
      }
    });
    for (unsigned member = 0; member < 5; ++member) CHECK(calls[member] == (member < members ? 1 : 0));
  }
  CHECK(pool.size() == 5);
}

}  // namespace
}  // namespace millrace::test
