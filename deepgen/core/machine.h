// What the machine grants this process: processors, memory, and a heap that keeps what it has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

namespace deepgen {

// Limits of the control groups that the process is in. A group's limit holds for all groups in it, so the
// smallest from its own group up to the root counts.
struct GroupLimits {
  double processors = std::numeric_limits<double>::infinity();       // processor time over time
  std::uint64_t memory = std::numeric_limits<std::uint64_t>::max();  // bytes
};

// Read from proc/self and the groups' folders, version 1 and 2 alike; a limit that cannot be read is none.
// `root` stands for "/" (tests make their own).
GroupLimits group_limits(const std::filesystem::path& root = "/");

struct Machine {
  int processors = 1;        // that are running
  int allowed = 1;           // those of them that this process may run on: its affinity
  std::uint64_t memory = 0;  // bytes; 0: not known
  double load = -1;          // how many processes wanted to run, a mean of the last minute; -1: not known
  GroupLimits limits;

  int granted() const;                   // processors: max(1, min(allowed, ceil(limits.processors)))
  std::uint64_t granted_memory() const;  // bytes: the smaller of the machine's and the groups'; 0: not known
};
Machine look_at_machine(const std::filesystem::path& root = "/");

// "2 of 8 processors: its control group has the time of 1.5".
std::string processors_text(const Machine& machine);
// "0.4 on 2 processors".
std::string load_text(const Machine& machine);
// What to do where others compute on the processors that this process is granted; "": there is room.
std::string load_advice(const Machine& machine);
std::string memory_text(const Machine& machine);

// Threads that work is shared out among: what was set, else what the machine granted at the first call.
// Here and not with the kernels, as generated sets are made without OpenMP.
int worker_threads();
void set_worker_threads(int count);  // 0: what the machine grants

// Tells glibc's heap to keep what a loop frees, so that no step of it takes pages from the system and gives
// them back, each of which costs more than the arithmetic on it. Left to itself the heap maps a block of
// 128 KiB or more and unmaps it again, until a large one was freed, and gives back its free end above twice
// the largest. Blocks above 32 MiB, the size of data sets, still come and go by themselves, and a free end
// above 256 MiB is given back, so that a peak does not stay. Call it once, before the work. False, and
// nothing is changed, where there is no glibc or the environment has its own settings (MALLOC_...,
// GLIBC_TUNABLES).
constexpr int largest_kept_block = 32 << 20;  // what every glibc takes: half of a thread's heap
constexpr int largest_kept_end = 256 << 20;
bool keep_heap();

}  // namespace deepgen
