// What the machine grants, from made-up folders; texts about it; the heap that keeps what it has.
#include "deepgen/core/machine.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace deepgen::machine_test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t no_memory_limit = std::numeric_limits<std::uint64_t>::max();

// A folder that stands for "/", with files as they are needed.
class Root {
 public:
  Root() {
    std::string name = (fs::temp_directory_path() / "deepgen-machine-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  GroupLimits limits() const { return group_limits(path_); }

  // Version 2 as systemd mounts it: `top` is the group that the folder shows, `group` the process's own.
  void second_version(const std::string& top, const std::string& group) const {
    write("proc/self/mountinfo", "22 28 0:21 / /proc rw,nosuid shared:13 - proc proc rw\n30 23 0:26 " + top +
                                     " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    write("proc/self/cgroup", "0::" + group + "\n");
  }
  void first_version(const std::string& top, const std::string& group) const {
    write("proc/self/mountinfo",
          "32 31 0:29 " + top + " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
              "35 31 0:32 " + top + " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    write("proc/self/cgroup", "4:memory:" + group + "\n3:cpu,cpuacct:" + group + "\n1:name=systemd:/other\n");
  }
  void first_version_limits(const std::string& group, const std::string& quota,
                            const std::string& bytes) const {
    write("sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_quota_us", quota + "\n");
    write("sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_period_us", "100000\n");
    write("sys/fs/cgroup/memory" + group + "/memory.limit_in_bytes", bytes + "\n");
  }

 private:
  fs::path path_;
};

void expect_limits(const GroupLimits& limits, double processors, std::uint64_t memory) {
  EXPECT_EQ(limits.processors, processors);
  EXPECT_EQ(limits.memory, memory);
}

// ------------------------------------------------------------------ control groups

TEST(GroupLimits, TheSmallestOnTheWayUpCounts) {
  const Root root;
  root.second_version("/", "/a.slice/b.scope");
  root.write("sys/fs/cgroup/a.slice/b.scope/cpu.max", "400000 100000\n");
  root.write("sys/fs/cgroup/a.slice/b.scope/memory.max", "max\n");
  root.write("sys/fs/cgroup/a.slice/cpu.max", "150000 100000\n");
  root.write("sys/fs/cgroup/a.slice/memory.max", "1073741824\n");
  root.write("sys/fs/cgroup/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/a.slice/other.scope/cpu.max", "10000 100000\n");  // not ours
  expect_limits(root.limits(), 1.5, std::uint64_t{1} << 30);
  root.write("sys/fs/cgroup/a.slice/b.scope/cpu.max", "25000 50000\n");
  root.write("sys/fs/cgroup/a.slice/b.scope/memory.max", "4096\n");
  expect_limits(root.limits(), 0.5, 4096);
}

TEST(GroupLimits, InAContainerTheTopOfWhatIsShownCounts) {
  const Root root;
  root.write("sys/fs/cgroup/cpu.max", "300000 100000\n");
  root.write("sys/fs/cgroup/x/cpu.max", "100000 100000\n");
  const struct {
    const char *top, *group;
    double processors;
  } cases[] = {{"/", "/", 3},                  // its own name space
               {"/docker/x", "/docker/x", 3},  // the host's names, its own group mounted
               {"/docker", "/docker/x", 1},    // its group is within what is shown
               {"/dock", "/docker/x", 3},      // a name that only begins alike
               {"/", "/../x", 3},              // a group outside of the name space
               {"/", "/gone/away", 3}};        // a group that is not there
  for (const auto& c : cases) {
    root.second_version(c.top, c.group);
    EXPECT_EQ(root.limits().processors, c.processors) << c.top << " " << c.group;
  }
}

TEST(GroupLimits, OfTheFirstVersion) {
  const Root root;
  root.first_version("/", "/box/inner");
  root.first_version_limits("/box/inner", "-1", "9223372036854771712");
  expect_limits(root.limits(), std::numeric_limits<double>::infinity(), no_memory_limit);
  root.first_version_limits("/box", "250000", "3000000");
  root.first_version_limits("", "-1", "9223372036854771712");
  expect_limits(root.limits(), 2.5, 3000000);
  root.first_version_limits("/box/inner", "50000", "2000000");
  expect_limits(root.limits(), 0.5, 2000000);
  root.first_version("/box", "/box");  // the same folder, now shown as the group box: nothing limits it
  expect_limits(root.limits(), std::numeric_limits<double>::infinity(), no_memory_limit);
}

TEST(GroupLimits, WhatCannotBeReadLimitsNothing) {
  const Root empty, broken;
  expect_limits(empty.limits(), std::numeric_limits<double>::infinity(), no_memory_limit);
  broken.second_version("/", "/a");
  broken.write("proc/self/cgroup", "\nnonsense\n0:\n0::/a\n");
  for (const char* time :
       {"", "50000", "50000 0", "0 100000", "-5 100000", "fifty 100000", "50000 100000 3"}) {
    broken.write("sys/fs/cgroup/a/cpu.max", time);
    broken.write("sys/fs/cgroup/a/memory.max", "-1");
    expect_limits(broken.limits(), std::numeric_limits<double>::infinity(), no_memory_limit);
  }
}

// ------------------------------------------------------------------ what is granted

Machine machine_of(int processors, int allowed, double time) {
  Machine machine;
  machine.processors = processors, machine.allowed = allowed, machine.limits.processors = time;
  return machine;
}

TEST(Machine, GrantsWholeProcessorsAtLeastOne) {
  const double any = std::numeric_limits<double>::infinity();
  EXPECT_EQ(machine_of(8, 8, any).granted(), 8);
  EXPECT_EQ(machine_of(8, 3, any).granted(), 3);
  EXPECT_EQ(machine_of(8, 8, 1.5).granted(), 2);
  EXPECT_EQ(machine_of(8, 8, 2).granted(), 2);
  EXPECT_EQ(machine_of(8, 8, 0.2).granted(), 1);
  EXPECT_EQ(machine_of(8, 1, 6).granted(), 1);
  EXPECT_EQ(machine_of(8, 0, 1e-9).granted(), 1);
}

TEST(Machine, GrantsTheSmallerMemory) {
  Machine machine;
  EXPECT_EQ(machine.granted_memory(), 0U) << "neither is known";
  machine.limits.memory = 5000;
  EXPECT_EQ(machine.granted_memory(), 5000U);
  machine.memory = 3000;
  EXPECT_EQ(machine.granted_memory(), 3000U);
  machine.memory = 7000;
  EXPECT_EQ(machine.granted_memory(), 5000U);
}

TEST(Machine, OfThisProcessIsPlausibleAndFollowsItsAffinity) {
  const Machine machine = look_at_machine();
  EXPECT_GE(machine.allowed, 1);
  EXPECT_LE(machine.granted(), machine.allowed);
  EXPECT_GT(machine.granted_memory(), std::uint64_t{1} << 26);
  EXPECT_LE(machine.granted_memory(), machine.memory);
  std::thread([&] {
    cpu_set_t mine, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof(mine), &mine), 0);
    EXPECT_EQ(machine.allowed, CPU_COUNT(&mine));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
      if (CPU_ISSET(i, &mine)) CPU_SET(i, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(look_at_machine().allowed, 1);
  }).join();
}

TEST(WorkerThreads, AreWhatWasSetElseWhatIsGranted) {
  EXPECT_EQ(worker_threads(), look_at_machine().granted());
  set_worker_threads(3);
  EXPECT_EQ(worker_threads(), 3);
  set_worker_threads(0);
  EXPECT_EQ(worker_threads(), look_at_machine().granted());
}

// ------------------------------------------------------------------ texts

TEST(MachineTexts, SayWhyAndWhatToDo) {
  const double any = std::numeric_limits<double>::infinity();
  EXPECT_EQ(processors_text(machine_of(1, 1, any)), "1 processor");
  EXPECT_EQ(processors_text(machine_of(2, 2, any)), "2 processors");
  EXPECT_EQ(processors_text(machine_of(8, 3, any)), "3 of 8 processors; may run on 3");
  EXPECT_EQ(processors_text(machine_of(8, 8, 1.5)),
            "2 of 8 processors; its control group has the time of 1.5");
  Machine machine = machine_of(2, 2, any);
  EXPECT_EQ(load_text(machine), "not known");
  machine.memory = std::uint64_t{24} << 30;
  EXPECT_EQ(memory_text(machine), "24.0 GiB");
  machine.limits.memory = std::uint64_t{3} << 29;
  EXPECT_EQ(memory_text(machine), "1.5 GiB of 24.0 GiB: its control group has no more");
  machine.load = 5.23;
  EXPECT_EQ(load_text(machine), "5.2 on 2 processors");
}

TEST(MachineTexts, AdviceOnlyWhereOthersCompute) {
  const auto advice = [](int processors, int allowed, double load) {
    Machine machine = machine_of(processors, allowed, std::numeric_limits<double>::infinity());
    machine.load = load;
    return load_advice(machine);
  };
  const std::string slower = "other programs compute here, so trainings will be slower";
  EXPECT_EQ(advice(2, 2, -1), "");
  EXPECT_EQ(advice(2, 2, 0.4), "");
  EXPECT_EQ(advice(2, 2, 5.2), slower + "; --threads 1 wastes least");
  EXPECT_EQ(advice(8, 8, 4.9), slower + "; --threads 3 wastes least");
  EXPECT_EQ(advice(64, 2, 50), "") << "there are others";
  EXPECT_EQ(advice(1, 1, 3), slower) << "fewer than one cannot be";
}

// ------------------------------------------------------------------ the heap

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)

struct Blocks {
  Blocks(int count, std::size_t size) {
    for (int i = 0; i < count; ++i) {
      all.push_back(static_cast<char*>(std::malloc(size)));
      std::memset(all.back(), 1, size);
    }
  }
  ~Blocks() {
    for (char* block : all) std::free(block);
  }
  std::vector<char*> all;
};

std::int64_t page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

std::int64_t resident_pages() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident;
}

constexpr std::size_t mebibyte = 1 << 20;

TEST(KeptHeap, ALoopTakesNothingFromTheSystem) {
  ASSERT_TRUE(keep_heap());
  for (int i = 0; i < 3; ++i) Blocks(4, 8 * mebibyte);
  const std::int64_t before = page_faults();
  for (int i = 0; i < 20; ++i) Blocks(4, 8 * mebibyte);
  EXPECT_LT(page_faults() - before, 200) << "of 160,000 if each block came and went";
}

// How many MiB more are resident while the blocks are there, and after.
void expect_given_back(int count, std::size_t size) {
  const std::int64_t before = resident_pages(), page = ::sysconf(_SC_PAGESIZE);
  const auto more = [&] { return static_cast<double>((resident_pages() - before) * page) / mebibyte; };
  {
    const Blocks blocks(count, size * mebibyte);
    EXPECT_GT(more(), 0.8 * count * static_cast<double>(size));
  }
  EXPECT_LT(more(), 4);
}

TEST(KeptHeap, GivesBackAPeakAndLargeBlocks) {
  ASSERT_TRUE(keep_heap());
  ::malloc_trim(0);  // what other tests have left
  expect_given_back(12, 24);
  expect_given_back(1, 40);
}

TEST(KeptHeap, LeavesTheSettingsOfTheEnvironment) {
  ::setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
  EXPECT_FALSE(keep_heap());
  ::setenv("GLIBC_TUNABLES", "glibc.rtld.nns=4", 1);
  EXPECT_TRUE(keep_heap());
  ::unsetenv("GLIBC_TUNABLES");
  ::setenv("MALLOC_TRIM_THRESHOLD_", "1000000", 1);
  EXPECT_FALSE(keep_heap());
  ::unsetenv("MALLOC_TRIM_THRESHOLD_");
}

#endif

}  // namespace
}  // namespace deepgen::machine_test
