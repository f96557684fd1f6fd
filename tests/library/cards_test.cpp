// What every card of the registry owes: cases that the laws run on, and words that are true of the model.
#include <gtest/gtest.h>

#include <set>

#include "deepgen/model/capabilities.h"
#include "tests/library/machines.h"
#include "tests/library/small_cases.h"

namespace deepgen::cards_test {
namespace {

using namespace machines;

TEST(Cards, HaveSmallCasesWithNamesOfTheirOwn) {
  for (const ModelCard& card : model_catalogue()) {
    EXPECT_FALSE(card.small_cases.empty()) << card.name << ": no law would run on it";
    std::set<std::string> names;
    for (const SmallCase& small : card.small_cases) EXPECT_TRUE(names.insert(small.name).second) << card.name;
    EXPECT_FALSE(card.title.empty() || card.source.empty() || card.family.empty()) << card.name;
  }
}

// A case that no family of laws takes would be skipped by all of them without a word.
TEST(Cards, EverySmallCaseFallsUnderALaw) {
  for (const ModelCard& card : model_catalogue())
    for (const SmallCase& small : card.small_cases) {
      const auto model = make_small_model(card, small, small_shape(small, 10, 3));
      const bool scored = as<HasFreeEnergy>(*model) || as<HasLogProb>(*model) || as<HasBound>(*model);
      const bool drawn = as<CanSample>(*model) || as<CanSampleGiven>(*model);
      // Models of a part of a case, and of sequences: the tests of each go through its small cases. Networks
      // with a code alone: code_laws_test.cpp.
      const bool other = as<CanComplete>(*model) || as<CanContinue>(*model) || as<CanEncode>(*model);
      EXPECT_TRUE(scored || drawn || other) << card.name << " " << small.name;
    }
}

TEST(Cards, SayWhetherLabelsAreNeeded) {
  for (const ModelCard& card : model_catalogue()) {
    const SmallCase& small = card.small_cases.front();
    bool refused = false;
    try {
      make_small_model(card, small, small_shape(small, 10, 0));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      refused = true;
    }
    EXPECT_EQ(refused, card.needs_labels) << card.name;
  }
}

TEST(Cards, KindsOfColumnsThatAreNotTakenAreRefusedByName) {
  for (const ModelCard& card : model_catalogue()) {
    const SmallCase& small = card.small_cases.front();
    for (const ColumnKind kind : {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count,
                                  ColumnKind::gaussian, ColumnKind::mean_field}) {
      if (std::find(card.takes.begin(), card.takes.end(), kind) != card.takes.end()) continue;
      DataShape data = small_shape(small, 10, 3);
      data.groups = {{kind, 0, data.columns}};
      data.values = ValueKind::mixed;
      expect_says(error_of(ErrorKind::data, [&] { make_small_model(card, small, data); }),
                  {card.name, name_of(kind)});
    }
  }
}

}  // namespace
}  // namespace deepgen::cards_test
