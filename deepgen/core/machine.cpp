#include "deepgen/core/machine.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace deepgen {
namespace {

namespace fs = std::filesystem;

// ------------------------------------------------------------------ control groups

// One mounted tree of control groups: `top` is the group that its folder shows.
struct GroupTree {
  fs::path folder, top;
  bool second_version = false;
  std::string controllers;  // version 1: ",cpu,cpuacct,"
};

// A group that the process is in; the second version's has no controllers.
struct OwnGroup {
  std::string controllers;
  fs::path path;
};

std::string between_commas(const std::string& list) { return "," + list + ","; }

// A line of mountinfo: number, parent, device, top, folder, options, ..., "-", type, source, more options.
std::vector<GroupTree> mounted_trees(const fs::path& root) {
  std::vector<GroupTree> trees;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t middle = line.find(" - ");
    if (middle == std::string::npos) continue;
    std::istringstream before(line.substr(0, middle)), after(line.substr(middle + 3));
    std::string skip, top, folder, type, source, options;
    before >> skip >> skip >> skip >> top >> folder;
    after >> type >> source >> options;
    if (type != "cgroup" && type != "cgroup2") continue;
    trees.push_back(
        {root / fs::path(folder).relative_path(), top, type == "cgroup2", between_commas(options)});
  }
  return trees;
}

// A line of cgroup: number, controllers, path, with colons between.
std::vector<OwnGroup> own_groups(const fs::path& root) {
  std::vector<OwnGroup> groups;
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    groups.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return groups;
}

// The folders of the group and of those around it that the tree shows, its own first. In a container the tree
// may show a group further in, or another one: then its top is all there is.
std::vector<fs::path> folders_of(const GroupTree& tree, const fs::path& group) {
  fs::path within = group.lexically_relative(tree.top);
  if (std::find(within.begin(), within.end(), "..") != within.end() || within == ".") within.clear();
  std::vector<fs::path> folders;
  for (; !within.empty(); within = within.parent_path()) folders.push_back(tree.folder / within);
  folders.push_back(tree.folder);
  return folders;
}

// The numbers of a file; none from the first word that is not one ("max").
std::vector<double> numbers_in(const fs::path& path) {
  std::ifstream file(path);
  std::vector<double> numbers;
  for (double number = 0; file >> number;) numbers.push_back(number);
  return numbers;
}

void limit_processors(GroupLimits& limits, const std::vector<double>& quota_and_period) {
  if (quota_and_period.size() != 2 || quota_and_period[0] <= 0 || quota_and_period[1] <= 0) return;
  limits.processors = std::min(limits.processors, quota_and_period[0] / quota_and_period[1]);
}

void limit_memory(GroupLimits& limits, const std::vector<double>& bytes) {
  constexpr double none = 0x1p60;  // version 1 has no word for it, only a large number
  if (bytes.size() != 1 || bytes[0] <= 0 || bytes[0] >= none) return;
  limits.memory = std::min(limits.memory, static_cast<std::uint64_t>(bytes[0]));
}

void read_second_version(GroupLimits& limits, const fs::path& folder) {
  limit_processors(limits, numbers_in(folder / "cpu.max"));
  limit_memory(limits, numbers_in(folder / "memory.max"));
}

void read_first_version(GroupLimits& limits, const fs::path& folder) {
  std::vector<double> time = numbers_in(folder / "cpu.cfs_quota_us");
  const std::vector<double> period = numbers_in(folder / "cpu.cfs_period_us");
  time.insert(time.end(), period.begin(), period.end());
  limit_processors(limits, time);
  limit_memory(limits, numbers_in(folder / "memory.limit_in_bytes"));
}

// ------------------------------------------------------------------ the machine

int running_processors() { return std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN))); }

int processors_of_affinity() {
#ifdef __linux__
  constexpr std::size_t most = 64;  // times 1024 processors
  for (std::size_t sets = 1; sets <= most; sets *= 2) {
    std::vector<cpu_set_t> set(sets);
    if (::sched_getaffinity(0, sets * sizeof(cpu_set_t), set.data()) == 0)
      return std::max(1, CPU_COUNT_S(sets * sizeof(cpu_set_t), set.data()));
    if (errno != EINVAL) break;  // EINVAL: the kernel's own set is larger
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::string counted(int processors) {
  return fmt::format("{} processor{}", processors, processors == 1 ? "" : "s");
}

std::string gibibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

std::atomic<int> set_count = 0;

}  // namespace

GroupLimits group_limits(const fs::path& root) {
  GroupLimits limits;
  const std::vector<OwnGroup> groups = own_groups(root);
  for (const GroupTree& tree : mounted_trees(root))
    for (const OwnGroup& group : groups) {
      const std::string first = group.controllers.substr(0, group.controllers.find(','));
      const bool same =
          tree.second_version
              ? group.controllers.empty()
              : !first.empty() && tree.controllers.find(between_commas(first)) != std::string::npos;
      if (!same) continue;
      for (const fs::path& folder : folders_of(tree, group.path))
        tree.second_version ? read_second_version(limits, folder) : read_first_version(limits, folder);
    }
  return limits;
}

int Machine::granted() const {
  const double time = std::min(std::ceil(limits.processors), static_cast<double>(allowed));
  return std::max(1, static_cast<int>(time));
}

std::uint64_t Machine::granted_memory() const {
  const std::uint64_t own = memory > 0 ? memory : std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t least = std::min(own, limits.memory);
  return least == std::numeric_limits<std::uint64_t>::max() ? 0 : least;
}

Machine look_at_machine(const fs::path& root) {
  Machine machine;
  machine.processors = running_processors();
  machine.allowed = processors_of_affinity();
  const std::int64_t pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) machine.memory = static_cast<std::uint64_t>(pages * page);
  double load = 0;
  if (::getloadavg(&load, 1) == 1) machine.load = load;
  machine.limits = group_limits(root);
  return machine;
}

std::string processors_text(const Machine& machine) {
  const int granted = machine.granted();
  std::string text = granted < machine.processors
                         ? fmt::format("{} of {}", granted, counted(machine.processors))
                         : counted(granted);
  if (machine.allowed < machine.processors) text += fmt::format("; may run on {}", machine.allowed);
  if (std::isfinite(machine.limits.processors))
    text += fmt::format("; its control group has the time of {:.3g}", machine.limits.processors);
  return text;
}

std::string load_text(const Machine& machine) {
  if (machine.load < 0) return "not known";
  return fmt::format("{:.1f} on {}", machine.load, counted(machine.processors));
}

std::string load_advice(const Machine& machine) {
  constexpr double slack = 0.5;  // of a processor: what a machine at rest does
  const double free = machine.processors - machine.load;
  if (machine.load < 0 || free >= machine.granted() - slack) return "";
  const std::string text = "other programs compute here, so trainings will be slower";
  if (machine.granted() == 1) return text;
  return fmt::format("{}; --threads {} wastes least", text, std::max(1, static_cast<int>(free)));
}

std::string memory_text(const Machine& machine) {
  if (machine.granted_memory() == 0) return "not known";
  std::string text = gibibytes(machine.granted_memory());
  if (machine.granted_memory() < machine.memory)
    text += fmt::format(" of {}: its control group has no more", gibibytes(machine.memory));
  return text;
}

int worker_threads() {
  static const int granted = look_at_machine().granted();
  const int count = set_count;
  return count > 0 ? count : granted;
}

void set_worker_threads(int count) { set_count = count; }

bool keep_heap() {
#ifdef __GLIBC__
  for (const char* own : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_"})
    if (std::getenv(own)) return false;
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  if (tunables && std::string_view(tunables).find("glibc.malloc.") != std::string_view::npos) return false;
  return ::mallopt(M_MMAP_THRESHOLD, largest_kept_block) == 1 &&
         ::mallopt(M_TRIM_THRESHOLD, largest_kept_end) == 1;
#else
  return false;
#endif
}

}  // namespace deepgen
