// Work shared out among threads: every part once, whoever comes, and errors that reach the caller.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "deepgen/kernels/team.h"

namespace deepgen::team_test {
namespace {

TEST(Team, EveryPartIsDoneOnceBeforeTheCallReturns) {
  for (const int team : {1, 2, 3, 8})
    for (int round = 0; round < 300; ++round) {
      const std::int64_t parts = 1 + round % 50;
      std::vector<std::atomic<int>> times(static_cast<std::size_t>(parts));
      share_parts(parts, team, [&](std::int64_t part, int thread) {
        ASSERT_LT(thread, team);
        ++times[static_cast<std::size_t>(part)];
      });
      for (const auto& count : times) ASSERT_EQ(count, 1);
    }
}

TEST(Team, MorePartsThanATicketCounts) {
  constexpr std::int64_t parts = 200'001;
  std::vector<std::atomic<int>> times(parts);
  share_parts(parts, 3, [&](std::int64_t part, int) { ++times[static_cast<std::size_t>(part)]; });
  for (const auto& count : times) ASSERT_EQ(count, 1);
}

TEST(Team, ThreadsAreNumberedSoThatNoTwoAtATimeHaveTheSame) {
  std::atomic<int> inside[3] = {};
  std::atomic<bool> shared = false;
  for (int round = 0; round < 200; ++round)
    share_parts(12, 3, [&](std::int64_t, int thread) {
      if (++inside[thread] != 1) shared = true;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      --inside[thread];
    });
  EXPECT_FALSE(shared);
}

TEST(Team, SleepingWorkersAreWoken) {
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> workers = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    share_parts(2, 2, [&](std::int64_t, int thread) {  // the caller's part lasts until a worker is there
      workers += thread != 0;
      while (workers == 0 && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    EXPECT_GE(workers, 1) << "a worker that sleeps was not woken";
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // past any time that the caller works alone
  }
}

TEST(Team, AnErrorReachesTheCallerAndTheNextCallWorks) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> begun = 0;
    EXPECT_THROW(share_parts(1000, 2,
                             [&](std::int64_t part, int) {
                               ++begun;
                               if (part == 3) throw std::runtime_error("part 3");
                               std::this_thread::sleep_for(std::chrono::microseconds(10));
                             }),
                 std::runtime_error);
    EXPECT_LT(begun, 1000) << "parts were begun after the failure";
    std::atomic<int> done = 0;
    share_parts(10, 2, [&](std::int64_t, int) { ++done; });
    EXPECT_EQ(done, 10);
  }
}

TEST(Team, CallsWithinPartsAndFromOtherThreadsAreDoneByTheirCallers) {
  std::atomic<int> done = 0;
  std::atomic<bool> stayed = true;
  const auto nested = [&] {
    share_parts(4, 2, [&](std::int64_t, int) {
      const auto caller = std::this_thread::get_id();
      EXPECT_TRUE(in_shared_part());
      share_parts(5, 2, [&](std::int64_t, int thread) {
        ++done;
        if (std::this_thread::get_id() != caller || thread != 0) stayed = false;
      });
    });
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) nested();
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(done, 4 * 100 * 4 * 5);
  EXPECT_TRUE(stayed);
  EXPECT_FALSE(in_shared_part());
}

}  // namespace
}  // namespace deepgen::team_test
