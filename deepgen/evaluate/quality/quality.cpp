#include "deepgen/evaluate/quality/quality.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace deepgen::quality {
namespace {

Likeness likeness_of(const std::vector<Field>& fields, const Table& real, const Table& rows, const Rng& rng,
                     Observer& observer) {
  return {shapes(fields, real, rows), trends(fields, real, rows, rng.fork({1})),
          detect(fields, real, rows, rng.fork({2}), observer)};
}

}  // namespace

std::vector<std::size_t> Report::worst_columns() const {
  const std::vector<double> means = means_by_column(likeness.trends, fields.size());
  std::vector<double> scores;
  for (std::size_t j = 0; j < fields.size(); ++j)
    scores.push_back(std::isnan(means[j]) ? likeness.shapes[j].score
                                          : (likeness.shapes[j].score + means[j]) / 2);
  std::vector<std::size_t> order(fields.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  return order;
}

Report judge(const Tables& tables, const Names& names, const std::string& target, std::uint64_t seed,
             Observer& observer) {
  const Rng rng(seed);
  target_column(tables.fields, target);  // a wrong name is an error before the work
  Report report;
  report.synthetic = names.synthetic, report.real = names.real, report.test = names.test, report.seed = seed;
  report.synthetic_rows = tables.synthetic.rows;
  report.real_rows = tables.real.rows, report.test_rows = tables.test.rows;
  report.fields = tables.fields, report.notes = tables.notes;
  report.likeness = likeness_of(tables.fields, tables.real, tables.synthetic, rng.fork({1}), observer);
  report.of_held_out = likeness_of(tables.fields, tables.real, tables.test, rng.fork({2}), observer);
  report.of_independent = likeness_of(
      tables.fields, tables.real, independent_columns(tables.real, rng.fork({3})), rng.fork({4}), observer);
  report.from_held_out = detect(tables.fields, tables.test, tables.synthetic, rng.fork({5}), observer);
  report.usefulness = usefulness(tables, target, rng.fork({6}), observer);
  report.closeness = closeness(tables, rng.fork({7}), observer);
  return report;
}

}  // namespace deepgen::quality
