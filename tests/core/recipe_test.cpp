// Recipes and recorded results: what is in the repository must be readable, settable and up to date.
#include "deepgen/cli/recipe.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "deepgen/cli/results.h"
#include "deepgen/core/error.h"
#include "deepgen/core/rng.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/model/catalogue.h"
#include "deepgen/train/settings.h"

namespace deepgen::recipe_test {
namespace {

const std::string source_folder = DEEPGEN_SOURCE;

std::string message_of(const std::function<void()>& action, ErrorKind kind) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Recipe, EveryRecipeOfTheRepositoryResolves) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_folder + "/recipes")) {
    SCOPED_TRACE(entry.path().string());
    const Recipe recipe = read_recipe(entry.path().string());
    Settings settings(recipe.model);
    EXPECT_NO_THROW(settings.set_all(recipe.settings));
    EXPECT_NO_THROW(check_spec(parse_data_spec(recipe.data)));
    EXPECT_TRUE(recipe.published.has_value() || !recipe.note.empty())
        << "a recipe answers a published number, or says what it stands beside";
    EXPECT_EQ(recipe.published.has_value(), !recipe.source.empty());
    EXPECT_FALSE(recipe.title.empty());
    ++count;
  }
  EXPECT_GE(count, 6);
}

TEST(Recipe, EveryModelHasOneThatTrainsIt) {
  for (const ModelCard& card : model_catalogue()) {
    SCOPED_TRACE(card.name);
    const std::string path = source_folder + "/recipes/" + card.recipe + ".toml";
    ASSERT_TRUE(std::filesystem::exists(path)) << path;
    EXPECT_EQ(read_recipe(path).model, card.name);
  }
}

TEST(Recipe, ReadsEveryField) {
  const Recipe r = parse_recipe(
      "x/some.toml",
      "title = 't'\nmodel = 'rbm'\ndata = 'mnist'\nseed = 4\nnote = 'n'\n[model_options]\nhidden = 7\n"
      "[training]\nrate = 0.5\ncentring = false\nlearning = 'cd'\n[evaluate]\nsplit = 'valid'\n"
      "ais = 'quick'\nchains = 9\n[published]\nvalue = -1\naim = -0.5\nbracket = 2\nsource = 's'\n");
  EXPECT_EQ(r.name, "some");
  EXPECT_EQ(r.seed, 4U);
  EXPECT_EQ(r.settings["model"]["hidden"], 7);
  EXPECT_EQ(r.settings["training"]["rate"], 0.5);
  EXPECT_EQ(r.settings["training"]["centring"], false);
  EXPECT_EQ(r.settings["training"]["learning"], "cd");
  EXPECT_EQ(r.split, "valid");
  EXPECT_EQ(r.ais, "quick");
  EXPECT_EQ(r.chains, 9);
  EXPECT_EQ(*r.published, -1);
  EXPECT_EQ(*r.aim, -0.5);
  EXPECT_EQ(*r.bracket, 2);
}

TEST(Recipe, RefusesWhatItDoesNotKnow) {
  const std::string head = "model = 'rbm'\ndata = 'mnist'\n";
  auto usage = [&](const std::string& text) {
    return message_of([&] { parse_recipe("r.toml", text); }, ErrorKind::usage);
  };
  EXPECT_NE(usage(head + "titel = 'x'\n").find("did you mean 'title'"), std::string::npos);
  EXPECT_NE(usage(head + "[evaluate]\nspilt = 'x'\n").find("did you mean 'split'"), std::string::npos);
  EXPECT_NE(usage(head + "seed = 'x'\n").find("wrong type"), std::string::npos);
  EXPECT_NE(usage(head + "seed = -1\n").find("0 or more"), std::string::npos);
  EXPECT_NE(usage("model = 'rbm'\n").find("data"), std::string::npos);
  EXPECT_NE(usage(head + "training = 3\n").find("table"), std::string::npos);
  EXPECT_NE(usage(head + "[training]\nrate = [1]\n").find("rate"), std::string::npos);
  const std::string broken =
      message_of([&] { parse_recipe("r.toml", head + "[training\nrate = 1\n"); }, ErrorKind::data);
  EXPECT_NE(broken.find("r.toml"), std::string::npos);
  EXPECT_NE(broken.find("line 3"), std::string::npos) << broken;
}

// Whatever the text, a recipe is read or refused by an Error: cut at every byte, and with bytes changed at
// random.
TEST(Recipe, AnyTextIsReadOrRefused) {
  const std::string whole =
      "title = 't'\nmodel = 'rbm'\ndata = 'mnist'\nseed = 4\n[model_options]\nhidden = 7\n[training]\nrate = "
      "0.5\n"
      "learning = 'cd'\n[evaluate]\nsplit = 'valid'\n[published]\nvalue = -1.5e2\nsource = \"s\\u00e9\"\n";
  int refused = 0;
  auto attempt = [&](const std::string& text) {
    try {
      parse_recipe("r.toml", text);
    } catch (const Error&) {
      ++refused;
    }
  };
  for (std::size_t end = 0; end < whole.size(); ++end) attempt(whole.substr(0, end));
  Rng rng(11);
  for (int trial = 0; trial < 5000; ++trial) {
    std::string text = whole;
    for (int edit = 0; edit < 3; ++edit) text[rng.below(text.size())] = static_cast<char>(rng.below(256));
    attempt(text);
  }
  attempt(std::string(100000, '['));
  EXPECT_GT(refused, 100);
}

nlohmann::ordered_json some_result() {
  return {{"recipe", "r"},
          {"title", "T"},
          {"data", "d"},
          {"binarize", "static"},
          {"split", "test"},
          {"value", -10.0},
          {"standard_error", 0.5},
          {"kind", "estimate"},
          {"lower", -10.2},
          {"upper", -10.0},
          {"rows", 5},
          {"how", "h"},
          {"published", -11.0},
          {"aim", -9.0},
          {"bracket", 0.5},
          {"source", "s"},
          {"seed", 1},
          {"training_seconds", 10.0},
          {"peak_memory_bytes", 1e8},
          {"commit", "c"}};
}

TEST(Results, OfAnErrorLessIsBetter) {
  auto result = some_result();
  result["metric"] = "classification_error";
  result["published"] = 1.81, result["value"] = 1.7, result["lower"] = 1.5, result["upper"] = 1.75;
  EXPECT_EQ(verdict(result).substr(0, 7), "reached");
  EXPECT_EQ(verdict(result).find("by the estimate"), std::string::npos);
  result["upper"] = 1.9;
  EXPECT_NE(verdict(result).find("reached by the estimate, not by the upper end"), std::string::npos);
  result["value"] = 1.85;
  EXPECT_NE(verdict(result).find("**not reached**"), std::string::npos);
}

TEST(Results, VerdictComparesWithThePublishedFigureTheAimAndTheBracket) {
  nlohmann::ordered_json r = some_result();
  EXPECT_EQ(verdict(r), "reached, aim not reached, bracket narrow enough");
  r["published"] = -9.5;
  EXPECT_NE(verdict(r).find("**not reached**"), std::string::npos);
  r["lower"] = -10.6;
  EXPECT_NE(verdict(r).find("too wide"), std::string::npos);
  const std::string page = results_markdown({some_result()});
  for (const char* wanted : {"-10.00", "-11.00", "[-10.20, -10.00]", "estimate", "`r`", "commit c"})
    EXPECT_NE(page.find(wanted), std::string::npos) << wanted;
}

TEST(Results, PageOfTheRepositoryIsMadeFromItsRecords) {
  const std::string page = source_folder + "/docs/results.md";
  ASSERT_TRUE(std::filesystem::exists(page));
  std::ifstream file(page);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), results_markdown(read_results(source_folder + "/docs/results")))
      << "regenerate it: deepgen reproduce --markdown > docs/results.md";
}

}  // namespace
}  // namespace deepgen::recipe_test
