#include "deepgen/evaluate/sample_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/core/work.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/evaluate/linear_classifier.h"
#include "deepgen/evaluate/network_classifier.h"
#include "deepgen/evaluate/two_sample.h"
#include "deepgen/model/top_machine.h"
#include "deepgen/tasks/classification.h"
#include "deepgen/tasks/sampling.h"

namespace deepgen {
namespace {

constexpr std::int64_t least_tested = 10;       // rows; the two-sample test halves them
constexpr std::int64_t neighbour_rows = 60000;  // training rows that are looked at, at most

// A label of the training rows for each sample.
Tensor random_labels(const Dataset& data, std::int64_t count, Rng& rng) {
  const std::vector<std::int64_t> known = labelled_rows(data.train);
  if (known.empty()) fail_data(data.spec, "expected labels to draw samples given them, got none");
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < count; ++i) rows.push_back(known[rng.below(known.size())]);
  return data.train.y.index_select(0, at::tensor(rows, at::kLong));
}

// Draws of parallel chains, all of one time after another; the first ones are of different chains.
Draws draw_by_chains(const Model& model, const SampleTestPlan& plan, Rng& rng, Observer& observer) {
  const std::int64_t chains = std::min(plan.chains, plan.samples);
  const std::int64_t times = (plan.samples + chains - 1) / chains;
  const SamplingPlan sampling{.count = chains, .steps = plan.steps, .rows = times, .between = plan.between};
  return {
      sample_model(model, sampling, rng, observer).narrow(0, 0, plan.samples), chains,
      fmt::format("{} chains of {} Gibbs steps, then {} between draws", chains, plan.steps, plan.between)};
}

Score proxy(const std::string& metric, const std::string& split, double value, double error,
            const std::string& unit, std::int64_t rows, std::string how) {
  Score score;
  score.metric = metric, score.split = split, score.kind = ScoreKind::proxy;
  score.value = value, score.standard_error = error, score.unit = unit, score.rows = rows;
  score.how = std::move(how);
  return score;
}

Tensor some_rows(const Dataset& data, const Split& split, std::int64_t count, const Rng& rng) {
  const Tensor x = Dataset::rows(split, random_index(split, count, rng.fork({0})), rng.fork({1})).x;
  if (!x.isfinite().all().item<bool>())
    fail_data(
        data.spec,
        "tests of samples need complete rows, got missing cells; fill them first with `deepgen complete`");
  return x;
}

void add_tests(const Draws& draws, const Tensor& rows, const std::string& split, const SampleTestPlan& plan,
               const Rng& rng, Observer& observer, std::vector<Score>& scores) {
  const std::int64_t count = std::min({plan.rows, draws.independent, rows.size(0)});
  const Tensor x = draws.x.narrow(0, 0, count), real = rows.narrow(0, 0, count);
  Rng own = rng.fork({1});
  const TestResult accuracy = classifier_test(real, x, own, observer);
  scores.push_back(proxy(
      "two_sample_accuracy", split, 100 * accuracy.statistic, 100 * accuracy.standard_error, "percent",
      accuracy.held_out,
      fmt::format("a network of 100 hidden units that learnt from half of {0} samples and {0} rows, on the "
                  "other half; 50: no difference seen; p-value {1:.3g}; samples: {2}",
                  count, accuracy.p_value, draws.how)));
  scores.push_back(proxy("two_sample_p_value", split, accuracy.p_value, 0, "probability", accuracy.held_out,
                         "probability of such an accuracy or a higher one were there no difference"));
  const TestResult mmd = [&] {
    const Work work(observer, "MMD", 1);
    return mmd_test(x, real, plan.permutations, own);
  }();
  scores.push_back(proxy(
      "mmd2", split, mmd.statistic, 0, "squared kernel distance", 2 * count,
      fmt::format("unbiased, {0} samples against {0} rows, Gaussian kernel of width {1:.3g} (the median "
                  "distance); p-value {2:.3g}",
                  count, mmd.scale, mmd.p_value)));
  scores.push_back(proxy("mmd2_p_value", split, mmd.p_value, 0, "probability", 2 * count,
                         fmt::format("rank among {} random cuts of both sets together", plan.permutations)));
}

// Real columns by the means and deviations of the training rows: else the widest column would be all that is
// compared.
void level_columns(const Dataset& data, const Tensor& training, const std::vector<Tensor*>& sets) {
  if (!has_scales(data)) return;
  const Standardiser by(training);
  for (Tensor* each : sets) {
    *each = each->contiguous();
    by.apply(*each);
  }
}

void add_neighbours(const Draws& draws, const Tensor& rows, const std::string& split, const Tensor& training,
                    const SampleTestPlan& plan, Observer& observer, std::vector<Score>& scores) {
  Work work(observer, "neighbours", 2);
  const Tensor x = draws.x.narrow(0, 0, std::min(plan.rows, draws.x.size(0)));
  const Tensor ours = nearest_distances(x, training);
  work.advance(1);
  const Tensor theirs = nearest_distances(rows.narrow(0, 0, std::min(plan.rows, rows.size(0))), training);
  const double near = std::get<0>(theirs.sort())[theirs.size(0) / 100].item<double>();
  const double copies = (ours <= near).to(at::kDouble).mean().item<double>(),
               real_copies = (theirs <= near).to(at::kDouble).mean().item<double>();
  const RowMean a = mean_over_rows(ours), b = mean_over_rows(theirs);
  const std::string unit = "distance";
  scores.push_back(proxy(
      "nearest_training_distance", split, a.mean, a.standard_error, unit, a.rows,
      fmt::format("mean distance of samples to the nearest of {} training rows; {:.1f} % of them are no "
                  "farther than {:.3g}, of the rows of the split {:.1f} %",
                  training.size(0), 100 * copies, near, 100 * real_copies)));
  scores.push_back(proxy("nearest_training_distance_held_out", split, b.mean, b.standard_error, unit, b.rows,
                         "the same distance of rows of the split"));
}

void add_recognition(const Model& model, const Split& split, const Dataset& data, const SampleTestPlan& plan,
                     const Rng& rng, Observer& observer, std::vector<Score>& scores) {
  const std::int64_t classes = sampled_classes(model);
  const std::vector<std::int64_t> learnt = labelled_rows(data.train), judged = labelled_rows(split);
  if (classes == 0 || learnt.empty() || judged.empty()) return;
  Rng own = rng.fork({1}), draws = rng.fork({2});
  const Rows known = Dataset::rows(data.train, learnt, rng.fork({3}));
  const NetworkClassifier judge(known.x, known.y, classes, {}, own, observer);
  const Tensor y = at::arange(plan.rows, at::kLong).remainder(classes);
  const Tensor x = sample_given_labels(model, y, draws, observer);
  const auto percent = [](const Tensor& guess, const Tensor& truth) {
    return mean_over_rows((guess == truth).to(at::kDouble) * 100);
  };
  const Tensor labels = split.y.index_select(0, at::tensor(judged, at::kLong));
  const RowMean a = percent(judge.predict(x), y);
  const RowMean b =
      percent(map_rows(split, judged, rng.fork({4}), [&](const Rows& rows) { return judge.predict(rows.x); }),
              labels);
  const std::string network =
      fmt::format("a network of dense layers (400, 200) trained on {} training rows", learnt.size());
  scores.push_back(
      proxy("label_recognition", split.name, a.mean, a.standard_error, "percent", a.rows,
            fmt::format("samples, the classes in turn, that {} takes for the class they were drawn given",
                        network)));
  scores.push_back(proxy("label_recognition_rows", split.name, b.mean, b.standard_error, "percent", b.rows,
                         "rows of the split whose label that network recognises"));
}

// Labels that the model did not learn have no samples to be compared with.
void refuse_new_labels(const Model& model, const Dataset& data, const Split& split) {
  const std::int64_t classes = sampled_classes(model);
  if (classes == 0) return;
  for (const Tensor& y : {data.train.y, split.y})
    if (y.defined() && y.numel() > 0 && y.max().item<std::int64_t>() >= classes)
      fail_data(data.spec, fmt::format("expected labels from 0 to {}, those that the model learnt, got {}",
                                       classes - 1, y.max().item<std::int64_t>()));
}

}  // namespace

bool can_draw(const Model& model) { return can_sample(model); }

bool has_no_likelihood(const Model& model) {
  return !as<HasLogProb>(model) && !as<HasFreeEnergy>(model) && !as<HasBound>(model);
}

void check_sample_tests(const Model& model, const Dataset& data, const std::string& split) {
  if (!can_draw(model)) fail_usage("sample tests", "this model cannot be sampled; see `deepgen models`");
  if (data.one_matrix)
    fail_data(
        data.spec,
        "samples are judged beside rows that were not learnt; train with some held out, as in :test=0.2, "
        "and evaluate on the same data");
  if (split == "train")
    fail_usage("sample tests", "expected --split valid or test: the training rows are the control");
  if (data.split(split).rows() < least_tested)
    fail_data(data.spec, fmt::format("tests of samples need {} rows of {} or more, got {}", least_tested,
                                     split, data.split(split).rows()));
  refuse_new_labels(model, data, data.split(split));
}

Draws draw_samples(const Model& model, const Dataset& data, const SampleTestPlan& plan, Rng& rng,
                   Observer& observer) {
  if (as<CanSample>(model))
    return {sample_model(model, {.count = plan.samples}, rng, observer), plan.samples, "direct draws"};
  if (sampled_classes(model) > 0) {
    const Tensor y = random_labels(data, plan.samples, rng);
    return {sample_given_labels(model, y, rng, observer), plan.samples,
            "direct draws, labels as in the training rows"};
  }
  if (as<HasChain>(machine_of(model))) return draw_by_chains(model, plan, rng, observer);
  fail_usage("sample tests", "this model cannot be sampled; see `deepgen models`");
}

std::vector<Score> sample_scores(const Model& model, const Dataset& cases, const std::string& split_name,
                                 const SampleTestPlan& plan, const Rng& rng, Observer& observer) {
  const Dataset data = rows_as_cases(cases);
  check_sample_tests(model, data, split_name);
  const InterruptionScope scope(observer, "sample tests");
  const Split& split = data.split(split_name);
  const Tensor rows = some_rows(data, split, plan.rows, rng.fork({1}));
  Rng own = rng.fork({2});
  const Draws draws = draw_samples(model, data, plan, own, observer);
  if (!draws.x.isfinite().all().item<bool>())
    fail_numerical("sample tests",
                   "samples are not finite: the weights of the model are too large or broken");
  std::vector<Score> scores = parzen_scores(draws.x, data, split_name, plan.parzen, rng.fork({3}), observer);
  Draws compared{draws.x.clone(), draws.independent, draws.how};
  Tensor real = rows.clone(), training = some_rows(data, data.train, neighbour_rows, rng.fork({5}));
  level_columns(data, training, {&compared.x, &real, &training});
  add_tests(compared, real, split.name, plan, rng.fork({4}), observer, scores);
  add_neighbours(compared, real, split.name, training, plan, observer, scores);
  add_recognition(model, split, data, plan, rng.fork({6}), observer, scores);
  return scores;
}

}  // namespace deepgen
