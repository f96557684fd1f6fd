// Laws that every model of the registry owes whose log-probability is bounded by sampling, on all its small
// instances, whatever their values are: numbers, seeds, draws, threads, codes, known cells, conditions and
// whole runs. (bound_laws_test.cpp: what is known of all cases together.)
#include <functional>

#include "deepgen/core/observer.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::bound_rows_test {
namespace {

using namespace machines;
using small_cases::Instance;

constexpr std::int64_t columns = 10, classes = 3;

std::string title_of(const ::testing::TestParamInfo<Instance>& about) { return about.param.title(); }

std::shared_ptr<Model> random_model(const Instance& instance, double scale) {
  const auto model = instance.make(columns, classes);
  Rng rng(17);
  model->initialise(small_cases::labelled_cells(instance.shape(columns, classes), 60, rng), rng);
  randomise(*model, scale, rng);
  return model;
}

class BoundRows : public ::testing::TestWithParam<Instance> {
 protected:
  void SetUp() override {
    shape = GetParam().shape(columns, classes);
    model = random_model(GetParam(), 0.7);
    Rng rng(19);
    rows = small_cases::labelled_cells(shape, 300, rng);
    if (const auto* conditional = as<IsConditional>(*model)) mask = conditional->condition_mask();
  }
  Tensor bound(const Rows& of, std::int64_t samples, Rng& rng) const {
    return as<HasBound>(*model)->log_prob_bound(of, samples, rng);
  }
  // Cells that are missing, groups of categories as a whole: what is no condition, or a half at random.
  Tensor gaps(std::int64_t count, Rng& rng) const {
    if (mask.defined()) return mask.logical_not().unsqueeze(0).expand({count, shape.columns});
    std::vector<Tensor> parts;
    for (const ColumnGroup& group : shape.column_groups()) {
      const bool whole = group.kind == ColumnKind::softmax;
      const Tensor some = bits_tensor(count, whole ? 1 : group.size, rng) > 0.5;
      parts.push_back(some.expand({count, group.size}));
    }
    return at::cat(parts, 1);
  }
  // What is computed of rows and draws by everything that the model can do.
  std::vector<Tensor> everything(const Rows& of, std::int64_t samples) const {
    Rng rng(5), cells(7);
    std::vector<Tensor> all = {bound(of, samples, rng)};
    const Tensor holes = of.x.masked_fill(gaps(of.size(), cells), std::nanf(""));
    if (const auto* direct = as<CanSample>(*model)) all.push_back(direct->sample(of.size(), rng));
    if (const auto* given = as<CanSampleGiven>(*model)) all.push_back(given->sample_given(of.y, rng));
    if (const auto* completes = as<CanComplete>(*model))
      all.push_back(completes->complete(Rows(holes, of.y).narrow(0, 40), rng));
    if (const auto* encoder = as<CanEncode>(*model)) {
      all.push_back(encoder->encode(of));
      if (const auto* decoder = as<CanDecode>(*model)) all.push_back(decoder->decode({all.back(), of.y}));
    }
    return all;
  }

  DataShape shape;
  std::shared_ptr<Model> model;
  Rows rows;
  Tensor mask;
};

INSTANTIATE_TEST_SUITE_P(Registry, BoundRows, ::testing::ValuesIn(small_cases::with<HasBound>()), title_of);

TEST_P(BoundRows, AreOneNumberARow) {
  Rng a(3), b(3);
  const Tensor before = rows.x.clone(), first = bound(rows, 7, a);
  ASSERT_EQ(first.scalar_type(), at::kDouble);
  ASSERT_EQ(first.sizes(), at::IntArrayRef({rows.size()}));
  EXPECT_TRUE(first.isfinite().all().item<bool>());
  expect_bit_equal(rows.x, before, "the argument");
  expect_bit_equal(first, bound(rows, 7, b), "equal generators");
  if (as<HasBound>(*model)->bound_kind().tightens) {
    EXPECT_FALSE(at::equal(first, bound(rows, 7, a))) << "the generator stood still";
  }
  expect_says(error_of(ErrorKind::usage, [&] { bound(rows, 0, a); }), {"sample", "0"});
}

TEST_P(BoundRows, NumbersDoNotDependOnTheNumberOfThreads) {
  Rng rng(23);
  const Rows many =
      small_cases::labelled_cells(shape, 3500, rng);  // so many that torch would share them out too
  std::vector<Tensor> one;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    std::vector<Tensor> now = everything(many, 3);
    now.push_back(everything(rows, 60).front());
    if (count == 1) one = now;
    for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], now[i], std::to_string(i));
  }
}

TEST_P(BoundRows, EqualSeedsGiveEqualDrawsOfTheModelsValues) {
  const std::vector<Tensor> one = everything(rows, 2), again = everything(rows, 2);
  for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], again[i], std::to_string(i));
}

TEST_P(BoundRows, CodesAndMeansHaveTheirShape) {
  const auto* encoder = as<CanEncode>(*model);
  const auto* decoder = as<CanDecode>(*model);
  if (!encoder) GTEST_SKIP() << "no code";
  const Tensor code = encoder->encode(rows);
  ASSERT_EQ(code.dim(), 2);
  ASSERT_EQ(code.size(0), rows.size());
  EXPECT_TRUE(code.isfinite().all().item<bool>());
  if (!decoder) return;
  const Tensor mean = decoder->decode({code, rows.y});
  ASSERT_EQ(mean.sizes(), rows.x.sizes());
  EXPECT_TRUE(mean.isfinite().all().item<bool>());
  const bool real = shape.values == ValueKind::real;
  for (const ColumnGroup& group : shape.column_groups()) {
    const Tensor part = mean.narrow(1, group.first, group.size);
    if (group.kind == ColumnKind::gaussian || real) continue;
    EXPECT_TRUE(at::logical_and(part >= 0, part <= 1).all().item<bool>()) << "column " << group.first;
    if (group.kind == ColumnKind::softmax) {
      EXPECT_LT((part.sum(1) - 1).abs().max().item<float>(), 1e-5) << "column " << group.first;
    }
  }
}

TEST_P(BoundRows, CodesGivenLabelsDependOnThemAndNeedThem) {
  const auto* encoder = as<CanEncode>(*model);
  const auto* decoder = as<CanDecode>(*model);
  if (!encoder || !decoder || needed_classes(*model) == 0) GTEST_SKIP() << "no code given labels";
  const Tensor ones = at::full({rows.size()}, 1, at::kLong), twos = at::full({rows.size()}, 2, at::kLong);
  const Tensor code = encoder->encode({rows.x, ones});
  EXPECT_GT((code - encoder->encode({rows.x, twos})).abs().max().item<float>(), 0.01);
  EXPECT_GT((decoder->decode({code, ones}) - decoder->decode({code, twos})).abs().max().item<float>(), 0.01);
  error_of(ErrorKind::data, [&] { encoder->encode(rows.x); });
  error_of(ErrorKind::data, [&] { decoder->decode({code, at::full({rows.size()}, classes, at::kLong)}); });
}

TEST_P(BoundRows, KnownCellsComeBackBitForBit) {
  const auto* completes = as<CanComplete>(*model);
  if (!completes) GTEST_SKIP() << "no completion";
  Rng rng(11);
  const Tensor missing = gaps(rows.size(), rng), known = missing.logical_not();
  const Tensor x = rows.x.masked_fill(missing, std::nanf("")), done = completes->complete({x, rows.y}, rng);
  EXPECT_TRUE(x.isnan().any().item<bool>()) << "the argument was changed";
  expect_bit_equal(done.masked_select(known), rows.x.masked_select(known), "known cells");
  model->check_data(done, "completed");
  expect_bit_equal(completes->complete(rows, rng), rows.x, "nothing missing");
  EXPECT_EQ(completes->complete(rows.narrow(0, 0), rng).sizes(), at::IntArrayRef({0, shape.columns}));
}

TEST_P(BoundRows, ConditionsAreNamedAndNeeded) {
  const auto* conditional = as<IsConditional>(*model);
  if (!conditional) GTEST_SKIP() << "no condition";
  EXPECT_FALSE(conditional->condition().empty());
  Rng rng(13);
  if (mask.defined()) {
    ASSERT_EQ(mask.sizes(), at::IntArrayRef({shape.columns}));
    EXPECT_TRUE(mask.any().item<bool>());
    EXPECT_FALSE(mask.all().item<bool>());
    EXPECT_EQ(conditional->condition_classes(), 0);
    return;
  }
  EXPECT_EQ(conditional->condition_classes(), classes);
  if (needed_classes(*model) == 0) return;
  Observer silent;
  Tensor unknown = rows.y.clone();
  unknown[2] = -1;
  for (const Tensor& y : {Tensor(), unknown}) {
    error_of(ErrorKind::data, [&] { bound({rows.x, y}, 1, rng); });
    if (as<CanComplete>(*model))
      error_of(ErrorKind::data, [&] { complete_rows(*model, {rows.x, y}, 1, rng, silent, shape.groups); });
  }
}

// ---------------------------------------------------------------- more draws

// The mean bound of some rows from 1, 8 and 64 draws, and an estimate of the mean log p(x) from the single
// draws alone, whose weights are averaged here: a bound that ignored its number of draws would not come near.
struct Climb {
  double one = 0, eight = 0, many = 0, estimate = 0;
  double error = 0;  // of a difference of two of them
};

Climb climb_of(const Rows& rows, const std::function<Tensor(const Rows&, std::int64_t samples)>& bound) {
  constexpr std::int64_t singles = 1000, repeats = 20;
  Climb c;
  double variance = 0;
  const auto means = [&](std::int64_t samples, std::int64_t times) {
    const Tensor y = rows.y.repeat({times});
    const Tensor values = bound(Rows(rows.x.repeat({times, 1}), y), samples).view({times, rows.size()});
    variance =
        std::max(variance, values.var(0).mean().item<double>() / static_cast<double>(times * rows.size()));
    return values;
  };
  const Tensor weights = means(1, singles);
  c.one = weights.mean().item<double>();
  c.estimate = (at::logsumexp(weights, 0) - std::log(static_cast<double>(singles))).mean().item<double>();
  c.eight = means(8, repeats).mean().item<double>();
  c.many = means(64, repeats).mean().item<double>();
  c.error = std::sqrt(2 * variance);
  return c;
}

// The estimate is a bound from 1000 draws. Of log-weights that are normal with a large deviation s, the mean
// bound from k draws lies s E[largest of k] - log k above that from one: eight draws come half of the way to
// a thousand, 64 draws five sixths. Smaller deviations bring them nearer.
bool climbs(const Climb& c) {
  const double way = c.estimate - c.one, noise = one_in_a_million * c.error;
  return c.eight - c.one > 0.3 * way - noise && c.many - c.one > 0.5 * way - noise &&
         c.many > c.eight - noise;
}

TEST_P(BoundRows, RiseWithTheNumberOfDraws) {
  if (!as<HasBound>(*model)->bound_kind().tightens) GTEST_SKIP() << "more draws do not tighten this bound";
  for (const double scale : {0.5, 1.0}) {
    model = random_model(GetParam(), scale);
    Rng rng(9);
    const Climb c = climb_of(rows.narrow(0, 100), [&](const Rows& some, std::int64_t samples) {
      return bound(some, samples, rng);
    });
    EXPECT_TRUE(climbs(c)) << c.one << ", " << c.eight << ", " << c.many << " of " << c.estimate
                           << " with error " << c.error << " at scale " << scale;
    EXPECT_LT(c.many, c.estimate + one_in_a_million * c.error) << scale;
  }
}

TEST(BoundLaw, SeesABoundThatIgnoresItsNumberOfDraws) {
  const Instance vae{"vae", 0};
  for (const double scale : {0.5, 1.0}) {
    const auto model = random_model(vae, scale);
    Rng rng(9);
    const Rows rows = small_cases::labelled_cells(vae.shape(columns, classes), 100, rng);
    const Climb c = climb_of(rows, [&](const Rows& some, std::int64_t) {
      return as<HasBound>(*model)->log_prob_bound(some, 1, rng);
    });
    EXPECT_FALSE(climbs(c)) << c.one << ", " << c.eight << ", " << c.many << " of " << c.estimate;
  }
}

// ---------------------------------------------------------------- runs

class BoundRuns : public ::testing::TestWithParam<Instance> {
 protected:
  static runs::Assignments with(runs::Assignments settings) {
    const std::vector<std::string>& own = GetParam().small().settings;
    settings.insert(settings.end(), own.begin(), own.end());
    return settings;
  }
  static const std::string& name() { return GetParam().model; }
  // Rows of two kinds that no column alone tells apart, with labels that say nothing.
  static Dataset two_kinds() {
    Dataset data = small_cases::labelled_set(GetParam().shape(columns, classes), 3);
    Rng rng(3);
    for (Split* split : {&data.train, &data.valid})
      for (std::int64_t r = 0; r < split->rows(); ++r) fill(split->x[r], r % 2 == 0, data.data_shape(), rng);
    return data;
  }
  static void fill(Tensor row, bool first, const DataShape& shape, Rng& rng) {
    for (const ColumnGroup& group : shape.column_groups()) {
      Tensor part = row.narrow(0, group.first, group.size);
      for (std::int64_t i = 0; i < group.size; ++i) {
        const bool on = first != (rng.uniform() < 0.03);
        if (group.kind == ColumnKind::softmax) {
          part.zero_()[on ? 0 : group.size - 1] = 1;
        } else if (group.kind == ColumnKind::binary) {
          part[i] = on ? 1 : 0;
        } else if (shape.values == ValueKind::grey) {
          part[i] = static_cast<double>((on ? 180 : 30) + rng.below(41)) / 255;
        } else {
          part[i] = (on ? 1.5 : -1.5) + 0.5 * rng.normal();
        }
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Registry, BoundRuns,
                         ::testing::ValuesIn(small_cases::with<HasBound, HasGradients>()), title_of);

TEST_P(BoundRuns, AreTheSameInSittings) {
  const Dataset data = two_kinds();
  const runs::Assignments settings = with({"training.epochs=4", "training.batch=20", "training.average=0.9"});
  const Checkpoint whole = runs::straight(settings, data, 7, name());
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {6}, {3, 2, 5}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings, data, stops, 7, name()), "in sittings");
}

TEST_P(BoundRuns, DoNotDependOnTheNumberOfThreads) {
  const Dataset data = two_kinds();
  Checkpoint results[2];
  for (const int count : {1, 4}) {
    const Threads threads(count);
    results[count / 4] = runs::straight(with({"training.epochs=3", "training.batch=35"}), data, 7, name());
  }
  runs::expect_equal_runs(results[0], results[1], "threads");
}

// A run of a few steps raises the bound of its own rows: a gradient of the wrong sign would lower it.
TEST_P(BoundRuns, RaiseTheBound) {
  const Dataset data = two_kinds();
  auto value = [&](int epochs) {
    const auto trainer = runs::trainer_for(
        with({"training.batch=20", "training.rate=0.01", "training.epochs=" + std::to_string(epochs)}), data,
        7, name());
    Observer silent;
    trainer->run(silent);
    const fixtures::Folder folder;
    const std::string path = folder.path("model.safetensors");
    save_checkpoint(path, trainer->checkpoint());
    const auto model = load_model(load_checkpoint(path), path);
    Rng rng(3);
    const auto* machine =
        as<HasBound>(*model)->bound_kind().owes_log_partition ? as<HasLogPartition>(*model) : nullptr;
    return bound_rows(*model, data, data.train, 50, rng, silent).mean().item<double>() -
           (machine ? machine->exact_log_partition().value_or(0) : 0);
  };
  EXPECT_GT(value(60), value(1) + 0.2);
}

}  // namespace
}  // namespace deepgen::bound_rows_test
