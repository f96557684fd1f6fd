#include "deepgen/data/known_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/core/rng.h"

namespace deepgen {

std::vector<std::int64_t> labelled_rows(const Split& split) {
  if (!split.y.defined()) return {};
  const Tensor rows = (split.y >= 0).nonzero().flatten().contiguous();
  return {rows.data_ptr<std::int64_t>(), rows.data_ptr<std::int64_t>() + rows.numel()};
}

void keep_labels(Dataset& set, std::int64_t count, std::uint64_t seed) {
  Split& train = set.train;
  const std::int64_t known = train.y.defined() ? (train.y >= 0).sum().item<std::int64_t>() : 0;
  if (known < count)
    fail_data(set.spec.empty() ? set.name : set.spec,
              fmt::format("expected at least labelled={} training rows with a label, got {}{}", count, known,
                          known == 0 ? "; read labels with the option labels=" : ""));
  Tensor labels = train.y.clone();
  auto* y = labels.data_ptr<std::int64_t>();
  // Of each class the first drawn comes first, then the second of each, and so on.
  std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t>> places;  // within the class, drawn, row
  std::vector<std::int64_t> seen(static_cast<std::size_t>(set.classes));
  Rng rng(seed ^ 0x1ABE15ULL);
  std::int64_t drawn = 0;
  for (const std::int64_t row : rng.permutation(labels.size(0)))
    if (y[row] >= 0) places.emplace_back(seen[static_cast<std::size_t>(y[row])]++, drawn++, row);
  std::sort(places.begin(), places.end());
  for (std::size_t i = static_cast<std::size_t>(count); i < places.size(); ++i)
    y[std::get<2>(places[i])] = -1;
  train.y = count > 0 ? labels : Tensor();
  set.notes.push_back(fmt::format("{} of {} training rows keep their labels", count, known));
}

}  // namespace deepgen
