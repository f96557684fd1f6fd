#include "deepgen/models/belief/tied_belief_net.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

Tensor column(const Tensor& x) { return x.unsqueeze(1); }

double sum_of(const Tensor& table) { return table.sum(-1).sum().item<double>(); }

}  // namespace

TiedBeliefNet::TiedBeliefNet(const EnumeratedRbm& machine, std::size_t depth) {
  if (depth < 1) fail_data("tied_belief_net", fmt::format("expected a depth of at least 1, got {}", depth));
  machines_.assign(depth, machine);
  untie(0, machine);
}

void TiedBeliefNet::untie(std::size_t first, const EnumeratedRbm& machine) {
  if (first >= depth())
    fail_data("tied_belief_net",
              fmt::format("expected a first layer below the depth of {}, got {}", depth(), first));
  if (machine.visible() != machines_[first].visible())
    fail_data("tied_belief_net",
              fmt::format("expected a machine on the {} units of layer {}, got one of {} visible units",
                          machines_[first].visible(), first, machine.visible()));
  const EnumeratedRbm turned = machine.transposed();
  for (std::size_t l = first; l < depth(); ++l) machines_[l] = (l - first) % 2 == 0 ? machine : turned;
}

Tensor TiedBeliefNet::prior(std::size_t l) const {
  if (l == depth()) return machines_.back().p_hidden();
  Tensor p = machines_.back().p_visible();
  for (std::size_t below = depth() - 1; below-- > l;) p = machines_[below].down().t().mv(p);
  return p;
}

Tensor TiedBeliefNet::posterior(std::size_t l) const {
  if (l + 1 == depth()) return machines_[l].up();
  return machines_[l].down().t() * prior(l + 1) / column(prior(l));
}

double TiedBeliefNet::log_likelihood(const Tensor& data) const { return sum_of(at::xlogy(data, prior(0))); }

Tensor TiedBeliefNet::inferred(const Tensor& data, std::size_t l) const {
  Tensor q = data;
  for (std::size_t below = 0; below < l; ++below) q = recognition(below).t().mv(q);
  return q;
}

double TiedBeliefNet::bound(const Tensor& data) const {
  double bound = 0;
  Tensor q = data;
  for (std::size_t l = 0; l + 1 < depth(); ++l) {
    const Tensor pair = recognition(l) * column(q);  // q(s_l, s_l+1)
    bound += sum_of(at::xlogy(pair, machines_[l].down().t()) - at::xlogy(pair, recognition(l)));
    q = pair.sum(0);
  }
  return bound + sum_of(q * machines_.back().log_p_visible());
}

std::vector<RbmMoments> TiedBeliefNet::gradient_terms(const Tensor& data) const {
  std::vector<RbmMoments> terms;
  Tensor q = data;  // the posterior of s_l
  for (std::size_t l = 0; l + 1 < depth(); ++l) {
    const EnumeratedRbm& layer = machines_[l];
    const Tensor pair = posterior(l) * column(q), above = pair.sum(0);
    const Tensor upper = layer.hidden_states(), lower = layer.visible_states();
    const Tensor mean = layer.visible_means() * column(above);  // <s_l | s_l+1>, in its share
    terms.push_back({lower.t().mm(pair).mm(upper) - mean.t().mm(upper), lower.t().mv(q) - mean.sum(0),
                     at::zeros({layer.hidden()}, at::kDouble)});
    q = above;
  }
  const EnumeratedRbm& top = machines_.back();
  terms.push_back(top.moments(q) - top.model_moments());
  return terms;
}

RbmMoments TiedBeliefNet::tied_sum(const std::vector<RbmMoments>& terms, std::size_t count) {
  if (count < 1 || count > terms.size())
    fail_data("tied_belief_net", fmt::format("expected 1 to {} terms, got {}", terms.size(), count));
  RbmMoments sum = terms.front();
  for (std::size_t l = 1; l < count; ++l) sum = sum + (l % 2 == 0 ? terms[l] : terms[l].transposed());
  return sum;
}

}  // namespace deepgen
