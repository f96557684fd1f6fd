#include "deepgen/cli/commands/models_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "deepgen/model/capabilities.h"
#include "deepgen/model/extra_scores.h"
#include "deepgen/model/registry.h"
#include "deepgen/model/top_machine.h"

namespace deepgen {
namespace {

constexpr std::int64_t small_columns = 16, small_classes = 2;

const char* word_of(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::binary:
      return "binary";
    case ColumnKind::softmax:
      return "categorical";
    case ColumnKind::count:
      return "count";
    case ColumnKind::gaussian:
      return "real";
    case ColumnKind::mean_field:
      return "grey";
  }
  return "";
}

// Of models that can do nothing without their condition; which part of a case that is, options may say.
std::string given(const Model& model) {
  const auto* conditional = as<IsConditional>(model);
  if (!conditional || conditional->has_label_distribution()) return "";
  return conditional->condition_classes() > 0 ? " given the label" : " given a part of the case";
}

std::string sample_cell(const Model& model) {
  if (as<CanContinue>(model)) return "sequences, row by row";
  std::string text = as<CanSample>(model) ? "direct" : as<HasChain>(machine_of(model)) ? "chain" : "";
  if (as<CanSampleGiven>(model)) text += text.empty() ? "`--given y=3`" : ", `--given y=3`";
  return text.empty() ? "no" : text;
}

std::string score_cell(const Model& model) {
  if (as<HasLogProb>(model))
    return "exact" + given(model) + (as<HasOrders>(model) ? ", also as an ensemble over orders" : "");
  if (as<HasFreeEnergy>(model)) return "exact when small, else by annealing";
  if (const auto* bound = as<HasBound>(model))
    return (bound->bound_kind().owes_log_partition ? "bound less an annealed log Z" : "bound") + given(model);
  if (dynamic_cast<const HasExtraScores*>(&model))
    return "exact when small, else by annealing" + given(model);
  if (as<CanSample>(model) || as<CanSampleGiven>(model)) return "tests on samples";
  if (as<CanClassify>(model)) return "p(label) given a case";
  if (as<CanDecode>(model)) return "reconstruction";
  return "no";
}

std::string complete_cell(const Model& model) {
  if (as<CanComplete>(model)) return "yes" + given(model);
  return as<CanClamp>(model) ? "clamped chain" : "no";
}

std::string yes_or_no(bool yes, const std::string& how = "") { return yes ? "yes" + how : "no"; }

}  // namespace

std::shared_ptr<Model> small_instance(const ModelCard& card) {
  const SmallCase& small = card.small_cases.front();
  return make_small_model(card, small, small_shape(small, small_columns, small_classes));
}

std::vector<std::string> models_that(const std::function<bool(const Model&)>& holds) {
  std::vector<std::string> names;
  for (const ModelCard& card : model_catalogue())
    if (holds(*small_instance(card))) names.push_back(card.name);
  return names;
}

std::string takes_text(const ModelCard& card) {
  std::vector<const char*> words;
  for (const ColumnKind kind : card.takes) words.push_back(word_of(kind));
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string models_markdown_table() {
  std::string table =
      "| model | takes | sample | score | complete | classify | encode | reconstruct | recipe |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const ModelCard& card : model_catalogue()) {
    const std::shared_ptr<Model> made = small_instance(card);
    const Model& model = *made;
    const bool encodes = as<CanEncode>(model), decodes = as<CanDecode>(model);
    table += fmt::format("| `{}`: {} | {} | {} | {} | {} | {} | {} | {} | `{}` |\n", card.name, card.title,
                         takes_text(card), sample_cell(model), score_cell(model), complete_cell(model),
                         yes_or_no(as<CanClassify>(model)), yes_or_no(encodes, given(model)),
                         yes_or_no(encodes && decodes, given(model)), card.recipe);
  }
  return table;
}

}  // namespace deepgen
