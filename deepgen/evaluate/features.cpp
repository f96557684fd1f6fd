#include "deepgen/evaluate/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "deepgen/core/error.h"
#include "deepgen/core/work.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/evaluate/linear_classifier.h"
#include "deepgen/evaluate/neighbours.h"
#include "deepgen/tasks/classification.h"
#include "deepgen/tasks/codes.h"
#include "deepgen/train/check_split.h"

namespace deepgen {
namespace {

// From strong to weak: each classifier starts at the one before.
constexpr double penalties[] = {1e-1, 1e-2, 1e-3, 1e-4, 1e-5};
constexpr std::int64_t neighbour_counts[] = {1, 3, 5};
constexpr std::int64_t fewest_rows = 10;  // so that a tenth of them is at least one
constexpr std::int64_t unknown_class = -1;

using Labels = std::vector<std::int64_t>;
using Map = std::function<Tensor(const Tensor&)>;  // rows [B, D] to [B, anything]

// Labelled rows of a split; the rng makes every look at them see the same bits.
struct LabelledRows {
  const Split* split;
  std::vector<std::int64_t> index;
  Labels labels;
  Rng rng;
  std::int64_t size() const { return static_cast<std::int64_t>(index.size()); }
};

// Who learns, where settings are chosen, who is judged.
struct Examination {
  LabelledRows train, choice, test;
  std::int64_t classes;
  std::string training, chosen_on, remark;
};

// One of the two inputs of the classifiers.
struct Input {
  std::string name, words;
  Map read;
};

LabelledRows rows_of(const Split& split, std::vector<std::int64_t> index, const Rng& rng) {
  const Tensor y = split.y.index_select(0, at::tensor(index, at::kLong)).contiguous();
  Labels labels(y.data_ptr<std::int64_t>(), y.data_ptr<std::int64_t>() + y.numel());
  return {&split, std::move(index), std::move(labels), rng};
}

void check_examinable(const Dataset& data, const std::string& split, const FeaturePlan& plan) {
  if (plan.rows < fewest_rows)
    fail_usage("features", fmt::format("expected at least {} training rows, got {}", fewest_rows, plan.rows));
  if (data.one_matrix)
    fail_data(data.spec,
              "features are judged on rows that the classifiers did not learn; hold some out with "
              ":test=0.2");
  if (split == "train")
    fail_usage("features", "expected --split valid or test: the classifiers learn from the train part");
  for (const Split* part : {&data.split("train"), &data.split(split)})
    if (labelled_rows(*part).empty())
      fail_data(data.spec, fmt::format("has no labels in its {} part; features are judged by how well they "
                                       "tell classes apart",
                                       part->name));
  if (std::ssize(labelled_rows(data.train)) < fewest_rows)
    fail_data(data.spec, fmt::format("expected at least {} labelled training rows to judge features, got {}",
                                     fewest_rows, labelled_rows(data.train).size()));
}

// Before long work begins.
void check_parts(const Model& model, const Dataset& data, const Examination& exam) {
  for (const Split* part : std::set{exam.train.split, exam.choice.split, exam.test.split}) {
    refuse_gaps(*part, data.spec);
    check_split(model, *part, data.spec);
  }
}

// Classes are numbered anew as the training rows have them; any other is unknown and cannot be guessed.
void number_classes(Examination& exam, const Dataset& data) {
  std::map<std::int64_t, std::int64_t> numbers;
  for (const std::int64_t label : exam.train.labels) numbers.emplace(label, 0);
  for (auto& [label, number] : numbers) number = exam.classes++;
  if (exam.classes < 2)
    fail_data(data.spec, fmt::format("expected at least two classes to judge features, got only class {} "
                                     "among {} training rows",
                                     numbers.begin()->first, exam.train.size()));
  for (LabelledRows* rows : {&exam.train, &exam.choice, &exam.test})
    for (std::int64_t& label : rows->labels) {
      const auto found = numbers.find(label);
      label = found == numbers.end() ? unknown_class : found->second;
    }
  const auto unknown = std::count(exam.test.labels.begin(), exam.test.labels.end(), unknown_class);
  if (unknown > 0)
    exam.remark = fmt::format("; {} rows of classes that these training rows lack count as errors", unknown);
}

// At most `most` labelled training rows in random order.
std::vector<std::int64_t> random_training_rows(const Split& train, std::int64_t most, const Rng& rng) {
  const Tensor labels = train.y.contiguous();
  std::vector<std::int64_t> index = Rng(rng).permutation(train.rows());
  std::erase_if(index, [&](std::int64_t row) { return labels.data_ptr<std::int64_t>()[row] < 0; });
  index.resize(std::min(index.size(), static_cast<std::size_t>(most)));
  return index;
}

Examination arrange(const Dataset& data, const std::string& split_name, const FeaturePlan& plan,
                    const Rng& rng) {
  check_examinable(data, split_name, plan);
  const Split& split = data.split(split_name);
  std::vector<std::int64_t> index = random_training_rows(data.train, plan.rows, rng.fork({0}));
  const std::vector<std::int64_t> validation = labelled_rows(data.valid);
  const bool own_choice = split_name != "valid" && !validation.empty();
  std::vector<std::int64_t> held;
  if (!own_choice) {
    const auto learning = static_cast<std::ptrdiff_t>(index.size() - index.size() / 10);
    held.assign(index.begin() + learning, index.end());
    index.resize(static_cast<std::size_t>(learning));
  }
  Examination exam{rows_of(data.train, std::move(index), rng.fork({1})),
                   own_choice ? rows_of(data.valid, validation, rng.fork({2}))
                              : rows_of(data.train, std::move(held), rng.fork({2})),
                   rows_of(split, labelled_rows(split), rng.fork({3})),
                   0,
                   "",
                   "",
                   ""};
  const std::int64_t learning = exam.train.size();
  exam.training = learning == data.train.rows()
                      ? fmt::format("{} training rows", learning)
                      : fmt::format("{} of {} training rows at random", learning, data.train.rows());
  exam.chosen_on =
      fmt::format("chosen on {} {} rows", exam.choice.size(), own_choice ? "validation" : "other training");
  number_classes(exam, data);
  if (exam.test.size() < split.rows())
    exam.remark += fmt::format("; {} rows without a label left out", split.rows() - exam.test.size());
  return exam;
}

// What `input` makes of the rows, [N, width] float32.
Tensor features_of(const LabelledRows& rows, const Input& input) {
  return map_rows(*rows.split, rows.index, rows.rng, [&](const Rows& some) { return input.read(some.x); });
}

// How many rows each of several predictors gets wrong; `predict` gives [B, predictors] of features [B,
// width].
std::vector<std::int64_t> mistakes(const LabelledRows& rows, const Input& input, const Map& predict) {
  const Tensor labels = at::tensor(rows.labels, at::kLong).unsqueeze(1);
  const Tensor guesses = map_rows(*rows.split, rows.index, rows.rng,
                                  [&](const Rows& some) { return predict(input.read(some.x)); });
  const Tensor counts = guesses.ne(labels).sum(0);
  return {counts.data_ptr<std::int64_t>(), counts.data_ptr<std::int64_t>() + counts.numel()};
}

std::size_t least(const std::vector<std::int64_t>& counts) {  // the first of equal ones
  return static_cast<std::size_t>(std::min_element(counts.begin(), counts.end()) - counts.begin());
}

Score error_score(const char* what, const Input& input, const Examination& exam, std::int64_t wrong,
                  std::string how) {
  const double rows = static_cast<double>(exam.test.size()), share = static_cast<double>(wrong) / rows;
  Score score;
  score.metric = fmt::format("{}_{}", what, input.name), score.split = exam.test.split->name;
  score.kind = ScoreKind::proxy, score.unit = "percent", score.rows = exam.test.size();
  score.value = 100 * share, score.standard_error = 100 * std::sqrt(share * (1 - share) / rows);
  score.how = std::move(how) + exam.remark;
  return score;
}

Score neighbour_score(const Examination& exam, const Input& input, Observer& observer) {
  Work work(observer, fmt::format("neighbours of the {}", input.words),
            exam.choice.size() + exam.test.size());
  NearestNeighbours neighbours(features_of(exam.train, input), exam.train.labels);
  neighbours.after_block = [&](std::int64_t rows) { work.advance(rows); };
  const Labels counts(std::begin(neighbour_counts), std::end(neighbour_counts));
  const std::vector<std::int64_t> trials = mistakes(exam.choice, input, [&](const Tensor& x) {
    const Tensor nearest = neighbours.nearest(x, counts.back());
    std::vector<Tensor> votes;
    for (const std::int64_t k : counts) votes.push_back(neighbours.vote(nearest, k));
    return at::stack(votes, 1);
  });
  const std::int64_t k = counts[least(trials)];
  const std::int64_t wrong = mistakes(exam.test, input, [&](const Tensor& x) {
    return neighbours.vote(neighbours.nearest(x, k), k).unsqueeze(1);
  })[0];
  return error_score("nearest_neighbour_error", input, exam, wrong,
                     fmt::format("{} nearest of {} by Euclidean distance of the {}, {} columns as they are; "
                                 "their number {}",
                                 k, exam.training, input.words, neighbours.columns(), exam.chosen_on));
}

Score linear_score(const Examination& exam, const Input& input, Observer& observer) {
  Tensor known = features_of(exam.train, input);
  const Standardiser standardiser(known);
  standardiser.apply(known);
  Work work(observer, fmt::format("classifiers of the {}", input.words), std::ssize(penalties));
  MinimisePlan plan;
  plan.after = [&](int) { work.listen(); };
  std::vector<LinearClassifier> fitted;
  for (const double penalty : penalties) {
    fitted.push_back(fit_linear_classifier(known, exam.train.labels, exam.classes, penalty, plan,
                                           fitted.empty() ? nullptr : &fitted.back()));
    work.advance(1);
  }
  auto standardised = [&](Tensor x) {
    x = x.clone();  // it may be the model's own memory
    standardiser.apply(x);
    return x;
  };
  const LinearClassifier& best = fitted[least(mistakes(exam.choice, input, [&](const Tensor& x) {
    std::vector<Tensor> guesses;
    const Tensor rows = standardised(x);
    for (const LinearClassifier& one : fitted) guesses.push_back(one.predict(rows));
    return at::stack(guesses, 1);
  }))];
  const std::int64_t wrong = mistakes(
      exam.test, input, [&](const Tensor& x) { return best.predict(standardised(x)).unsqueeze(1); })[0];
  Score score =
      error_score("linear_error", input, exam, wrong,
                  fmt::format("softmax regression on the {}, {} columns standardised, {}; L2 penalty {:g} {}",
                              input.words, known.size(1), exam.training, best.penalty, exam.chosen_on));
  if (!best.converged) score.warning = "the classifier was stopped before it converged";
  return score;
}

Input raw_input() {
  return {"raw", "raw input", [](const Tensor& x) { return x; }};
}

Input code_input(const Model& model) {
  const auto* encoder = as<CanEncode>(model);
  if (!encoder) fail_usage("features", "this model has no code (`encode`) to judge; see `deepgen models`");
  if (needed_classes(model) > 0)
    fail_usage("features",
               "the code of this model is made given the label, so labels cannot be judged by it");
  return {"code", "code", [encoder](const Tensor& x) {  // the labels are not told
            NoGradGuard no_graph;
            const Tensor code = encoder->encode(x).to(at::kCPU, at::kFloat).flatten(1).contiguous();
            if (!code.isfinite().all().item<bool>())
              fail_numerical("features",
                             "codes are not finite: the weights of the model are too large or "
                             "broken");
            return code;
          }};
}

}  // namespace

std::vector<Score> feature_scores(const Model& model, const Dataset& cases, const std::string& split,
                                  const FeaturePlan& plan, const Rng& rng, Observer& observer) {
  const Dataset data = rows_as_cases(cases);
  const std::vector<Input> inputs = {code_input(model), raw_input()};
  const Examination exam = arrange(data, split, plan, rng);
  check_parts(model, data, exam);
  const InterruptionScope scope(observer, "features");
  std::vector<Score> linear, neighbours;
  for (const Input& input : inputs) {
    linear.push_back(linear_score(exam, input, observer));
    neighbours.push_back(neighbour_score(exam, input, observer));
  }
  linear.insert(linear.end(), neighbours.begin(), neighbours.end());
  return linear;
}

}  // namespace deepgen
