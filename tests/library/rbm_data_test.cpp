// The RBM as data make it, and its laws of threads for units of every kind.
#include <regex>

#include "tests/library/machines.h"

namespace deepgen::rbm_data_test {
namespace {

using namespace machines;

// ---------------------------------------------------------------- made of data

std::vector<UnitKind> kinds_of(const UnitLayer& layer) {
  std::vector<UnitKind> kinds;
  for (const UnitGroup& group : layer.groups()) kinds.push_back(group.kind);
  return kinds;
}

TEST(RbmOfData, EachKindOfValuesHasItsUnits) {
  auto visible = [](const DataShape& data, RbmOptions options = {}) {
    return kinds_of(Rbm(options, {}, data).visible_layer());
  };
  DataShape data = bits_shape(4);
  EXPECT_EQ(visible(data), std::vector<UnitKind>{UnitKind::binary});
  data.values = ValueKind::grey;
  EXPECT_EQ(visible(data), std::vector<UnitKind>{UnitKind::mean_field});
  data.values = ValueKind::real;
  EXPECT_EQ(visible(data), std::vector<UnitKind>{UnitKind::gaussian});
  RbmOptions pairs;
  pairs.visible_units = "softmax", pairs.group = 2;
  EXPECT_EQ(visible(data, pairs), (std::vector<UnitKind>{UnitKind::softmax, UnitKind::softmax}));
  data.values = ValueKind::mixed;
  data.groups = {{ColumnKind::softmax, 0, 2}, {ColumnKind::count, 2, 1}, {ColumnKind::gaussian, 3, 1}};
  EXPECT_EQ(visible(data), (std::vector<UnitKind>{UnitKind::softmax, UnitKind::count, UnitKind::gaussian}));
}

// Rows that are no bits are refused with what could be set instead, and what is named can be set.
TEST(RbmOfData, OptionsThatErrorsNameExist) {
  RbmOptions options;
  const Rbm rbm(options, {}, bits_shape(3));
  const std::string message = error_of(ErrorKind::data, [&] {
    rbm.check_data(at::full({2, 3}, 0.5), "file");
  });
  expect_says(message, {"file", "row 0, column 0", "binarize"});
  std::vector<std::string> names;
  for (const FieldText& field : describe_options(options)) names.push_back(field.name);
  const std::regex option("model[.]([a-z_]+)");
  int found = 0;
  for (std::sregex_iterator it(message.begin(), message.end(), option), end; it != end; ++it, ++found)
    EXPECT_NE(std::find(names.begin(), names.end(), (*it)[1]), names.end()) << (*it)[0];
  EXPECT_EQ(found, 1) << message;
}

TEST(RbmOfData, AMachineThatWasThrownOffIsToldFromOneThatWasNot) {
  Rng rng(103);
  const Tensor x = bits_tensor(100, 8, rng, 0.3);
  const auto rbm = make_rbm(8, 4, 0.01, 104);
  rbm->initialise(x, rng);
  EXPECT_EQ(rbm->diverged(rbm->diagnose(x, {}, rng)), "");
  NoGradGuard no_graph;
  rbm->weights.fill_(5);  // all units on: 100 nats from the data
  EXPECT_NE(rbm->diverged(rbm->diagnose(x, {}, rng)), "");
}

// ---------------------------------------------------------------- threads

struct Threaded {
  std::string name;
  UnitLayer visible;
  std::string hidden, learning;
};

// All tensors of the machine after some updates, and what it computes of rows.
std::vector<Tensor> results_of(const Threaded& c, int count) {
  const Threads threads(count);
  RbmLearning learning;
  learning.learning = c.learning, learning.chains = 150, learning.temperatures = 3;
  const auto rbm = unit_rbm(c.visible, c.hidden, 80, 0.03, 105, learning);
  Rng rng(106);
  const Tensor x = layer_rows(c.visible, 300, rng);
  NoGradGuard no_graph;
  for (std::int64_t step = 0; step < 3; ++step) {
    const Turn turn{.step = step, .steps = 3};
    rbm->gradients(x, turn, rng);
    for (auto& item : rbm->named_parameters()) item.value().sub_(item.value().grad(), 0.01);
    rbm->project(turn);
  }
  std::vector<Tensor> all = {rbm->free_energy(x), rbm->chain_steps(x, 2, rng), rbm->chain_mean(x, rng),
                             rbm->encode(x)};
  for (const auto& item : rbm->named_parameters()) all.push_back(item.value().clone());
  for (const auto& item : rbm->named_buffers()) all.push_back(item.value().clone());
  return all;
}

// Sizes at which products, kernels and torch's own loops share their work out.
TEST(RbmThreads, ChangeNothingWhateverTheUnits) {
  const UnitLayer mixed({{UnitKind::binary, 0, 60},
                         {UnitKind::softmax, 60, 4},
                         {UnitKind::softmax, 64, 7},
                         {UnitKind::gaussian, 71, 50},
                         {UnitKind::count, 121, 10},
                         {UnitKind::mean_field, 131, 29},
                         {UnitKind::binary, 160, 70}});
  const std::vector<Threaded> cases = {
      {"softmax", UnitLayer::of(UnitKind::softmax, 160, 4), "binary", "pcd"},
      {"gaussian", UnitLayer::of(UnitKind::gaussian, 160), "binary", "cd"},
      {"rectified", UnitLayer::of(UnitKind::gaussian, 120), "rectified", "pcd"},
      {"hidden softmax", UnitLayer::of(UnitKind::binary, 160), "softmax", "pt"},
      {"mixed", mixed, "binary", "pcd"},
      {"mixed, tempered", mixed, "binary", "pt"}};
  for (const Threaded& c : cases) {
    const std::vector<Tensor> one = results_of(c, 1), four = results_of(c, 4);
    ASSERT_EQ(one.size(), four.size());
    for (std::size_t i = 0; i < one.size(); ++i)
      expect_bit_equal(one[i], four[i], c.name + ", result " + std::to_string(i));
  }
}

}  // namespace
}  // namespace deepgen::rbm_data_test
