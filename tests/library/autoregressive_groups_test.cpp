// Autoregressive models of bits and categories: sums over all cells of a small table, draws, chains, and the
// order of what sees what.
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/autoregressive/fvbn.h"
#include "deepgen/models/autoregressive/made.h"
#include "deepgen/models/autoregressive/nade.h"
#include "deepgen/models/autoregressive/nade_groups.h"
#include "tests/library/small_cases.h"

namespace deepgen::autoregressive_groups_test {
namespace {

using namespace machines;
using small_cases::Instance;

constexpr std::int64_t columns = 11, cases = 3 * 4 * 2 * 4;  // of the cards' small cases

// Every row of a category of three, two bits, a category of two, a category of four, in the order of its number.
Tensor all_rows() {
  std::vector<Tensor> rows;
  for (std::int64_t s = 0; s < cases; ++s) {
    Tensor row = at::zeros({columns});
    row[s % 3] = 1, row[3] = s / 3 % 2, row[4] = s / 6 % 2, row[5 + s / 12 % 2] = 1, row[7 + s / 24] = 1;
    rows.push_back(row);
  }
  return at::stack(rows);
}

std::vector<std::int64_t> numbers(const Tensor& x) {
  const Tensor weight = at::tensor({0, 1, 2, 3, 6, 0, 12, 0, 24, 48, 72}, at::kLong).to(at::kDouble);
  std::vector<std::int64_t> all;
  for (const double each : doubles(at::mv(x.to(at::kDouble), weight))) all.push_back(std::llround(each));
  return all;
}

Instance groups_of(const std::string& model) {
  const auto& small = model_card(model).small_cases;
  for (std::size_t i = 0; i < small.size(); ++i)
    if (small[i].name == "groups") return {model, i};
  return {model, small.size()};
}

class Groups : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const Instance instance = groups_of(GetParam());
    shape = instance.shape(columns, 0);
    ASSERT_EQ(shape.columns, columns);
    model = instance.make(columns, 0);
    Rng rng(17);
    model->initialise(small_cases::cells(shape, 60, rng), rng);
    randomise(*model, 0.8, rng);
    p = doubles(as<HasLogProb>(*model)->log_prob(all_rows()).exp());
  }
  // What remains of p where the rows agree with `like` in the known columns.
  Doubles conditional(const Tensor& known, const Tensor& like) const {
    const Tensor agree = at::logical_or(all_rows() == like, known.logical_not()).all(1);
    Doubles some(p.size());
    double sum = 0;
    for (std::size_t s = 0; s < p.size(); ++s)
      if (agree[static_cast<std::int64_t>(s)].item<bool>()) sum += some[s] = p[s];
    for (double& each : some) each /= sum;
    return some;
  }
  DataShape shape;
  std::shared_ptr<Model> model;
  Doubles p;
};

INSTANTIATE_TEST_SUITE_P(Models, Groups, ::testing::Values("fvbn", "made", "nade"),
                         [](const auto& about) { return about.param; });

TEST_P(Groups, ProbabilitiesOfAllRowsSumToOne) {
  double sum = 0;
  for (const double each : p) sum += each;
  EXPECT_NEAR(sum, 1, 1e-5);
  const auto* ordered = as<HasOrders>(*model);
  for (std::int64_t order = 0; ordered && order < ordered->orders(); ++order)
    EXPECT_NEAR(ordered->log_prob_under(all_rows(), order).exp().sum().item<double>(), 1, 1e-5) << order;
}

TEST_P(Groups, SamplesFollowTheProbabilities) {
  Rng rng(5);
  const Tensor x = as<CanSample>(*model)->sample(40000, rng);
  model->check_data(x, "samples");
  EXPECT_LT(chi_square_z(numbers(x), p), one_in_a_million);
}

// Started in p(missing | known) it stays there.
TEST_P(Groups, ClampedChainsKeepTheConditional) {
  Rng rng(31);
  const Tensor all = all_rows(), like = all[41];
  for (const std::vector<std::int64_t>& known_columns :
       std::vector<std::vector<std::int64_t>>{{}, {0, 1, 2}, {3, 7, 8, 9, 10}, {5, 6}}) {
    Tensor known = at::zeros({columns}, at::kBool);
    for (const std::int64_t j : known_columns) known[j] = true;
    const Doubles wanted = conditional(known, like);
    std::vector<std::int64_t> start;
    for (int r = 0; r < 20000; ++r) {
      double u = rng.uniform();
      std::size_t s = 0;
      while (s + 1 < wanted.size() && (u -= wanted[s]) >= 0) ++s;
      start.push_back(static_cast<std::int64_t>(s));
    }
    const Tensor x = all.index_select(0, at::tensor(start, at::kLong));
    const Tensor held = known.unsqueeze(0).expand({20000, columns}).contiguous();
    const Tensor end = as<CanClamp>(*model)->clamped_steps(x, 3, held, rng);
    expect_bit_equal(end.masked_select(held), x.masked_select(held), "known cells");
    EXPECT_LT(chi_square_z(numbers(end), wanted), one_in_a_million) << known_columns.size();
  }
}

TEST_P(Groups, MeansOfACategorySumToOne) {
  Rng rng(29);
  const Tensor mean = as<HasChain>(*model)->chain_mean(all_rows(), rng);
  for (const ColumnGroup& group : shape.groups)
    if (group.kind == ColumnKind::softmax) {
      EXPECT_LT((mean.narrow(1, group.first, group.size).sum(1) - 1).abs().max().item<float>(), 1e-5);
    }
}

// Along a random direction in each parameter. Step 0 is that of mask 0, whose objective log_prob is.
TEST_P(Groups, GradientsAreThoseOfTheLogProb) {
  const Tensor x = all_rows();
  Rng unused(0), directions(5);
  as<HasGradients>(*model)->gradients(x, Turn{}, unused);
  NoGradGuard no_graph;
  for (auto& item : model->named_parameters()) {
    Tensor parameter = item.value();
    const Tensor along = normal_tensor(parameter.sizes(), 1, directions), before = parameter.clone();
    const auto loss_at = [&](double step) {
      parameter.copy_(before + along * step);
      return -as<HasLogProb>(*model)->log_prob(x).mean().item<double>();
    };
    constexpr double step = 1e-3;
    const double slope = (loss_at(step) - loss_at(-step)) / (2 * step);
    parameter.copy_(before);
    EXPECT_NEAR((parameter.grad() * along).sum().item<double>(), slope, 5e-3 + 1e-2 * std::abs(slope))
        << item.key();
  }
}

// A column of a category sees the variables before it and no column of its own.
TEST_P(Groups, LogitsSeeTheVariablesBeforeThemAlone) {
  Rng rng(3);
  const VariableLayout layout = VariableLayout::of(shape.groups, columns);
  const auto* nade = dynamic_cast<const Nade*>(model.get());
  const auto logits = [&](const Tensor& x) {
    if (nade) return composed::nade_group_logits(x, layout, nade->weights);
    if (const auto* made = dynamic_cast<const Made*>(model.get())) return made->logits(x, 0);
    return dynamic_cast<const Fvbn&>(*model).logits(x);
  };
  const auto* made = dynamic_cast<const Made*>(model.get());
  const std::vector<std::int64_t> order = nade   ? natural_order(layout.variables())
                                          : made ? made->ranks(0).order
                                                 : dynamic_cast<const Fvbn&>(*model).ranks().order;
  ASSERT_EQ(std::ssize(order), layout.variables());
  std::vector<std::int64_t> place(size(columns));
  for (std::int64_t at = 0; at < layout.variables(); ++at)
    for (const std::int64_t column : layout.columns_of({order[size(at)]})) place[size(column)] = at;
  const Tensor x = normal_tensor({1, columns}, 1, rng).requires_grad_(true), out = logits(x);
  for (std::int64_t j = 0; j < columns; ++j) {
    const Tensor slope = torch::autograd::grad({out[0][j]}, {x}, {}, true, false, true)[0];
    for (std::int64_t i = 0; i < columns; ++i) {
      if (place[size(i)] >= place[size(j)]) {
        EXPECT_EQ(slope[0][i].item<float>(), 0) << i << " reaches " << j;
      } else {
        EXPECT_NE(slope[0][i].item<float>(), 0) << i << " does not reach " << j;
      }
    }
  }
}

}  // namespace
}  // namespace deepgen::autoregressive_groups_test
