#include "deepgen/model/catalogue.h"

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/models/all_models.h"

namespace deepgen {
namespace {

template <class T>
std::unique_ptr<Options> make_options() {
  return std::make_unique<T>();
}

template <class... Cards>
std::vector<ModelCard> cards_of(CardList<Cards...>) {
  std::vector<ModelCard> cards = {Cards::card()...};
  std::size_t at = 0;
  ((cards[at].options = make_options<typename Cards::ModelOptions>,
    cards[at].learning = make_options<typename Cards::LearningOptions>, ++at),
   ...);
  return cards;
}

}  // namespace

const std::vector<ModelCard>& model_catalogue() {
  static const std::vector<ModelCard> cards = cards_of(AllModels{});
  return cards;
}

bool takes(const ModelCard& card, ColumnKind kind) {
  return std::find(card.takes.begin(), card.takes.end(), kind) != card.takes.end();
}

std::vector<std::string> models_taking(const std::vector<ColumnGroup>& groups, bool has_labels) {
  std::vector<std::string> names;
  for (const ModelCard& card : model_catalogue())
    if ((has_labels || !card.needs_labels) &&
        std::all_of(groups.begin(), groups.end(),
                    [&](const ColumnGroup& group) { return takes(card, group.kind); }))
      names.push_back(card.name);
  return names;
}

const ModelCard& model_card(const std::string& name) {
  std::vector<std::string> names;
  for (const ModelCard& card : model_catalogue()) {
    if (card.name == name) return card;
    names.push_back(card.name);
  }
  fail_usage("model", unknown_name("model", name, names));
}

}  // namespace deepgen
