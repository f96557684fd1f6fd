// Which implementation of the kernels runs.
#include <atomic>
#include <cstdlib>

#include "deepgen/core/error.h"
#include "deepgen/kernels/variants.h"

namespace deepgen {
namespace {

const std::vector<const KernelTable*>& all_tables() {  // best last
  static const std::vector<const KernelTable*> tables = {&reference_kernels, &avx2_kernels, &avx512_kernels};
  return tables;
}

bool processor_has(const KernelTable& table) {
  if (&table == &avx2_kernels) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (&table == &avx512_kernels)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return true;
}

std::vector<std::string> names(bool only_available) {
  std::vector<std::string> result;
  for (const KernelTable* table : all_tables())
    if (!only_available || processor_has(*table)) result.push_back(table->name);
  return result;
}

std::string listed(const std::vector<std::string>& words) {
  std::string result;
  for (const std::string& word : words) result += (result.empty() ? "" : ", ") + word;
  return result;
}

// `who` is what the user wrote: the variable or the function.
const KernelTable& find_table(const std::string& who, const std::string& name) {
  for (const KernelTable* table : all_tables()) {
    if (name != table->name) continue;
    if (!processor_has(*table))
      fail_usage(who, "expected kernels that this processor has, got '" + name +
                          "', whose instructions it lacks; it has: " + listed(names(true)));
    return *table;
  }
  fail_usage(who, unknown_name("kernels", name, names(false)));
}

const KernelTable& first_choice() {
  const char* forced = std::getenv("DEEPGEN_KERNELS");
  if (forced != nullptr && *forced != '\0') return find_table("DEEPGEN_KERNELS", forced);
  return find_table("kernels", names(true).back());
}

std::atomic<const KernelTable*>& current() {
  static std::atomic<const KernelTable*> table = &first_choice();  // a throw leaves it to be decided again
  return table;
}

}  // namespace

const KernelTable& kernels() { return *current(); }

void use_kernels(const std::string& name) { current() = &kernel_table(name); }

std::vector<std::string> available_kernels() { return names(true); }

const KernelTable& kernel_table(const std::string& name) { return find_table("kernels", name); }

}  // namespace deepgen
