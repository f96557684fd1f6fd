// What the documentation shows is run: the commands of README.md, and docs/models.md as the program prints
// it.
#include <algorithm>
#include <fstream>
#include <iterator>

#include "program.h"
#include "run_files.h"

namespace deepgen::command::readme_test {
namespace {

std::filesystem::path source_folder() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
}

std::string document(const std::string& name) {
  std::ifstream file(source_folder() / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Lines of code blocks, indented or fenced, that call the program; without its name.
std::vector<std::string> commands_of(const std::string& page) {
  std::vector<std::string> commands;
  bool fenced = false;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("```")) fenced = !fenced;
    if (!fenced && !line.starts_with("    ")) continue;
    const std::size_t start = line.find_first_not_of(" $");
    if (start == std::string::npos) continue;
    for (const std::string name : {"deepgen ", "build/release/deepgen "})
      if (line.compare(start, name.size(), name) == 0) commands.push_back(line.substr(start + name.size()));
  }
  return commands;
}

// The file with missing cells that a reader is supposed to have: pictures of 28 x 28 whose lower half is
// empty.
void write_holes(const Workplace& place) {
  std::vector<std::vector<std::string>> rows(3, std::vector<std::string>(784, "0"));
  for (auto& row : rows) std::fill(row.begin() + 392, row.end(), "");
  place.write("holes.csv", encode_csv_table(rows));
}

// The reader's own files, and sets that have to be fetched, may be absent.
bool needs_what_is_absent(const Result& result) {
  return result.code == 3 &&
         (contains(result.err, "was not found below") || contains(result.err, "no such file"));
}

TEST(Readme, CommandsRunInOrder) {
  const std::vector<std::string> commands = commands_of(document("README.md"));
  ASSERT_FALSE(commands.empty());
  const Workplace place;
  write_holes(place);
  std::string skipped;
  for (const std::string& line : commands) {
    Words command = words(line.substr(0, line.find(" #")));
    if (command.at(0) == "train" || command.at(0) == "search")
      command.insert(command.end(), {"--set", "training.epochs=1"});
    const Result result = place.run(command);
    if (needs_what_is_absent(result))
      skipped += "\n" + line;
    else
      expect_done(result);
  }
  if (!skipped.empty()) GTEST_SKIP() << "these need data that are not installed:" << skipped;
}

TEST(Readme, ModelsPageIsThePrograms) {
  const Workplace place;
  EXPECT_EQ(document("docs/models.md"), place.must("models --markdown").out)
      << "docs/models.md is stale: ./dev docs writes it";
}

TEST(Readme, TableOfModelsIsThePrograms) {
  const std::string page = document("README.md"), begin = "<!-- models -->\n", end = "<!-- /models -->";
  const std::size_t from = page.find(begin), to = page.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to) << "the marks are gone";
  const std::string table = page.substr(from + begin.size(), to - from - begin.size());
  const Workplace place;
  EXPECT_EQ(table, place.must("models --markdown-table").out)
      << "the table of models in README.md is stale: ./dev docs writes it";
}

}  // namespace
}  // namespace deepgen::command::readme_test
