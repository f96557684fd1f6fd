#include "deepgen/model/catalogue.h"

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

const ModelCard& model_card(const std::string& name) {
  std::vector<std::string> names;
  for (const ModelCard& card : model_catalogue()) {
    if (card.name == name) return card;
    names.push_back(card.name);
  }
  fail_usage("model", unknown_name("model", name, names));
}

}  // namespace deepgen
