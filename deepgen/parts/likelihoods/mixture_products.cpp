// Components whose columns are independent: blocks of columns of one kind, side by side.
#include "deepgen/parts/likelihoods/mixture_products.h"

#include <map>

namespace deepgen {
namespace {

// Gaussian components take real numbers, those in [0, 1] among them.
UnitLayer units_of_groups(std::vector<ColumnGroup> groups) {
  for (ColumnGroup& group : groups)
    if (group.kind == ColumnKind::mean_field) group.kind = ColumnKind::gaussian;
  return UnitLayer::of(groups);
}

}  // namespace

std::shared_ptr<MixtureComponents> product_components(std::int64_t count,
                                                      const std::vector<ColumnGroup>& groups,
                                                      GaussianPrior prior) {
  std::map<ColumnKind, std::vector<std::int64_t>> columns;
  std::vector<std::int64_t> sizes;  // of the one-hot groups
  for (const ColumnGroup& group : groups) {
    const bool share = group.kind == ColumnKind::mean_field;
    if (group.kind == ColumnKind::softmax) sizes.push_back(group.size);
    std::vector<std::int64_t>& list = columns[share ? ColumnKind::gaussian : group.kind];
    for (std::int64_t j = 0; j < group.size; ++j) list.push_back(group.first + j);
  }
  std::vector<JoinedComponents::Block> blocks;  // in an order that checkpoints know
  const auto add = [&](ColumnKind kind, auto make) {
    const std::vector<std::int64_t>& list = columns[kind];
    if (!list.empty()) blocks.push_back({make(static_cast<std::int64_t>(list.size())), list});
  };
  const double a = prior.pseudo_count;
  add(ColumnKind::binary, [&](auto d) { return std::make_shared<BernoulliComponents>(count, d, a); });
  add(ColumnKind::gaussian, [&](auto d) { return std::make_shared<DiagonalComponents>(count, d, prior); });
  add(ColumnKind::softmax, [&](auto) { return std::make_shared<CategoricalComponents>(count, sizes, a); });
  add(ColumnKind::count, [&](auto d) { return std::make_shared<PoissonComponents>(count, d, a); });
  return std::make_shared<JoinedComponents>(groups, std::move(blocks));
}

JoinedComponents::JoinedComponents(const std::vector<ColumnGroup>& groups, std::vector<Block> blocks)
    : units_(units_of_groups(groups)), blocks_(std::move(blocks)) {
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    register_module("block" + std::to_string(b), blocks_[b].components);
    index_.push_back(at::tensor(blocks_[b].columns, at::kLong));
  }
}

Tensor JoinedComponents::take(const Tensor& x, std::size_t block) const {
  return blocks_.size() == 1 ? x : x.index_select(-1, index_[block]);
}

void JoinedComponents::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "components", what, first_row);
}

void JoinedComponents::start(const ColumnMoments& data, const Tensor& centres) {
  for (std::size_t b = 0; b < blocks_.size(); ++b)
    blocks_[b].components->start({take(data.mean, b), take(data.variance, b)}, take(centres, b));
}

Tensor JoinedComponents::log_densities(const Tensor& x) const {
  Tensor sum;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Tensor part = blocks_[b].components->log_densities(take(x, b));
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

void JoinedComponents::gather(const Tensor& x, const Tensor& r) {
  for (std::size_t b = 0; b < blocks_.size(); ++b) blocks_[b].components->gather(take(x, b), r);
}

void JoinedComponents::maximise() {
  for (Block& block : blocks_) block.components->maximise();
}

double JoinedComponents::log_prior() const {
  double sum = 0;
  for (const Block& block : blocks_) sum += block.components->log_prior();
  return sum;
}

Tensor JoinedComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  Tensor out = x.clone();
  for (std::size_t b = 0; b < blocks_.size(); ++b)
    out.index_copy_(1, index_[b], blocks_[b].components->draw(take(x, b), which, rng));
  return out;
}

Tensor JoinedComponents::means() const {
  Tensor out;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Tensor part = blocks_[b].components->means();
    if (!out.defined()) out = at::zeros({part.size(0), units_.size()});
    out.index_copy_(1, index_[b], part);
  }
  return out;
}

Tensor JoinedComponents::distance_scale(const ColumnMoments& data) const {
  Tensor out = at::ones({units_.size()});
  for (std::size_t b = 0; b < blocks_.size(); ++b)
    out.index_copy_(0, index_[b],
                    blocks_[b].components->distance_scale({take(data.mean, b), take(data.variance, b)}));
  return out;
}

}  // namespace deepgen
