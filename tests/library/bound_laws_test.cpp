// Laws that every model of the registry owes whose log-probability is bounded by sampling, over all cases of
// its small instances that can be enumerated: of x itself, or of x given a label or a part of it. (What needs
// no enumeration runs on all small instances: bound_rows_test.cpp.)
//
// The laws rest on one fact: exp of a bound from k draws is the mean of k importance weights, each of which
// has mean p(x); so it is right on average for any k, while the bound itself is too low. Each statistical
// check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include <map>

#include "deepgen/core/observer.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"
#include "tests/library/small_cases.h"

namespace deepgen::bound_laws_test {
namespace {

using namespace machines;
using small_cases::Instance;

constexpr std::int64_t columns = 10, classes = 3;

// Every case of columns that are bits or one-hot groups, and its number: a sum of its columns' weights.
struct Enumeration {
  Tensor rows, weight;  // [cases, D], [D] float64

  explicit Enumeration(const DataShape& shape)
      : rows(at::empty({1, 0})), weight(at::empty({0}, at::kDouble)) {
    for (const ColumnGroup& group : shape.column_groups())
      if (group.kind == ColumnKind::binary)
        for (std::int64_t i = 0; i < group.size; ++i) add(at::tensor({0.0F, 1.0F}).view({2, 1}), 1);
      else
        add(at::eye(group.size), group.size);
  }
  std::vector<std::int64_t> numbers(const Tensor& x) const {
    std::vector<std::int64_t> all;
    for (const double each : doubles(at::mv(x.to(at::kDouble), weight))) all.push_back(std::llround(each));
    return all;
  }
  std::int64_t count() const { return rows.size(0); }

 private:
  void add(const Tensor& choices, std::int64_t width) {
    const std::int64_t before = rows.size(0);
    rows = at::cat({rows.repeat({choices.size(0), 1}), choices.repeat_interleave(before, 0)}, 1);
    const Tensor places = width == 1 ? at::ones({1}, at::kDouble) : at::arange(width, at::kDouble);
    weight = at::cat({weight, places * static_cast<double>(before)});
  }
};

bool enumerable(const DataShape& shape) {
  for (const ColumnGroup& group : shape.column_groups())
    if (group.kind != ColumnKind::binary && group.kind != ColumnKind::softmax) return false;
  return true;
}

struct Case {
  Instance instance;
  double scale;  // of every parameter
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.instance << " at scale " << c.scale;
}

std::string title_of(const ::testing::TestParamInfo<Case>& about) {
  return about.param.instance.title() + "_" + std::to_string(static_cast<int>(about.param.scale * 10));
}

template <class... Capabilities>
std::vector<Case> cases(const std::vector<double>& scales) {
  std::vector<Case> all;
  for (const Instance& instance : small_cases::with<HasBound, Capabilities...>())
    if (enumerable(instance.shape(columns, classes)))
      for (const double scale : scales) all.push_back({instance, scale});
  return all;
}

class Bounded : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Instance& instance = GetParam().instance;
    shape = instance.shape(columns, classes);
    model = instance.make(columns, classes);
    Rng rng(17);
    model->initialise(small_cases::labelled_cells(shape, 60, rng), rng);
    randomise(*model, GetParam().scale, rng);
    all = std::make_unique<Enumeration>(shape);
    if (const auto* conditional = as<IsConditional>(*model)) mask = conditional->condition_mask();
    if (!kind().owes_log_partition) return;
    const auto* normaliser = as<HasLogPartition>(*model);
    ASSERT_NE(normaliser, nullptr);
    const std::optional<double> exact = normaliser->exact_log_partition();
    if (!exact) GTEST_SKIP() << "log Z is not exact";
    log_z = *exact;
  }
  RowScoreKind kind() const { return as<HasBound>(*model)->bound_kind(); }
  Tensor labels(std::int64_t rows, std::int64_t label) const { return at::full({rows}, label, at::kLong); }
  // The bound of all cases, under one label where the model needs one.
  Tensor bound(std::int64_t samples, Rng& rng, std::int64_t label = 0) const {
    return as<HasBound>(*model)->log_prob_bound({all->rows, labels(all->count(), label)}, samples, rng) -
           log_z;
  }
  // Probabilities of all cases from some million weights in all.
  Doubles probabilities_given(std::int64_t label, Rng& rng) const {
    return doubles(bound(std::clamp<std::int64_t>(1'500'000 / all->count(), 16, 20000), rng, label).exp());
  }
  // Means of a number of each case over repeated bounds, and the variances of these means: [cases].
  struct Means {
    Tensor mean, variance;
  };
  template <class F>
  Means means_over_bounds(F of_samples) const {
    const std::int64_t repeats = all->count() > 5000 ? 8 : all->count() < 100 ? 400 : 40;
    Tensor sum = at::zeros({all->count()}, at::kDouble), squares = at::zeros_like(sum);
    for (std::int64_t r = 0; r < repeats; ++r) {
      const Tensor values = of_samples(repeats / 4);
      sum += values, squares += values.square();
    }
    const Tensor mean = sum / repeats;
    return {mean, (squares / repeats - mean.square()).clamp_min(0) / (repeats - 1)};
  }
  // Sums over the cases that share their condition, [conditions]; one where there is none, or a label.
  Doubles totals(const Tensor& values) const {
    if (!mask.defined()) return {values.sum().item<double>()};
    std::map<std::int64_t, double> sums;
    const Doubles each = doubles(values);
    const std::vector<std::int64_t> conditions = all->numbers(all->rows * mask.to(at::kFloat));
    for (std::size_t s = 0; s < each.size(); ++s) sums[conditions[s]] += each[s];
    Doubles result;
    for (const auto& [condition, sum] : sums) result.push_back(sum);
    return result;
  }
  // Of draws and probabilities of many cases the first 1024 numbers, the other columns summed out: some
  // hundred weights are behind each.
  void expect_draws(const Tensor& rows, const Doubles& p, const std::string& what) const {
    constexpr std::int64_t most = 1024;
    std::vector<std::int64_t> numbers = all->numbers(rows);
    for (std::int64_t& each : numbers) each %= most;
    Doubles some(std::min(p.size(), size(most)), 0);
    for (std::size_t s = 0; s < p.size(); ++s) some[s % size(most)] += p[s];
    EXPECT_LT(chi_square_z(numbers, some), one_in_a_million) << what;
  }

  DataShape shape;
  std::shared_ptr<Model> model;
  std::unique_ptr<Enumeration> all;
  Tensor mask;
  double log_z = 0;
};

INSTANTIATE_TEST_SUITE_P(Registry, Bounded, ::testing::ValuesIn(cases<>({0.2, 1})), title_of);

// Averaged as logarithms the bounds of all cases are too low for probabilities: to first order the error of a
// sum of exp is that of the mean logarithms times the probabilities.
TEST_P(Bounded, BoundsOfAllCasesSumToOneAtMost) {
  Rng rng(7);
  const Means logs = means_over_bounds([&](std::int64_t samples) { return bound(samples, rng); });
  const Doubles total = totals(logs.mean.exp()), variance = totals(logs.mean.exp().square() * logs.variance);
  for (std::size_t c = 0; c < total.size(); ++c)
    EXPECT_LT(total[c], 1 + (one_in_a_million + 0.7) * std::sqrt(variance[c]) + 1e-5) << "condition " << c;
}

// So small that no q is so narrow that weights have no variance.
class BoundWeights : public Bounded {};
INSTANTIATE_TEST_SUITE_P(Registry, BoundWeights, ::testing::ValuesIn(cases<>({0.2})), title_of);

// The weights themselves, averaged as they are, have the sum one.
TEST_P(BoundWeights, SumToOne) {
  if (!kind().tightens) GTEST_SKIP() << "the bound is not made of weights";
  Rng rng(7);
  const Means weights = means_over_bounds([&](std::int64_t samples) { return bound(samples, rng, 1).exp(); });
  const Doubles total = totals(weights.mean), variance = totals(weights.variance);
  for (std::size_t c = 0; c < total.size(); ++c)  // some tens at once
    EXPECT_LT(std::abs(total[c] - 1) / (std::sqrt(variance[c]) + 1e-5), one_in_a_million + 0.7)
        << "condition " << c;
}

class BoundSamples : public Bounded {};
INSTANTIATE_TEST_SUITE_P(Registry, BoundSamples, ::testing::ValuesIn(cases<CanSample>({0.2})), title_of);

TEST_P(BoundSamples, FollowTheProbabilities) {
  Rng rng(11);
  expect_draws(as<CanSample>(*model)->sample(4000, rng), probabilities_given(0, rng), "samples");
}

class BoundSamplesGiven : public Bounded {};
INSTANTIATE_TEST_SUITE_P(Registry, BoundSamplesGiven, ::testing::ValuesIn(cases<CanSampleGiven>({0.2})),
                         title_of);

TEST_P(BoundSamplesGiven, FollowTheProbabilitiesGivenTheirLabel) {
  Rng rng(11);
  for (const std::int64_t label : {0, 2})
    expect_draws(as<CanSampleGiven>(*model)->sample_given(labels(4000, label), rng),
                 probabilities_given(label, rng), "samples of " + std::to_string(label));
}

class BoundCompletions : public Bounded {
 protected:
  // The first columns, three or the group that they belong to.
  std::int64_t known_columns() const {
    const ColumnGroup first = shape.column_groups().front();
    return first.kind == ColumnKind::binary ? std::min<std::int64_t>(3, first.size) : first.size;
  }
};
INSTANTIATE_TEST_SUITE_P(Registry, BoundCompletions, ::testing::ValuesIn(cases<CanComplete>({0.2})),
                         title_of);

// Given some known cells (and one label) the others' distribution against the probabilities of all cases.
// What is known is the condition where that is a part of the case.
TEST_P(BoundCompletions, FollowTheConditional) {
  constexpr std::int64_t rows = 4000;
  const Tensor like = all->rows[5 % all->count()];
  const Tensor known = mask.defined() ? mask : at::arange(shape.columns) < known_columns();
  const Tensor agree = at::logical_or(all->rows == like, known.logical_not()).all(1);
  Rng rng(11);
  for (const std::int64_t label :
       needed_classes(*model) > 0 ? std::vector<std::int64_t>{0, 2} : std::vector<std::int64_t>{0}) {
    Doubles p = probabilities_given(label, rng);
    double sum = 0;
    for (std::size_t s = 0; s < p.size(); ++s)
      sum += agree[static_cast<std::int64_t>(s)].item<bool>() ? p[s] : (p[s] = 0);
    for (double& each : p) each /= sum;
    const Tensor x = at::where(known, like, at::full({}, std::nanf(""))).repeat({rows, 1});
    const Tensor done = as<CanComplete>(*model)->complete({x, labels(rows, label)}, rng);
    expect_draws(done, p, "completions of " + std::to_string(label));
  }
}

}  // namespace
}  // namespace deepgen::bound_laws_test
