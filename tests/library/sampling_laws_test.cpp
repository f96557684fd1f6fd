// Laws that every model of the registry owes that draws whole cases directly, as it is or given labels, on
// all its small instances: its seed decides alone, labels matter, draws are values of the data's kinds, and a
// short training brings their means to those of its rows.
#include <map>

#include "deepgen/tasks/sampling.h"
#include "tests/library/machines.h"
#include "tests/library/small_cases.h"

namespace deepgen::sampling_laws_test {
namespace {

using namespace machines;
using small_cases::Instance;

constexpr std::int64_t columns = 10, classes = 3;

std::vector<Instance> sampled_instances() {
  std::vector<Instance> all;
  for (const Instance& instance : small_cases::with<>()) {
    const auto model = instance.make(columns, classes);
    if (as<CanSample>(*model) || as<CanSampleGiven>(*model)) all.push_back(instance);
  }
  return all;
}

std::string title_of(const ::testing::TestParamInfo<Instance>& about) { return about.param.title(); }

Tensor labels(std::int64_t rows, std::int64_t label) { return at::full({rows}, label, at::kLong); }

class SamplingLaws : public ::testing::TestWithParam<Instance> {
 protected:
  void SetUp() override {
    shape = GetParam().shape(columns, classes);
    model = GetParam().make(columns, classes);
    Rng rng(17);
    model->initialise(small_cases::labelled_cells(shape, 60, rng), rng);
    NoGradGuard no_graph;  // away from where parameters begin, and columns apart
    for (auto& item : model->named_parameters())
      item.value().add_(normal_tensor(item.value().sizes(), 0.3, rng));
  }
  // `rows` draws in every way that the model has.
  std::vector<Tensor> draws(std::int64_t rows, Rng& rng) const {
    std::vector<Tensor> all;
    if (const auto* direct = as<CanSample>(*model)) all.push_back(direct->sample(rows, rng));
    if (const auto* given = as<CanSampleGiven>(*model))
      all.push_back(given->sample_given(at::arange(rows, at::kLong).remainder(classes), rng));
    return all;
  }

  DataShape shape;
  std::shared_ptr<Model> model;
};

INSTANTIATE_TEST_SUITE_P(Registry, SamplingLaws, ::testing::ValuesIn(sampled_instances()), title_of);

TEST_P(SamplingLaws, EqualSeedsGiveEqualSamplesAndOthersDoNot) {
  Rng a(5), b(5);
  const std::vector<Tensor> first = draws(400, a), same = draws(400, b), next = draws(400, a);
  for (std::size_t i = 0; i < first.size(); ++i) {
    ASSERT_EQ(first[i].sizes(), at::IntArrayRef({400, shape.columns}));
    ASSERT_EQ(first[i].scalar_type(), at::kFloat);
    expect_bit_equal(first[i], same[i], "equal seed");
    EXPECT_FALSE(at::equal(first[i], next[i])) << "the generator stood still";
    EXPECT_GT(first[i].var(0).max().item<float>(), 0) << "all rows are one row";
    EXPECT_FALSE(first[i].requires_grad());
  }
}

TEST_P(SamplingLaws, SamplesDoNotDependOnTheNumberOfThreads) {
  std::vector<Tensor> one;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng rng(7);
    const std::vector<Tensor> now = draws(3500, rng);  // so many that torch would share them out too
    if (count == 1) one = now;
    for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], now[i], "threads");
  }
}

TEST_P(SamplingLaws, SamplesAreValuesOfTheData) {
  Rng rng(9);
  for (const Tensor& x : draws(400, rng)) {
    model->check_data(x, "samples");
    EXPECT_TRUE(x.isfinite().all().item<bool>());
    if (shape.values == ValueKind::real) continue;
    for (const ColumnGroup& group : shape.column_groups()) {
      const Tensor part = x.narrow(1, group.first, group.size);
      const Tensor bits = at::logical_or(part == 0, part == 1);
      const bool choice = group.kind == ColumnKind::softmax;
      if (group.kind == ColumnKind::binary || choice) {
        EXPECT_TRUE(bits.all().item<bool>()) << group.first;
      }
      if (choice) {
        EXPECT_TRUE((part.sum(1) == 1).all().item<bool>()) << group.first;
      }
      if (group.kind == ColumnKind::mean_field) {
        EXPECT_TRUE(at::logical_and(part >= 0, part <= 1).all().item<bool>()) << group.first;
      }
      if (group.kind == ColumnKind::count) {
        EXPECT_TRUE(at::logical_and(part >= 0, part == part.round()).all().item<bool>()) << group.first;
      }
    }
  }
}

TEST_P(SamplingLaws, TheTaskDrawsTheClassesInTurn) {
  Rng rng(11);
  Observer silent;
  EXPECT_TRUE(samples_directly(*model));
  const Tensor drawn = sample_model(*model, {.count = 30}, rng, silent);
  ASSERT_EQ(drawn.sizes(), at::IntArrayRef({30, shape.columns}));
  if (as<CanSample>(*model)) return;  // which needs no classes
  Rng same(11);
  const Tensor in_turn = at::arange(30, at::kLong).remainder(as<IsConditional>(*model)->condition_classes());
  expect_bit_equal(drawn, as<CanSampleGiven>(*model)->sample_given(in_turn, same), "classes in turn");
}

TEST_P(SamplingLaws, LabelsChangeTheSamplesOfTheirRowsAlone) {
  const auto* given = as<CanSampleGiven>(*model);
  if (!given) GTEST_SKIP() << "no labels";
  const Tensor y = at::arange(60, at::kLong).remainder(classes);
  Tensor other = y.clone();
  other.narrow(0, 30, 30).add_(1).remainder_(classes);
  Rng a(13), b(13);
  const Tensor x = given->sample_given(y, a), moved = given->sample_given(other, b);
  // Kernels sum in other orders where more rows follow: floats may differ in their last bits.
  const Tensor apart = (x - moved).abs().amax(1);
  EXPECT_LT(apart.narrow(0, 0, 30).max().item<float>(), 1e-4) << "rows whose labels stayed";
  EXPECT_GT(apart.narrow(0, 30, 30).max().item<float>(), 0.01) << "rows whose labels changed";
  for (const std::int64_t wrong : {std::int64_t{-1}, classes})
    error_of(ErrorKind::data, [&] { given->sample_given(labels(4, wrong), a); });
}

// ---------------------------------------------------------------- means after a short training

// Rows whose columns have means far apart, by turns; which are the high ones the label decides where
// `by_label`. `mirrored`: high columns are low and low ones high.
Rows high_and_low(const DataShape& shape, bool by_label, bool mirrored, Rng& rng) {
  constexpr std::int64_t count = 300;
  Rows rows(at::zeros({count, shape.columns}), at::arange(count, at::kLong).remainder(classes));
  std::int64_t turn = 0;
  const auto is_high = [&](std::int64_t row) {
    const std::int64_t label = by_label ? row % classes : 2;
    return mirrored != (label == 0 || (label == 2 && turn % 2 == 0));
  };
  const auto fill = [&](std::int64_t column, const std::function<double(bool)>& value) {
    for (std::int64_t r = 0; r < count; ++r)
      rows.x.data_ptr<float>()[r * shape.columns + column] = static_cast<float>(value(is_high(r)));
  };
  for (const ColumnGroup& group : shape.column_groups()) {
    if (group.kind == ColumnKind::softmax) {
      for (std::int64_t r = 0; r < count; ++r) {
        const bool any = rng.uniform() < 0.2;
        const std::int64_t main = is_high(r) ? 0 : group.size - 1;
        const auto some = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(group.size)));
        rows.x[r][group.first + (any ? some : main)] = 1;
      }
      ++turn;
      continue;
    }
    for (std::int64_t i = 0; i < group.size; ++i, ++turn) {
      const double rare = 0.05 + 0.02 * static_cast<double>(i % 4);
      if (group.kind == ColumnKind::binary)
        fill(group.first + i, [&](bool high) { return (rng.uniform() < rare) != high ? 1.0 : 0.0; });
      else if (group.kind == ColumnKind::mean_field)
        fill(group.first + i,
             [&](bool high) { return static_cast<double>((high ? 190 : 25) + rng.below(41)) / 255; });
      else if (group.kind == ColumnKind::count)
        fill(group.first + i, [&](bool high) { return static_cast<double>((high ? 8 : 1) + rng.below(3)); });
      else
        fill(group.first + i, [&](bool high) { return (high ? 1.5 : -1.5) + 0.5 * rng.normal(); });
    }
  }
  return rows;
}

// Adam, written plainly.
class PlainAdam {
 public:
  // `memory` of the squares: a short one forgets the large gradients of a start far from the rows.
  PlainAdam(double rate, double momentum, double memory)
      : rate_(rate), keep_(momentum > 0 ? momentum : 0.9), memory_(memory) {}
  void update(const std::vector<Tensor>& parameters, double scale) {
    NoGradGuard no_graph;
    for (Tensor parameter : parameters) {
      State& s = states_[parameter.unsafeGetTensorImpl()];
      if (!s.first.defined()) s.first = at::zeros_like(parameter), s.second = at::zeros_like(parameter);
      const Tensor& g = parameter.grad();
      ++s.updates;
      s.first.mul_(keep_).add_(g, 1 - keep_);
      s.second.mul_(memory_).addcmul_(g, g, 1 - memory_);
      const Tensor first = s.first / (1 - std::pow(keep_, s.updates));
      const Tensor second = s.second / (1 - std::pow(memory_, s.updates));
      parameter.sub_(first / (second.sqrt() + 1e-8), rate_ * scale);
    }
  }

 private:
  struct State {
    Tensor first, second;
    int updates = 0;
  };
  std::map<const void*, State> states_;
  double rate_, keep_, memory_;
};

void train_by_gradients(Model& model, HasGradients& learner, const Rows& rows, PlainAdam& adam, Rng& rng) {
  constexpr std::int64_t steps = 600, batch = 50;
  const std::vector<Stage> stages = model.stages();
  for (std::size_t s = 0; s < stages.size(); ++s) {
    Turn turn{.stage = static_cast<int>(s), .steps = steps};
    model.begin_stage(turn, rows, rng);
    for (turn.step = 0; turn.step < steps; ++turn.step) {
      std::vector<std::int64_t> index = rng.permutation(rows.size());
      index.resize(batch);
      const Rows some = rows.select(at::tensor(index, at::kLong));
      for (std::size_t p = 0; p < stages[s].phases.size(); ++p)
        for (turn.repeat = 0; turn.repeat < stages[s].phases[p].repeats; ++turn.repeat) {
          turn.phase = static_cast<int>(p);
          learner.gradients(some, turn, rng);
          adam.update(stages[s].phases[p].parameters, stages[s].phases[p].rate);
          model.project(turn);
        }
    }
  }
}

void train(Model& model, const ModelCard& card, const Rows& rows, bool has_likelihood) {
  Rng rng(31);
  if (auto* fit = as<CanFit>(model)) {
    for (int pass = 0; pass < 60 && !fit->converged(); ++pass) {
      fit->gather(rows);
      fit->finish_pass();
    }
    return;
  }
  auto* learner = as<HasGradients>(model);
  if (!learner) return;
  PlainAdam adam(has_likelihood ? 0.02 : 0.005, card.training.momentum, has_likelihood ? 0.99 : 0.999);
  train_by_gradients(model, *learner, rows, adam, rng);
}

// What is left of the way from the means of the mirrored rows to those of the rows, averaged over the columns
// in which they differ: 0 where the samples have the means of the rows, 1 for those of the mirrored ones, a
// half for those between.
double left_of_the_way(const Tensor& samples, const Tensor& rows, const Tensor& mirrored) {
  const Tensor wanted = rows.mean(0, false, at::kDouble), from = mirrored.mean(0, false, at::kDouble);
  const Tensor way = (from - wanted).abs(), far = way > 0.25;
  EXPECT_GT(far.sum().item<std::int64_t>(), 1);
  const Tensor off = (samples.mean(0, false, at::kDouble) - wanted).abs() / way;
  return off.masked_select(far).mean().item<double>();
}

class SampleMeans : public SamplingLaws {
 protected:
  // A likelihood leaves little to choose; two adversaries turn around each other. Untrained models have half
  // of the way before them or all of it.
  double allowed() const { return has_likelihood() ? 0.2 : 0.35; }
  bool has_likelihood() const { return as<HasLogProb>(*model) || as<HasBound>(*model); }
  // A new model whose first parameters come from the mirrored rows, which it then has to leave.
  void begin(bool by_label) {
    Rng rng(23);
    rows = high_and_low(shape, by_label, false, rng);
    mirrored = high_and_low(shape, by_label, true, rng);
    model = GetParam().make(columns, classes);
    model->initialise(mirrored, rng);
  }
  double left() const {
    Rng rng(29);
    return left_of_the_way(as<CanSample>(*model)->sample(1500, rng), rows.x, mirrored.x);
  }
  double left_given(std::int64_t label) const {
    Rng rng(29);
    const Tensor some = (rows.y == label).nonzero().view({-1});
    return left_of_the_way(as<CanSampleGiven>(*model)->sample_given(labels(1500, label), rng),
                           rows.select(some).x, mirrored.select(some).x);
  }

  Rows rows, mirrored;
};

INSTANTIATE_TEST_SUITE_P(Registry, SampleMeans, ::testing::ValuesIn(sampled_instances()), title_of);

TEST_P(SampleMeans, ComeToThoseOfTheTrainingRows) {
  if (!as<CanSample>(*model)) GTEST_SKIP() << "samples need labels";
  begin(false);
  const double untrained = left();
  EXPECT_GT(untrained, allowed());
  train(*model, model_card(GetParam().model), rows, has_likelihood());
  EXPECT_LT(left(), allowed());
}

TEST_P(SampleMeans, GivenALabelComeToThoseOfItsRows) {
  if (!as<CanSampleGiven>(*model)) GTEST_SKIP() << "no labels";
  begin(true);
  for (std::int64_t label = 0; label < classes; ++label)
    EXPECT_GT(left_given(label), allowed()) << "untrained";
  train(*model, model_card(GetParam().model), rows, has_likelihood());
  for (std::int64_t label = 0; label < classes; ++label) EXPECT_LT(left_given(label), allowed()) << label;
}

}  // namespace
}  // namespace deepgen::sampling_laws_test
