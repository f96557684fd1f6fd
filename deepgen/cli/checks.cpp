// What is checked before torch is loaded or a file is opened: names, endings, options; what a recipe resolves
// to.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "deepgen/cli/arguments.h"
#include "deepgen/core/error.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/generated/generated.h"
#include "deepgen/evaluate/schedule.h"
#include "deepgen/model/catalogue.h"

namespace deepgen {
namespace {

using Names = std::vector<std::string>;

void check_name(const std::string& flag, const std::string& what, const std::string& name,
                const Names& known) {
  if (std::find(known.begin(), known.end(), name) == known.end())
    fail_usage(flag, unknown_name(what, name, known));
}

void check_study(const Arguments& a) {
  check_name("study", "study", a.subject, {"cd-bias", "label-efficiency"});
  if (a.subject == "cd-bias" && !a.label_efficiency.machine.empty())
    fail_usage("study", fmt::format("cd-bias makes its own machines, got '{}'", a.label_efficiency.machine));
  if (a.subject == "cd-bias") return check_cd_bias(a.cd_bias);
  check_label_efficiency(a.label_efficiency);
}

void check_ending(const Arguments& a) {
  static const std::map<std::string, Names> endings = {{"sample", {".png", ".npy", ".csv", ".mid", ".svg"}},
                                                       {"score", {".npy", ".csv"}},
                                                       {"complete", {".npy", ".csv", ".png"}},
                                                       {"encode", {".npy", ".csv"}},
                                                       {"reconstruct", {".npy", ".csv", ".png"}},
                                                       {"classify", {".npy", ".csv"}},
                                                       {"study", {".html", ".svg"}},
                                                       {"data make", {".npz", ".csv"}}};
  const auto found = endings.find(a.verb);
  if (found == endings.end() || (a.verb == "study" && (a.out.empty() || a.subject != "cd-bias"))) return;
  for (const std::string& ending : found->second)
    if (a.out.ends_with(ending)) return;
  fail_usage("--out",
             fmt::format("expected a file that ends in {}, got '{}'", fmt::join(found->second, ", "), a.out));
}

void check_spread(const Arguments& a) {
  if (a.spread.empty()) return;
  if (!a.spread.ends_with(".csv") && !a.spread.ends_with(".npy"))
    fail_usage("--spread", fmt::format("expected a file that ends in .csv or .npy, got '{}'", a.spread));
  if (a.spread == a.out) fail_usage("--spread", "expected another file than --out");
  if (a.draws < 2) fail_usage("--spread", "expected --draws 2 or more: one draw does not differ from itself");
}

// RUN, or RUN:part; a path that exists is taken as it is, whatever it holds.
StartingPoint starting_point(const std::string& text) {
  std::error_code ignored;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(text, ignored)) return {text, ""};
  StartingPoint from{text.substr(0, colon), text.substr(colon + 1)};
  if (from.run.empty() || from.part.empty())
    fail_usage("--start", fmt::format("expected RUN or RUN:part, got '{}'", text));
  return from;
}

void check_data_spec(const std::string& text) {
  const DataSpec spec = parse_data_spec(text);
  check_spec(spec);
  check_generated_options(spec.name, spec.options);
}

[[noreturn]] void fail_no_recipe(const std::string& name) {
  const Names names = recipe_names();
  if (names.empty())
    fail_usage("reproduce",
               "expected the path of a recipe (FILE.toml); there is no folder of recipes here or beside the "
               "program");
  if (name.empty())
    fail_usage("reproduce", fmt::format("expected a recipe; there are: {}", fmt::join(names, ", ")));
  fail_usage("reproduce", unknown_name("recipe", name, names));
}

}  // namespace

void check_arguments(const Arguments& a) {
  check_name("--device", "device", a.device, {"cpu", "cuda"});
  check_name("--split", "split", a.split, {"train", "valid", "test"});
  if (a.verb == "score" || a.verb == "evaluate") check_schedule(a.ais);
  if (a.features && a.split == "train")
    fail_usage("--features", "expected --split valid or test: the classifiers learn from the train part");
  if (a.sample_tests && a.split == "train")
    fail_usage("--sample-tests", "expected --split valid or test: the training rows are the control");
  if (a.verb == "models" && !a.subject.empty()) Settings known(a.subject);
  if (a.verb == "train" && a.out.empty()) fail_usage("--out", "expected the folder of the run, got nothing");
  if (a.verb == "search" && a.out.empty())
    fail_usage("--out", "expected the folder of the search, got nothing");
  if (a.verb == "reproduce" && a.subject.empty() && !a.markdown) fail_no_recipe("");
  if (a.verb == "study") check_study(a);
  check_ending(a);
  check_spread(a);
  if (a.verb == "quality" && !a.out.empty() && !a.out.ends_with(".html"))
    fail_usage("--out", fmt::format("expected a file that ends in .html, got '{}'", a.out));
  if (a.verb == "sample" && a.length == 0 && (a.out.ends_with(".mid") || a.out.ends_with(".svg")))
    fail_usage("--length",
               fmt::format("expected the rows to draw of each sequence, got none: {} is of sequences",
                           a.out.ends_with(".mid") ? "music" : "a chart (.svg)"));
  for (const std::string& spec : {a.data, a.real, a.test, a.begin})
    if (!spec.empty()) check_data_spec(spec);
}

// A model's own name means the model with its defaults, also where a recipe is called the same; the recipe is
// then told by its path.
TrainingPlan plan_training(const Arguments& arguments) {
  const bool is_model = std::any_of(model_catalogue().begin(), model_catalogue().end(),
                                    [&](const ModelCard& card) { return card.name == arguments.subject; });
  const std::string path = is_model ? "" : find_recipe(arguments.subject);
  std::optional<Recipe> recipe;
  if (!path.empty()) recipe = read_recipe(path);
  TrainingPlan plan(recipe ? recipe->model : arguments.subject, arguments.data, arguments.seed);
  if (recipe) {
    plan.settings.set_all(recipe->settings);
    if (plan.data.empty()) plan.data = recipe->data;
    if (!arguments.seed_given) plan.seed = recipe->seed;
  }
  for (const std::string& assignment : arguments.settings) plan.settings.set(assignment);
  for (const std::string& text : arguments.starts) plan.start.push_back(starting_point(text));
  if (plan.data.empty()) fail_usage("train", "expected --data SPEC; `deepgen data list` shows what there is");
  check_data_spec(plan.data);
  return plan;
}

SearchPlan plan_search(const Arguments& arguments) {
  if (arguments.budget_seconds <= 0 && arguments.trials <= 0)
    fail_usage("search", "expected an end: --budget 20m, --trials N or both");
  TrainingPlan training = plan_training(arguments);
  SearchSpace space = search_space(training.settings, arguments.settings, arguments.tries);
  return {.training = std::move(training),
          .space = std::move(space),
          .out = arguments.out,
          .trials = arguments.trials,
          .budget_seconds = arguments.budget_seconds,
          .all_rows = arguments.all_rows,
          .resume = arguments.resume};
}

ReproductionPlan plan_reproduction(const Arguments& arguments) {
  const std::string path = find_recipe(arguments.subject);
  if (path.empty()) fail_no_recipe(arguments.subject);
  Recipe recipe = read_recipe(path);
  TrainingPlan plan(recipe.model, recipe.data, arguments.seed_given ? arguments.seed : recipe.seed);
  plan.settings.set_all(recipe.settings);
  check_data_spec(recipe.data);
  return {std::move(recipe), std::move(plan)};
}

}  // namespace deepgen
