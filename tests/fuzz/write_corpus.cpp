// Writes the valid files that the fuzzers begin with: write_corpus FOLDER makes FOLDER/<fuzzer>/seed-<n>.
#include <cstdio>

#include "seeds.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("write_corpus: expected a folder\n", stderr);
    return 2;
  }
  for (const auto& [fuzzer, seeds] : deepgen::fuzz::all_seeds()) {
    const std::filesystem::path folder = std::filesystem::path(arguments[1]) / fuzzer;
    std::filesystem::create_directories(folder);
    for (std::size_t i = 0; i < seeds.size(); ++i)
      deepgen::write_file((folder / ("seed-" + std::to_string(i))).string(), seeds[i]);
  }
  return 0;
}
