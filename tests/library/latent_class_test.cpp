// Latent classes of tables: probabilities over all cells, conditionals by enumeration, sums with gaps, and
// classes that are known. That the objective never falls and ends where its gradient is zero: mixtures_test.
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/mixtures/latent_class.h"

#include <cmath>

#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::latent_class_test {
namespace {

using namespace machines;

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

DataShape shape_of(std::vector<ColumnGroup> groups) {
  const std::int64_t columns = groups.back().first + groups.back().size;
  return {columns, {columns}, 0, ValueKind::mixed, std::move(groups)};
}

std::shared_ptr<LatentClass> latent_classes(std::int64_t count, std::vector<ColumnGroup> groups,
                                            double pseudo_count = 0, std::int64_t restarts = 1) {
  LatentClassOptions options;
  options.components = count;
  GaussianMixtureLearning learning;
  learning.pseudo_count = pseudo_count, learning.restarts = restarts;
  return std::make_shared<LatentClass>(options, learning, shape_of(std::move(groups)));
}

void pass(LatentClass& model, const Tensor& x) {
  model.gather({x, {}});
  model.finish_pass();
}

Tensor parameter(const LatentClass& model, const std::string& name) {
  return model.named_parameters()[name].detach().to(at::kDouble);
}

// A category of three, a bit and a number.
const std::vector<ColumnGroup> table = {
    {ColumnKind::softmax, 0, 3}, {ColumnKind::binary, 3, 1}, {ColumnKind::gaussian, 4, 1}};

// A row of it; a category below 0, a bit below 0 and a number that is none are missing.
Tensor row_of(std::int64_t category, double bit, double number) {
  Tensor row = at::zeros({1, 5});
  if (category < 0)
    row.narrow(1, 0, 3).fill_(missing);
  else
    row[0][category] = 1;
  row[0][3] = bit < 0 ? missing : bit;
  row[0][4] = number;
  return row;
}

// ---------------------------------------------------------------- densities

class LatentClassTable : public ::testing::Test {
 protected:
  static constexpr std::int64_t points = 2401;
  static constexpr double cell = 24.0 / 2400;
  void SetUp() override {
    Rng rng(59);
    randomise(*model, 0.3, rng);
    line = at::linspace(-12, 12, points);
    for (std::int64_t category = 0; category < 3; ++category)
      for (const double bit : {0.0, 1.0}) {
        Tensor rows = row_of(category, bit, 0).repeat({points, 1});
        rows.select(1, 4).copy_(line);
        densities.push_back(model->log_prob(rows).exp());
      }
  }
  double log_of(const Tensor& row) const { return model->log_prob(row).item<double>(); }

  const std::shared_ptr<LatentClass> model = latent_classes(3, table);
  Tensor line;
  std::vector<Tensor> densities;  // along the line with each category and bit: 2 category + bit
};

TEST_F(LatentClassTable, ProbabilitiesOfAllCellsSumToOne) {
  double sum = 0;
  for (const Tensor& each : densities) sum += each.sum().item<double>() * cell;
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_F(LatentClassTable, MissingCellsAreSummedOut) {
  for (const double bit : {0.0, 1.0}) {
    double categories = 0, numbers = 0, both = 0;
    for (std::int64_t c = 0; c < 3; ++c) {
      categories += std::exp(log_of(row_of(c, bit, 0.4)));
      both += densities[size(2 * c + (bit > 0 ? 1 : 0))].sum().item<double>() * cell;
    }
    numbers = densities[size(4 + (bit > 0 ? 1 : 0))].sum().item<double>() * cell;
    EXPECT_NEAR(log_of(row_of(-1, bit, 0.4)), std::log(categories), 1e-5) << "no category, bit " << bit;
    EXPECT_NEAR(log_of(row_of(2, bit, missing)), std::log(numbers), 1e-5) << "no number, bit " << bit;
    EXPECT_NEAR(log_of(row_of(-1, bit, missing)), std::log(both), 1e-5) << "neither, bit " << bit;
  }
  EXPECT_NEAR(log_of(row_of(-1, -1, missing)), 0, 1e-6) << "nothing known";
}

// p(k | known) is the sum of p(k, x) over what is missing, over that of p(x).
TEST_F(LatentClassTable, TheCodeOfARowWithGapsIsTheConditional) {
  ASSERT_TRUE(model->encodes_gaps());
  Tensor joint = at::zeros({3}, at::kDouble);
  for (std::int64_t c = 0; c < 3; ++c) joint += model->log_joint(row_of(c, 1, -0.8))[0].exp();
  const Tensor code = model->encode(row_of(-1, 1, -0.8))[0];
  expect_near(doubles(code), doubles(joint / joint.sum()), 1e-6, "p(k | bit, number)");
  expect_near(doubles(model->encode(row_of(-1, -1, missing))[0]), doubles(model->mixing.softmax(0)), 1e-6,
              "nothing known");
}

TEST_F(LatentClassTable, CompletionsFollowTheConditional) {
  Doubles p;
  for (std::int64_t c = 0; c < 3; ++c)
    for (const double bit : {0.0, 1.0}) p.push_back(std::exp(log_of(row_of(c, bit, 0.4))));
  double sum = 0;
  for (const double each : p) sum += each;
  for (double& each : p) each /= sum;
  Rng rng(61);
  const Tensor x = row_of(-1, -1, 0.4).repeat({20000, 1}), done = model->complete(x, rng);
  expect_bit_equal(done.select(1, 4).contiguous(), x.select(1, 4).contiguous(), "known numbers");
  EXPECT_TRUE((done.narrow(1, 0, 3).sum(1) == 1).all().item<bool>());
  const Tensor states = done.narrow(1, 0, 3).argmax(1) * 2 + done.select(1, 3).to(at::kLong);
  std::vector<std::int64_t> draws;
  for (std::int64_t i = 0; i < states.size(0); ++i) draws.push_back(states[i].item<std::int64_t>());
  EXPECT_LT(chi_square_z(draws, p), one_in_a_million);
}

TEST_F(LatentClassTable, SamplesHaveItsMoments) {
  Doubles wanted(4);  // of the second category, the bit, the number, and the number where it is that category
  for (std::int64_t c = 0; c < 3; ++c)
    for (const std::int64_t bit : {0, 1}) {
      const Tensor p = densities[size(2 * c + bit)] * cell;
      const double mass = p.sum().item<double>(), first = (p * line.to(at::kDouble)).sum().item<double>();
      wanted[0] += c == 1 ? mass : 0, wanted[1] += bit ? mass : 0;
      wanted[2] += first, wanted[3] += c == 1 ? first : 0;
    }
  Rng rng(67);
  const Tensor x = model->sample(40000, rng);
  Moments moments;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const double category = x[i][1].item<double>(), number = x[i][4].item<double>();
    moments.add({category, x[i][3].item<double>(), number, category * number});
  }
  EXPECT_LT(moments.largest_z(wanted, 1e-5), 5.1);  // four moments
}

// ---------------------------------------------------------------- sums

// Groups of seven categories; few classes go by dense products, many by lists of the ones.
constexpr std::int64_t many_rows = 1400, groups_of_seven = 10;

std::vector<ColumnGroup> sevens() {
  std::vector<ColumnGroup> groups;
  for (std::int64_t g = 0; g < groups_of_seven; ++g) groups.push_back({ColumnKind::softmax, 7 * g, 7});
  return groups;
}

Tensor rows_of_sevens(double gaps, Rng& rng) {
  Tensor x = at::zeros({many_rows, 7 * groups_of_seven});
  for (std::int64_t i = 0; i < many_rows; ++i)
    for (std::int64_t g = 0; g < groups_of_seven; ++g) {
      Tensor cells = x[i].narrow(0, 7 * g, 7);
      const auto category = static_cast<std::int64_t>(rng.below(i % 2 == 0 ? 4 : 7));
      if (rng.uniform() < gaps)
        cells.fill_(missing);
      else
        cells[category] = 1;
    }
  return x;
}

TEST(LatentClassSums, DensitiesAndPassesAreThoseOfPlainDoublePrecision) {
  for (const std::int64_t count : {4, 70})
    for (const double gaps : {0.0, 0.2})
      for (const double prior : {0.0, 0.5}) {
        const std::string what = std::to_string(count) + " classes, gaps " + std::to_string(gaps);
        Rng rng(31);
        const Tensor x = rows_of_sevens(gaps, rng), ones = x.nan_to_num(0).to(at::kDouble);
        const auto model = latent_classes(count, sevens(), prior);
        randomise(*model, 1, rng);
        const Tensor logs = parameter(*model, "components.block0.logits")
                                .view({count, groups_of_seven, 7})
                                .log_softmax(2)
                                .reshape({count, -1});
        const Tensor joint = ones.mm(logs.t()) + parameter(*model, "mixing").log_softmax(0);
        EXPECT_LT((model->log_joint(x) - joint).abs().max().item<double>(), 2e-5) << what;
        const Tensor shares = model->log_joint(x).softmax(1);
        const Tensor sums = (shares.t().mm(ones) + prior).view({count, groups_of_seven, 7});
        pass(*model, x);
        const Tensor wanted = (sums / sums.sum(2, true)).reshape({count, -1});
        EXPECT_LT((model->filters().to(at::kDouble) - wanted).abs().max().item<double>(), 1e-5) << what;
      }
}

TEST(LatentClassSums, ThreadsChangeNothing) {
  for (const std::int64_t count : {4, 70}) {
    const auto results = [count](int threads) {
      const Threads scope(threads);
      Rng rng(37);
      const Tensor x = rows_of_sevens(0.1, rng);
      const auto model = latent_classes(count, sevens(), 0.1);
      model->initialise({x, {}}, rng);
      pass(*model, x);
      return std::vector<Tensor>{model->log_joint(x), model->complete(x, rng), model->filters()};
    };
    const std::vector<Tensor> one = results(1), three = results(3);
    for (std::size_t i = 0; i < one.size(); ++i)
      expect_bit_equal(one[i], three[i], std::to_string(count) + " " + std::to_string(i));
  }
}

// Without a prior a category that no row has keeps the least probability, and the others share the rest as
// they were counted.
TEST(LatentClassSums, CategoriesWithoutRowsKeepALeastProbability) {
  const auto model = latent_classes(1, {{ColumnKind::softmax, 0, 4}});
  Tensor x = at::zeros({40, 4});
  x.narrow(0, 0, 30).select(1, 0).fill_(1);
  x.narrow(0, 30, 10).select(1, 2).fill_(1);
  Rng rng(41);
  model->initialise({x, {}}, rng);
  pass(*model, x);
  const Doubles p = doubles(model->filters()[0]);
  EXPECT_NEAR(p[1], 1e-7, 1e-9);
  EXPECT_NEAR(p[3], 1e-7, 1e-9);
  EXPECT_NEAR(p[0] / p[2], 3, 1e-5);
  EXPECT_NEAR(p[0] + p[1] + p[2] + p[3], 1, 1e-6);
}

// ---------------------------------------------------------------- counts

// Sums over all values that have weight: rates are far below 80.
TEST(LatentClassCounts, ProbabilitiesSumToOneAndMissingCountsAreSummedOut) {
  const auto model = latent_classes(3, {{ColumnKind::count, 0, 2}});
  Rng rng(71);
  randomise(*model, 0.8, rng);
  constexpr std::int64_t most = 80;
  const Tensor all = at::arange(most, at::kFloat);
  const Tensor rows = at::stack({all.repeat_interleave(most), all.repeat({most})}, 1).contiguous();
  const Tensor p = model->log_prob(rows).exp().view({most, most});
  EXPECT_NEAR(p.sum().item<double>(), 1, 1e-9);
  const Tensor part = at::tensor({3.0F, missing}).unsqueeze(0);
  EXPECT_NEAR(model->log_prob(part).item<double>(), std::log(p[3].sum().item<double>()), 1e-9);
}

TEST(LatentClassCounts, APassIsThePlainSums) {
  for (const double gaps : {0.0, 0.3})
    for (const double prior : {0.0, 2.0}) {
      const auto model = latent_classes(2, {{ColumnKind::count, 0, 3}}, prior);
      Rng rng(73);
      Tensor x = at::empty({200, 3});
      for (std::int64_t i = 0; i < 200; ++i)
        for (std::int64_t j = 0; j < 3; ++j) {
          const auto count = static_cast<double>(rng.below(i < 100 ? 5 : 4000));
          x[i][j] = rng.uniform() < gaps ? std::nan("") : count;
        }
      model->initialise({x, {}}, rng);
      const Tensor shares = model->log_joint(x).softmax(1), wide = x.to(at::kDouble);
      const Tensor known = wide.isfinite().to(at::kDouble), cells = wide.nan_to_num(0);
      const Tensor average = cells.sum(0) / known.sum(0);
      pass(*model, x);
      const Tensor wanted = (shares.t().mm(cells) + prior * average) / (shares.t().mm(known) + prior);
      const Tensor ours = model->filters().to(at::kDouble);
      EXPECT_LT(((ours - wanted) / wanted).abs().max().item<double>(), 1e-5) << gaps << " " << prior;
    }
}

// ---------------------------------------------------------------- classes that are known

constexpr std::int64_t people = 3000, choices = 8;

// Three classes in turn, of 8 categories, 4 bits and a number.
std::vector<ColumnGroup> survey() {
  std::vector<ColumnGroup> groups;
  for (std::int64_t g = 0; g < choices; ++g) groups.push_back({ColumnKind::softmax, 3 * g, 3});
  groups.push_back({ColumnKind::binary, 3 * choices, 4});
  groups.push_back({ColumnKind::gaussian, 3 * choices + 4, 1});
  return groups;
}

// Class k has category (k + g) % 3 of group g in .8 of its rows, bits 0 and 1 in .9 of them where k is 0 and
// in .2 else, the other bits in .5, and a number around 3 k.
Tensor answers(double gaps, Rng& rng) {
  Tensor x = at::zeros({people, 3 * choices + 5});
  for (std::int64_t i = 0; i < people; ++i) {
    const std::int64_t k = i % 3;
    for (std::int64_t g = 0; g < choices; ++g) {
      const double u = rng.uniform();
      x[i][3 * g + (k + g + (u < 0.8 ? 0 : u < 0.9 ? 1 : 2)) % 3] = 1;
      if (rng.uniform() < gaps) x[i].narrow(0, 3 * g, 3).fill_(missing);
    }
    for (std::int64_t b = 0; b < 5; ++b) {
      const double share = b > 1 ? 0.5 : k == 0 ? 0.9 : 0.2;
      x[i][3 * choices + b] = b == 4 ? rng.normal() + 3 * real(k) : rng.uniform() < share ? 1.0 : 0.0;
      if (rng.uniform() < gaps) x[i][3 * choices + b] = missing;
    }
  }
  return x;
}

TEST(LatentClassFit, FindsTheClassesThatDataWereDrawnFrom) {
  for (const double gaps : {0.0, 0.2}) {
    Rng rng(43);
    const Tensor x = answers(gaps, rng);
    const auto model = latent_classes(3, survey(), 0.1, 4);
    model->initialise({x, {}}, rng);
    for (int i = 0; i < 60; ++i) pass(*model, x);
    const Tensor code = model->encode(x), means = model->filters();
    for (std::int64_t k = 0; k < 3; ++k) {
      const Tensor share = code.index_select(0, at::arange(k, people, 3)).mean(0);
      EXPECT_GT(share.max().item<double>(), gaps > 0 ? 0.95 : 0.98) << "class " << k << ", gaps " << gaps;
      const Tensor own = means[share.argmax().item<std::int64_t>()];
      // Some 800 known cells a class: six standard errors.
      for (std::int64_t g = 0; g < choices; ++g)
        EXPECT_NEAR(own[3 * g + (k + g) % 3].item<double>(), 0.8, 0.09) << "class " << k << ", group " << g;
      EXPECT_NEAR(own[3 * choices].item<double>(), k == 0 ? 0.9 : 0.2, 0.09) << "class " << k;
      EXPECT_NEAR(own[3 * choices + 2].item<double>(), 0.5, 0.11) << "class " << k;
      EXPECT_NEAR(own[3 * choices + 4].item<double>(), 3 * real(k), 0.22) << "class " << k;
    }
  }
}

// ---------------------------------------------------------------- refusals

TEST(LatentClassData, RefusalsNameTheColumnOfTheTable) {
  const auto model = latent_classes(2, table);
  const auto refused = [&](const Tensor& x) {
    return error_of(ErrorKind::data, [&] { model->check_data(x, "rows", 10); });
  };
  expect_says(refused(row_of(0, 0.5, 1)), {"0 or 1", "row 10, column 3"});
  expect_says(refused(row_of(0, 1, HUGE_VAL)), {"finite", "row 10, column 4"});
  Tensor two = row_of(0, 1, 1), half = row_of(0, 1, 1);
  two[0][1] = 1, half[0][1] = missing;
  expect_says(refused(two), {"exactly one 1", "columns 0 to 2", "row 10"});
  expect_says(refused(half), {"columns 0 to 2", "row 10"});
}

}  // namespace
}  // namespace deepgen::latent_class_test
