#include "deepgen/evaluate/reconstruction.h"

#include <fmt/format.h>

#include <map>
#include <numeric>

#include "deepgen/tasks/classification.h"
#include "deepgen/tasks/codes.h"

namespace deepgen {
namespace {

constexpr double smallest = 1e-7;  // of a mean whose logarithm is taken: float32 tells no more

// Errors of one kind of column of x and its decoded mean m, [B, columns of that kind] float64: [B].
Tensor cross_entropy(const Tensor& m, const Tensor& x) {
  const Tensor mean = m.clamp(smallest, 1 - smallest);
  return -(x * mean.log() + (1 - x) * (-mean).log1p()).sum(1);
}

Tensor squared_distance(const Tensor& m, const Tensor& x) { return (m - x).square().sum(1); }

Tensor category_entropy(const Tensor& m, const Tensor& x, const std::vector<std::int64_t>& sizes) {
  Tensor sum = at::zeros({x.size(0)}, at::kDouble);
  std::int64_t first = 0;
  for (const std::int64_t size : sizes) {
    const Tensor shares = m.narrow(1, first, size).clamp_min(smallest);
    sum -= (x.narrow(1, first, size) * (shares / shares.sum(1, true)).log()).sum(1);
    first += size;
  }
  return sum;
}

// Columns of one kind.
struct Part {
  ColumnKind kind;
  std::vector<std::int64_t> columns, sizes;  // sizes: of the groups
};

std::vector<Part> parts_of(const std::vector<ColumnGroup>& groups) {
  std::map<ColumnKind, Part> parts;
  for (const ColumnGroup& group : groups) {
    Part& part = parts.try_emplace(group.kind, Part{group.kind, {}, {}}).first->second;
    part.sizes.push_back(group.size);
    for (std::int64_t j = 0; j < group.size; ++j) part.columns.push_back(group.first + j);
  }
  std::vector<Part> all;
  for (const auto& [kind, part] : parts) all.push_back(part);
  return all;
}

Tensor errors_of(const Part& part, const Tensor& m, const Tensor& x) {
  const bool all = std::ssize(part.columns) == x.size(1);
  const Tensor columns = at::tensor(part.columns, at::kLong);
  const Tensor mean = all ? m : m.index_select(1, columns), truth = all ? x : x.index_select(1, columns);
  if (part.kind == ColumnKind::binary) return cross_entropy(mean, truth);
  if (part.kind == ColumnKind::softmax) return category_entropy(mean, truth, part.sizes);
  return squared_distance(mean, truth);
}

struct Words {
  std::string name, unit, how;
};

Words words_of(ColumnKind kind, const Dataset& data) {
  const std::string between = " between a case and the decoded mean of its code";
  const bool standard = !data.transform.mean.empty() || data.transform.whitened() || !data.table.empty();
  switch (kind) {
    case ColumnKind::binary:
      return {"bits", "nats", "cross entropy" + between};
    case ColumnKind::softmax:
      return {"categories", "nats", "cross entropy" + between};
    case ColumnKind::count:
      return {"counts", "squared counts", "squared distance" + between};
    case ColumnKind::gaussian:
      return {"real", standard ? "squared standard deviations" : "squared units",
              "squared distance" + between};
    case ColumnKind::mean_field:
      return {"grey", "squared units", "squared distance" + between};
  }
  return {};
}

// The cases that can be asked.
std::vector<std::int64_t> askable(const Model& model, const Split& split) {
  if (needed_classes(model) > 0 && !split.starts.defined()) return labelled_rows(split);
  std::vector<std::int64_t> index(static_cast<std::size_t>(split.cases()));
  std::iota(index.begin(), index.end(), std::int64_t{0});
  return index;
}

Tensor sums_of_cases(const Tensor& errors, const Tensor& starts) {
  std::vector<Tensor> columns;
  for (std::int64_t i = 0; i < errors.size(1); ++i)
    columns.push_back(case_sums(errors.select(1, i).contiguous(), starts));
  return at::stack(columns, 1);
}

}  // namespace

std::vector<Score> reconstruction_scores(const Model& model, const Dataset& data, const Split& split,
                                         const Rng& rng) {
  if (!can_reconstruct(model)) return {};
  const std::vector<std::int64_t> index = askable(model, split);
  if (index.empty()) return {};
  const std::vector<Part> parts = parts_of(data.data_shape().column_groups());
  NoGradGuard no_graph;
  Tensor errors = map_rows(split, index, rng, [&](const Rows& rows) {
    const Tensor m = reconstruct(model, rows).to(at::kDouble), x = rows.x.to(at::kDouble);
    std::vector<Tensor> columns;
    for (const Part& part : parts) columns.push_back(errors_of(part, m, x));
    return at::stack(columns, 1);
  });
  if (split.starts.defined()) errors = sums_of_cases(errors, split.starts);
  errors = errors.index_select(0, errors.isnan().any(1).logical_not().nonzero().flatten());
  if (errors.size(0) == 0) return {};
  const char* of_cases = split.starts.defined() ? "; sum over the rows of a case" : "";
  std::vector<Score> scores;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Words words = words_of(parts[i].kind, data);
    const std::string metric = "reconstruction_error" + (parts.size() > 1 ? "_" + words.name : "");
    const Tensor values = errors.select(1, static_cast<std::int64_t>(i)).contiguous();
    scores.push_back(case_score(metric, split.name, ScoreKind::proxy, values, {}, words.how + of_cases));
    scores.back().unit = words.unit;
  }
  return scores;
}

}  // namespace deepgen
