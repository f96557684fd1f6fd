// Philox against its publication and an independent implementation; the choice of kernels; threads.
#include <Random123/philox.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <stdexcept>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"

namespace deepgen::kernel_choice_test {
namespace {

// The known answers that are published with the algorithm (10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EqualsRandom123) {
  std::mt19937_64 generator(1);
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t index = generator(), call = generator(), key = generator();
    const auto lower = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    const auto upper = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
    const r123::Philox4x32::ctr_type counter = {{lower(index), upper(index), lower(call), upper(call)}};
    const r123::Philox4x32::key_type keys = {{lower(key), upper(key)}};
    const auto expected = r123::Philox4x32()(counter, keys);
    const PhiloxBlock block = Stream{key, call}.block(index);
    for (std::size_t word = 0; word < 4; ++word) ASSERT_EQ(block[word], expected[word]);
  }
}

TEST(Philox, UnitFloatsStayBelowOne) {
  EXPECT_EQ(unit_float(0), 0);
  EXPECT_EQ(unit_float(0xFFFFFFFF), 1 - 0x1p-24F);
}

TEST(KernelChoice, TheNamedTableIsTheOneInUse) {
  const std::string before = kernels().name;
  EXPECT_EQ(available_kernels().front(), "reference");
  for (const std::string& name : available_kernels()) {
    use_kernels(name);
    EXPECT_EQ(kernels().name, name);
    EXPECT_EQ(&kernels(), &kernel_table(name));
    for (const std::string& other : available_kernels())
      EXPECT_EQ(kernels().binary_layer == kernel_table(other).binary_layer, name == other);
  }
  use_kernels(before);
}

TEST(KernelChoice, AnUnknownNameIsAUsageError) {
  try {
    use_kernels("avx215");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("avx2"), std::string::npos) << error.what();
  }
}

// In a child process that has not chosen yet: exits with 0 when `name` is what runs.
[[noreturn]] void choose_by_environment(const std::string& variable, const std::string& name) {
  setenv("DEEPGEN_KERNELS", variable.c_str(), 1);
  try {
    std::_Exit(kernels().name == name ? 0 : 99);
  } catch (const Error& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(error.exit_code());
  }
}

TEST(KernelChoiceDeathTest, TheEnvironmentForcesAVariant) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the child starts anew
  for (const std::string& name : available_kernels())
    EXPECT_EXIT(choose_by_environment(name, name), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(choose_by_environment("", available_kernels().back()), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(choose_by_environment("referense", ""), ::testing::ExitedWithCode(2),
              "DEEPGEN_KERNELS.*reference");
}

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

Ranges ranges_of(std::int64_t count, double cost_ns, std::int64_t grain) {
  Ranges ranges;
  std::mutex mutex;
  parallel_ranges(count, cost_ns, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::lock_guard<std::mutex> lock(mutex);
    ranges.emplace_back(begin, end);
  });
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

TEST(ParallelRanges, CoverEverythingOnceAtMultiplesOfTheGrain) {
  const int before = threads();
  for (const int count_of_threads : {1, 2, 3, 5}) {
    set_threads(count_of_threads);
    EXPECT_EQ(threads(), count_of_threads);
    for (const std::int64_t count : {0, 1, 2, 7, 64, 65, 1000}) {
      for (const std::int64_t grain : {1, 3, 64, 5000}) {
        std::int64_t next = 0;
        const Ranges ranges = ranges_of(count, 1e6, grain);
        // Some for each thread, so that others can take the rest of one that is late.
        EXPECT_LE(ranges.size(), static_cast<std::size_t>(count_of_threads == 1 ? 1 : 4 * count_of_threads));
        for (const auto& [begin, end] : ranges) {
          EXPECT_EQ(begin, next);
          EXPECT_LT(begin, end);
          EXPECT_TRUE(end % grain == 0 || end == count);
          next = end;
        }
        EXPECT_EQ(next, count);
      }
    }
  }
  set_threads(before);
}

TEST(ParallelRanges, LittleWorkStaysInTheCallingThread) {
  const int before = threads();
  set_threads(2);
  EXPECT_EQ(ranges_of(100, 1, 1).size(), 1U);
  EXPECT_EQ(ranges_of(100, 1e5, 1).size(), 8U);
  set_threads(before);
}

TEST(ParallelRanges, PassOnWhatTheBodyThrows) {
  const int before = threads();
  set_threads(2);
  const auto body = [](std::int64_t begin, std::int64_t) {
    if (begin > 0) throw std::runtime_error("from a worker");
  };
  EXPECT_THROW(parallel_ranges(10, 1e9, 1, body), std::runtime_error);
  set_threads(before);
}

TEST(SetThreads, FlushesDenormalsInEveryThread) {
  const int before = threads();
  set_threads(2);
  std::atomic<int> ranges = 0, flushed = 0;
  parallel_ranges(2, 1e9, 1, [&](std::int64_t, std::int64_t) {
    volatile float small = 1e-30F, denormal = 1e-40F;
    ++ranges;
    if (small * small * 1e30F == 0 && small * 1e-9F == 0 && denormal * 1e10F == 0) ++flushed;
  });
  EXPECT_EQ(ranges, 2);
  EXPECT_EQ(flushed, 2);
  set_threads(before);
}

TEST(SetThreads, RefusesNonsense) {
  EXPECT_THROW(set_threads(0), Error);
  EXPECT_THROW(set_threads(-3), Error);
}

}  // namespace
}  // namespace deepgen::kernel_choice_test
