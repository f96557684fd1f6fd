// What the command makes of the machine: its threads, how they wait, and what doctor says of it.
#include <sched.h>

#include <thread>

#include "small_runs.h"

namespace deepgen::command::machine_test {
namespace {

// As on a machine where nobody has said how threads wait; OpenMP's library shows its settings when loaded.
How showing(const std::string& policy, const std::string& looks) {
  How how;
  how.environment = {{"OMP_DISPLAY_ENV", "VERBOSE"}, {"OMP_WAIT_POLICY", policy}, {"GOMP_SPINCOUNT", looks}};
  return how;
}

TEST(Waiting, ThreadsSleepAfterShortSpinningUnlessTheEnvironmentSaysOtherwise) {
  const auto looks_of = [](const std::string& policy, const std::string& looks) {
    const Result result = run({"doctor"}, showing(policy, looks));
    expect_done(result);
    for (const std::string& line : lines_of(result.err))
      if (contains(line, "GOMP_SPINCOUNT")) return line.substr(line.find("= ") + 2);
    return "nothing in " + result.err;
  };
  EXPECT_EQ(looks_of("", ""), "'1000'");
  EXPECT_EQ(looks_of("", "77"), "'77'");
  EXPECT_EQ(looks_of("passive", ""), "'0'");
}

TEST(Waiting, TheFrontDoesNotLoadOpenMp) {
  const Result front = run({"data", "list"}, showing("", ""));
  expect_done(front);
  EXPECT_EQ(front.err, "") << "OpenMP's library would have shown its settings";
}

TEST(Waiting, DoctorSaysHow) {
  const auto page = [](const std::string& policy) { return run({"doctor"}, showing(policy, "")).out; };
  EXPECT_TRUE(contains(page(""), "waiting     threads look for work 1000 times, then sleep")) << page("");
  EXPECT_TRUE(contains(page("active"), "waiting     as OMP_WAIT_POLICY=active says\n  problem: "));
  EXPECT_TRUE(contains(page("passive"), "waiting     as OMP_WAIT_POLICY=passive says\n"));
  EXPECT_FALSE(contains(page("passive"), "passive says\n  problem: "));
}

TEST(Doctor, SaysWhatTheMachineGrants) {
  const Result result = run({"doctor"});
  expect_done(result);
  for (const char* part : {"\nload        ", "\nmemory      ",
                           "\nheap        keeps freed blocks up to 32 MiB", "            OpenBLAS "})
    EXPECT_TRUE(contains(result.out, part)) << part << "\n" << result;
  How how;
  how.environment["MALLOC_TRIM_THRESHOLD_"] = "1000000";
  EXPECT_TRUE(contains(run({"doctor"}, how).out, "\nheap        as the system and the environment"));
}

// The first of the processors that this process may run on, alone, for what body starts.
template <typename Body>
void on_one_processor(const Body& body) {
  std::thread([&] {
    cpu_set_t mine, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof(mine), &mine), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
      if (CPU_ISSET(i, &mine)) CPU_SET(i, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
    body();
  }).join();
}

TEST(Threads, AreAsManyAsGrantedOrAsked) {
  const Workplace place;
  const auto threads_of = [&](const std::string& more) {
    place.must(
        std::string("train rbm --quiet --overwrite --out run --set training.epochs=1 model.hidden=3 ") +
        more + " --data " + bars);
    return Json::parse(place.read("run/run.json")).at("threads");
  };
  on_one_processor([&] {
    EXPECT_EQ(threads_of(""), 1);
    EXPECT_EQ(threads_of("--threads 2"), 2);
    EXPECT_TRUE(contains(place.must("doctor").out, "threads     1 (1 "));
  });
}

}  // namespace
}  // namespace deepgen::command::machine_test
