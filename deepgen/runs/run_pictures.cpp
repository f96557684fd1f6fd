#include "deepgen/runs/run_pictures.h"

#include <algorithm>
#include <cmath>

#include "deepgen/model/capabilities.h"
#include "deepgen/tasks/tasks.h"

namespace deepgen {
namespace {

bool is_picture(const std::vector<std::int64_t>& shape) { return shape.size() == 3; }

// Of a model that draws given labels alone each class has a column of its own.
std::int64_t columns_by_class(const Model& model) {
  const auto* conditional = as<IsConditional>(model);
  return conditional && !as<CanSample>(model) ? conditional->condition_classes() : 0;
}

// The test rows, or the training rows where those lack the labels that the model cannot do without.
const Split& pictured_split(const Model& model, const Dataset& data) {
  const Split& test = data.test;
  if (test.rows() == 0) return data.train;
  const bool enough = needed_classes(model) == 0 || (test.y.defined() && (test.y >= 0).all().item<bool>());
  return enough ? test : data.train;
}

}  // namespace

bool is_milestone(std::int64_t epoch, std::int64_t epochs) {
  return epoch == 1 || (epochs >= 4 && epoch % (epochs / 4) == 0 && epoch < epochs);
}

void draw_samples_and_filters(const RunFolder& folder, const Model& model, const Dataset& data,
                              const std::string& name, std::uint64_t seed) {
  constexpr std::int64_t samples = 100, steps = 200, most_filters = 100;
  if (!is_picture(data.shape)) return;
  Observer silent;
  Rng rng = Rng(seed).fork({11});
  const std::int64_t classes = columns_by_class(model);
  const SamplingPlan plan{
      .count = classes > 0 ? std::max(samples / classes, std::int64_t{1}) * classes : samples,
      .steps = steps,
      .rows = 1,
      .between = 1,
      .means = true};
  if (can_sample(model))
    folder.write_picture(
        name, picture_of(sample_model(model, plan, rng, silent), data.shape, {.columns = classes}));
  const Tensor filters = model.filters();
  if (filters.defined())
    folder.write_picture(
        "filters",
        picture_of_filters(filters.narrow(0, 0, std::min(most_filters, filters.size(0))), data.shape, {}));
}

void draw_completions(const RunFolder& folder, const Model& model, const Dataset& data, std::uint64_t seed) {
  constexpr std::int64_t cases = 20, steps = 500;
  if (!is_picture(data.shape) || !can_complete(model)) return;
  Observer silent;
  Rng rng = Rng(seed).fork({12});
  const Split& split = pictured_split(model, data);
  std::vector<std::int64_t> index = rng.fork({1}).permutation(split.cases());
  index.resize(static_cast<std::size_t>(std::min(cases, split.cases())));
  const Rows truth = Dataset::rows(split, index, rng.fork({2}));
  const auto* conditional = as<IsConditional>(model);
  const Tensor mask = conditional ? conditional->condition_mask() : Tensor();
  const Tensor given = mask.defined() ? truth.x.masked_fill(mask.logical_not(), std::nanf(""))
                                      : hide_cells(truth.x, data.shape, "bottom", rng);
  const Tensor completed = complete_rows(model, {given, truth.y}, steps, rng, silent);
  folder.write_picture("completions",
                       picture_of(at::cat({truth.x, given, completed}), data.shape, {.columns = cases}));
}

}  // namespace deepgen
