// The order-agnostic NADE on categories, with missing cells and with columns that mark them.
#include <cmath>

#include "deepgen/models/autoregressive/orderless_nade.h"
#include "tests/library/machines.h"

namespace deepgen::orderless_tables_test {
namespace {

using namespace machines;

// A category of three, a bit that says whether it is missing, a bit, a category of two.
DataShape shape_with_marks() {
  return {.columns = 7,
          .shape = {7},
          .values = ValueKind::mixed,
          .groups = {{ColumnKind::softmax, 0, 3},
                     {ColumnKind::binary, 3, 1, true},
                     {ColumnKind::binary, 4, 1},
                     {ColumnKind::softmax, 5, 2}}};
}

std::shared_ptr<OrderlessNade> make_model(std::uint64_t seed, std::int64_t embedding = 2) {
  OrderlessNadeOptions options;
  options.hidden = "8,8+", options.activation = "tanh", options.embedding = embedding,
  options.direct = "true";
  auto model = std::make_shared<OrderlessNade>(options, OrderlessNadeLearning{}, shape_with_marks());
  Rng rng(seed);
  model->initialise(Rows(at::zeros({4, 7})), rng);
  randomise(*model, 0.9, rng);
  return model;
}

// Every row: category, mark, bit, category.
Tensor all_rows() {
  std::vector<Tensor> rows;
  for (int a = 0; a < 3; ++a)
    for (int m = 0; m < 2; ++m)
      for (int b = 0; b < 2; ++b)
        for (int c = 0; c < 2; ++c) {
          Tensor row = at::zeros({7});
          row[a] = 1, row[3] = m, row[4] = b, row[5 + c] = 1;
          rows.push_back(row);
        }
  return at::stack(rows);
}

constexpr std::int64_t firsts[] = {0, 3, 4, 5}, sizes[] = {3, 1, 1, 2};

// log p of variable v of rows x given the known variables [B, 4], [B].
Tensor conditional(const OrderlessNade& model, const Tensor& x, const Tensor& known, std::int64_t v) {
  NoGradGuard no_graph;
  Rng unused(0);
  const Tensor a = model.logits_given(x, known, 0, unused).to(at::kDouble).narrow(1, firsts[v], sizes[v]);
  const Tensor own = x.narrow(1, firsts[v], sizes[v]).to(at::kDouble);
  if (sizes[v] == 1) return (own * a - at::softplus(a, 1, 40)).squeeze(1);
  return (own * a).sum(1) - at::logsumexp(a, {1});
}

Tensor by_definition(const OrderlessNade& model, const Tensor& x, const std::vector<std::int64_t>& order) {
  Tensor known = at::zeros({x.size(0), 4}), sum = at::zeros({x.size(0)}, at::kDouble);
  for (const std::int64_t v : order) {
    sum += conditional(model, x, known, v);
    known.select(1, v).fill_(1);
  }
  return sum;
}

Tensor without(const Tensor& x, const std::vector<std::int64_t>& variables) {
  Tensor holes = x.clone();
  for (const std::int64_t v : variables) holes.narrow(1, firsts[v], sizes[v]).fill_(std::nanf(""));
  return holes;
}

TEST(OrderlessTables, AnEmbeddingIsAFirstLayerOfLowRank) {
  NoGradGuard no_graph;
  const auto narrow = make_model(5), wide = make_model(6, 0);
  auto from = narrow->named_parameters();
  for (auto& parameter : wide->named_parameters()) {
    Tensor value = from[parameter.key()];
    if (parameter.key() == "net.layer0.weight") {
      const Tensor table = from["embeddings.variable_0"];  // of the category of three
      ASSERT_EQ(table.sizes(), (std::vector<std::int64_t>{3, 2}));
      value = at::cat({table.mm(value.narrow(0, 0, 2)), value.narrow(0, 2, value.size(0) - 2)});
    }
    ASSERT_EQ(parameter.value().sizes(), value.sizes()) << parameter.key();
    parameter.value().copy_(value);
  }
  const Tensor x = all_rows();
  expect_near(doubles(narrow->log_prob_under(x, 3)), doubles(wide->log_prob_under(x, 3)), 3e-5, "wide");
}

TEST(OrderlessTables, LogProbsOfCategoriesAreThoseOfTheDefinitionAndSumToOne) {
  const auto model = make_model(5);
  const Tensor x = all_rows();
  for (const std::int64_t order : {0, 1, 7}) {
    const Tensor log_prob = model->log_prob_under(x, order);
    expect_near(doubles(log_prob), doubles(by_definition(*model, x, model->order(order))), 3e-5, "order");
    EXPECT_NEAR(log_prob.exp().sum().item<double>(), 1, 1e-5);
  }
}

TEST(OrderlessTables, WhatMarksGapsComesFirstInEveryOrder) {
  const auto model = make_model(5);
  for (std::int64_t order = 0; order < 20; ++order) EXPECT_EQ(model->order(order).front(), 1);
}

// A score of some cells is that of the order of these cells alone, and sums to one over their values.
TEST(OrderlessTables, MissingCellsAreNeverAskedFor) {
  const auto model = make_model(5);
  const Tensor x = all_rows();
  for (const std::vector<std::int64_t>& gone :
       std::vector<std::vector<std::int64_t>>{{0}, {1}, {2, 3}, {0, 1, 3}}) {
    std::vector<std::int64_t> left = model->order(3);
    std::erase_if(left, [&](std::int64_t v) { return std::find(gone.begin(), gone.end(), v) != gone.end(); });
    const Tensor log_prob = model->log_prob_under(without(x, gone), 3);
    expect_near(doubles(log_prob), doubles(by_definition(*model, x, left)), 3e-5, "gaps");
    double repeats = 1;
    for (const std::int64_t v : gone) repeats *= sizes[v] == 1 ? 2 : static_cast<double>(sizes[v]);
    EXPECT_NEAR(log_prob.exp().sum().item<double>(), repeats, 1e-5);
  }
  const Tensor nothing = without(x.narrow(0, 0, 2), {0, 1, 2, 3});
  EXPECT_EQ(model->log_prob(nothing).abs().max().item<double>(), 0);
}

// With a gap the objective's mean is that over the orders of the cells that are there.
TEST(OrderlessTables, TheObjectiveWithGapsIsUnbiased) {
  const auto model = make_model(9);
  const Tensor row = all_rows().narrow(0, 13, 1), holes = without(row, {1, 2});
  std::vector<std::int64_t> order = {0, 3};
  double sum = 0, count = 0;
  do {
    sum += by_definition(*model, row, order).item<double>(), count += 1;
  } while (std::next_permutation(order.begin(), order.end()));
  const Tensor many = holes.expand({400, 7}).contiguous();
  Rng rng(3);
  Moments moments;
  for (int k = 0; k < 100; ++k) moments.add({model->diagnose(Rows(many), Rows(many), rng)[0].second});
  EXPECT_LT(moments.largest_z({sum / count}, 1e-5), 4.9);  // one in a million
}

// Half of the rows know nothing of the marks; in the others they come first.
TEST(OrderlessTables, TheObjectiveWithMarksIsUnbiased) {
  const auto model = make_model(9);
  const Tensor row = all_rows().narrow(0, 13, 1);
  double without_marks = 0, marks_first = 0, count = 0;
  std::vector<std::int64_t> order = {0, 2, 3};
  do {
    without_marks += by_definition(*model, row, order).item<double>(), count += 1;
    marks_first += by_definition(*model, row, {1, order[0], order[1], order[2]}).item<double>();
  } while (std::next_permutation(order.begin(), order.end()));
  const Tensor many = row.expand({400, 7}).contiguous();
  Rng rng(3);
  Moments moments;
  for (int k = 0; k < 150; ++k) moments.add({model->diagnose(Rows(many), Rows(many), rng)[0].second});
  EXPECT_LT(moments.largest_z({(without_marks + marks_first) / (2 * count)}, 1e-5), 4.9);
}

TEST(OrderlessTables, GradientsWithCategoriesAndGapsAreThoseOfTheObjective) {
  const auto model = make_model(9);
  Rng directions(5);
  Tensor x = all_rows();
  x = at::cat({x, without(x, {0}), without(x, {1, 2})});
  const auto loss = [&] {
    Rng same(11);
    return -model->gradients(Rows(x), Turn{}, same).front().second;
  };
  expect_slopes(*model, loss, directions, 4e-3, 3e-3, 3e-3, "categories with gaps");
}

// Samples lack what they are marked to lack, as often as the marks say, and nothing else.
TEST(OrderlessTables, SamplesHaveTheGapsThatAreMarked) {
  const auto model = make_model(5);
  Rng rng(7);
  const Tensor x = model->sample(20000, rng);
  const Tensor marked = x.select(1, 3) == 1;
  EXPECT_TRUE(x.narrow(1, 0, 3).isnan().all(1).equal(marked));
  EXPECT_FALSE(x.narrow(1, 3, 4).isnan().any().item<bool>());
  const Tensor one = all_rows().narrow(0, 0, 1).clone();
  one[0][3] = 1;
  const double p = std::exp(model->log_prob(without(one, {0, 2, 3})).item<double>());
  EXPECT_NEAR(marked.to(at::kDouble).mean().item<double>(), p, 4.9 * std::sqrt(p * (1 - p) / 20000));
}

TEST(OrderlessTables, CellsThatAreNotMarkedAreFilled) {
  const auto model = make_model(5);
  Rng rng(7);
  Tensor x = without(all_rows(), {0});
  x.select(1, 3).zero_();
  const Tensor done = model->complete(Rows(x), rng);
  EXPECT_FALSE(done.isnan().any().item<bool>());
  EXPECT_TRUE(at::allclose(done.narrow(1, 0, 3).sum(1), at::ones({done.size(0)})));
  expect_bit_equal(done.narrow(1, 3, 4), x.narrow(1, 3, 4), "known cells");
}

TEST(OrderlessTables, LayersWithAPlusMustFit) {
  for (const char* hidden : {"8+", "8,7+", "9,8+,8"})
    expect_says(error_of(ErrorKind::usage,
                         [&] {
                           OrderlessNadeOptions options;
                           options.hidden = hidden;
                           OrderlessNade(options, OrderlessNadeLearning{}, shape_with_marks());
                         }),
                {"model.hidden", hidden});
}

}  // namespace
}  // namespace deepgen::orderless_tables_test
