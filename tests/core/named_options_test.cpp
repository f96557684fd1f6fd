// Every option that the program names, in messages, help and lists, is one that can be set.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "deepgen/model/catalogue.h"

namespace deepgen::named_options_test {
namespace {

namespace fs = std::filesystem;

const std::string source_folder = DEEPGEN_SOURCE;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Where what begins at `at` ends, when it is a comment or a character, else `at`.
std::size_t skip_comment(const std::string& code, std::size_t at) {
  const auto after = [&](const char* end) {
    const std::size_t found = code.find(end, at + 2);
    return found == std::string::npos ? code.size() : found + std::string(end).size();
  };
  if (code.compare(at, 2, "//") == 0) return after("\n");
  if (code.compare(at, 2, "/*") == 0) return after("*/");
  const bool digits = at > 0 && std::isalnum(static_cast<unsigned char>(code[at - 1]));  // 10'000
  if (code[at] != '\'' || digits) return at;
  std::size_t end = at + 1;
  while (end < code.size() && code[end] != '\'') end += code[end] == '\\' ? 2 : 1;
  return end + 1;
}

// The texts between quotes; those that follow each other without anything between are one.
std::vector<std::string> literals_of(const std::string& code) {
  std::vector<std::string> literals;
  bool joined = false;
  for (std::size_t at = 0; at < code.size();) {
    const std::size_t after = skip_comment(code, at);
    if (after > at) {
      at = after;
      continue;
    }
    if (code[at] != '"') {
      joined = joined && std::isspace(static_cast<unsigned char>(code[at]));
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    while (end < code.size() && code[end] != '"') end += code[end] == '\\' ? 2 : 1;
    const std::string text = code.substr(at + 1, end - at - 1);
    joined ? literals.back() += text : literals.emplace_back(text);
    joined = true, at = end + 1;
  }
  return literals;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// "training.rate" and the like in a text; not "best_model.safetensors", nor "model.{}".
std::vector<std::string> options_in(const std::string& text) {
  std::vector<std::string> found;
  for (const std::string group : {"model.", "training."})
    for (std::size_t at = 0; (at = text.find(group, at)) != std::string::npos; at += group.size()) {
      if (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '.' || text[at - 1] == '/')) continue;
      std::size_t end = at + group.size();
      while (end < text.size() && is_word(text[end])) ++end;
      const std::string name = text.substr(at, end - at);
      if (end > at + group.size() && !name.ends_with(".safetensors")) found.push_back(name);
    }
  return found;
}

std::set<std::string> known_options() {
  std::set<std::string> known;
  const auto add = [&](const std::string& group, Options& options) {
    for (const FieldText& field : describe_options(options)) known.insert(group + field.name);
  };
  TrainingOptions training;
  add("training.", training);
  for (const ModelCard& card : model_catalogue())
    add("model.", *card.options()), add("training.", *card.learning());
  return known;
}

TEST(NamedOptions, AreFoundInTheTextsOfCode) {
  const std::string code =
      "// training.no\nf(\"see model\"  \n \".hidden\", 'x', '\"', \"a \\\"training.rate\\\"\") /* "
      "\"model.no\" */";
  const std::vector<std::string> literals = literals_of(code);
  ASSERT_EQ(literals.size(), 2U);
  EXPECT_EQ(literals[0], "see model.hidden");
  EXPECT_EQ(options_in(literals[0]), std::vector<std::string>{"model.hidden"});
  EXPECT_EQ(options_in(literals[1]), std::vector<std::string>{"training.rate"});
  EXPECT_EQ(options_in("model.safetensors, run/model.x, my_model.x, model.{}, model.<option>"),
            std::vector<std::string>());
}

TEST(NamedOptions, Exist) {
  const std::set<std::string> known = known_options();
  std::size_t checked = 0;
  for (const auto& entry : fs::recursive_directory_iterator(source_folder + "/deepgen")) {
    const std::string ending = entry.path().extension().string();
    if (ending != ".h" && ending != ".cpp") continue;
    for (const std::string& text : literals_of(content_of(entry.path())))
      for (const std::string& name : options_in(text)) {
        ++checked;
        EXPECT_TRUE(known.contains(name))
            << name << " in " << entry.path() << ", in the text \"" << text << "\"";
      }
  }
  EXPECT_GT(checked, 50U) << "the texts were not found";
}

}  // namespace
}  // namespace deepgen::named_options_test
