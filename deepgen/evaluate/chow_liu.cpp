#include "deepgen/evaluate/chow_liu.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "deepgen/evaluate/bounds.h"

namespace deepgen {
namespace {

constexpr double strengths[] = {1, 4, 16, 64, 256, 1024};  // pseudo-counts of a pair

// The joint counts of two variables with their margins.
struct PairCounts {
  std::vector<double> joint, first, second;  // joint: row by row of the first
  const double *share_first = nullptr, *share_second = nullptr;
  double rows = 0;
};

PairCounts pair_counts(const Tensor& block, const Tensor& first_shares, const Tensor& second_shares) {
  const Tensor dense = block.contiguous();
  const auto rows = static_cast<std::size_t>(dense.size(0)),
             columns = static_cast<std::size_t>(dense.size(1));
  PairCounts pair;
  const auto* at = dense.data_ptr<double>();
  pair.joint.assign(at, at + rows * columns);
  pair.first.assign(rows, 0), pair.second.assign(columns, 0);
  for (std::size_t a = 0; a < rows; ++a)
    for (std::size_t b = 0; b < columns; ++b) {
      const double n = pair.joint[a * columns + b];
      pair.first[a] += n, pair.second[b] += n, pair.rows += n;
    }
  pair.share_first = first_shares.data_ptr<double>(), pair.share_second = second_shares.data_ptr<double>();
  return pair;
}

// sum over cells of lnGamma(n + s p) - lnGamma(s p)
double cell_term(double count, double pseudo) {
  return count > 0 ? std::lgamma(count + pseudo) - std::lgamma(pseudo) : 0;
}

double margin_term(const std::vector<double>& counts, const double* shares, double strength) {
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) sum += cell_term(counts[i], strength * shares[i]);
  return sum;
}

// ln of the marginal likelihood of the joint counts, less those of the margins, under Dirichlet priors of
// `strength` pseudo-counts:
//
//   ln p(counts) = lnGamma(s) - lnGamma(n + s) + sum over cells of lnGamma(n(a, b) + s m(a) m(b)) - ...
double worth(const PairCounts& pair, double strength) {
  double sum = std::lgamma(pair.rows + strength) - std::lgamma(strength);
  const std::size_t columns = pair.second.size();
  for (std::size_t a = 0; a < pair.first.size(); ++a)
    for (std::size_t b = 0; b < columns; ++b)
      sum += cell_term(pair.joint[a * columns + b], strength * pair.share_first[a] * pair.share_second[b]);
  return sum - margin_term(pair.first, pair.share_first, strength) -
         margin_term(pair.second, pair.share_second, strength);
}

struct Edge {
  std::size_t a = 0, b = 0;
  double worth = 0, strength = 1;
};

Edge judge_pair(const PairCounts& pair, std::size_t a, std::size_t b) {
  Edge best{a, b, worth(pair, strengths[0]), strengths[0]};
  for (const double strength : strengths)
    if (const double value = worth(pair, strength); value > best.worth) best = {a, b, value, strength};
  return best;
}

// The spanning forest of the greatest sum (Kruskal 1956), of edges in any order.
std::vector<Edge> greatest_forest(std::vector<Edge> edges, std::size_t variables) {
  std::stable_sort(edges.begin(), edges.end(),
                   [](const Edge& a, const Edge& b) { return a.worth > b.worth; });
  std::vector<std::size_t> root(variables);
  std::iota(root.begin(), root.end(), std::size_t{0});
  const auto find = [&](std::size_t v) {
    while (root[v] != v) v = root[v] = root[root[v]];
    return v;
  };
  std::vector<Edge> forest;
  for (const Edge& edge : edges) {
    const std::size_t a = find(edge.a), b = find(edge.b);
    if (a == b) continue;
    root[b] = a;
    forest.push_back(edge);
  }
  return forest;
}

// Divides each row by its largest number and adds the logarithm of that to `log_scale`.
void scale_rows(Tensor& rows, Tensor& log_scale) {
  const Tensor largest = rows.amax(1, true);
  rows.div_(largest);
  log_scale.add_(largest.log().squeeze(1));
}

}  // namespace

std::optional<std::vector<DiscreteVariable>> discrete_variables(const std::vector<ColumnGroup>& groups) {
  std::vector<DiscreteVariable> variables;
  for (const ColumnGroup& group : groups) {
    if (group.kind == ColumnKind::softmax)
      variables.push_back({group.first, group.size, false});
    else if (group.kind == ColumnKind::binary)
      for (std::int64_t j = 0; j < group.size; ++j) variables.push_back({group.first + j, 2, true});
    else
      return std::nullopt;
  }
  return variables;
}

ChowLiuTree::ChowLiuTree(std::vector<DiscreteVariable> variables, const Split& train, const Rng& rng)
    : variables_(std::move(variables)) {
  std::vector<std::int64_t> source;
  std::vector<std::uint8_t> zero;
  for (const DiscreteVariable& variable : variables_) {
    offsets_.push_back(all_);
    all_ += variable.states;
    for (std::int64_t s = 0; s < variable.states; ++s) {
      source.push_back(variable.first + (variable.is_bit ? 0 : s));
      zero.push_back(variable.is_bit && s == 0 ? 1 : 0);
    }
  }
  source_ = at::tensor(source, at::kLong);
  is_zero_of_bit_ = at::tensor(zero, at::kByte).to(at::kBool);
  torch::NoGradGuard no_graph;
  count(train, rng);
  grow();
  counts_ = Tensor();
}

Tensor ChowLiuTree::states_of(const Tensor& x) const {
  const Tensor values = x.to(at::kFloat).index_select(1, source_);
  return at::where(is_zero_of_bit_, 1 - values, values).nan_to_num(0);
}

Tensor ChowLiuTree::slice(const Tensor& of_all, std::size_t variable) const {
  return of_all.narrow(-1, offsets_[variable], variables_[variable].states);
}

void ChowLiuTree::count(const Split& train, const Rng& rng) {
  constexpr double work = 3e10;  // products
  constexpr std::int64_t fewest = 5000;
  const auto states = static_cast<double>(std::max<std::int64_t>(all_, 1));
  const std::int64_t most = std::max(fewest, static_cast<std::int64_t>(work / (states * states)));
  const Split rows = rows_as_cases(train);
  counts_ = at::zeros({all_, all_}, at::kDouble);
  // Counts of a chunk are whole numbers that float32 holds.
  each_chunk(rows, random_index(rows, most, rng.fork({1})), rng.fork({2}), [&](const Rows& chunk) {
    const Tensor has = states_of(chunk.x);
    counts_ += has.t().mm(has).to(at::kDouble);
  });
  shares_ = counts_.diagonal().clone();
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    Tensor own = slice(shares_, v);
    own.add_(1 / static_cast<double>(variables_[v].states));
    own.div_(own.sum());
  }
}

void ChowLiuTree::grow() {
  const std::size_t variables = variables_.size();
  const auto block = [&](std::size_t a, std::size_t b) {
    return counts_.narrow(0, offsets_[a], variables_[a].states).narrow(1, offsets_[b], variables_[b].states);
  };
  std::vector<Edge> edges;
  for (std::size_t a = 0; a < variables; ++a)
    for (std::size_t b = a + 1; b < variables; ++b) {
      const PairCounts pair = pair_counts(block(a, b), slice(shares_, a), slice(shares_, b));
      if (const Edge edge = judge_pair(pair, a, b); edge.worth > 0) edges.push_back(edge);
    }
  const std::vector<Edge> forest = greatest_forest(std::move(edges), variables);
  parents_.assign(variables, -1), given_parent_.assign(variables, Tensor());
  std::vector<bool> reached(variables, false);
  for (std::size_t root = 0; root < variables; ++root) {
    if (reached[root]) continue;
    std::size_t next = order_.size();
    order_.push_back(static_cast<std::int64_t>(root)), reached[root] = true;
    for (; next < order_.size(); ++next)
      for (const Edge& edge : forest) {
        const auto parent = static_cast<std::size_t>(order_[next]);
        const std::size_t child = edge.a == parent ? edge.b : edge.a;
        if ((edge.a != parent && edge.b != parent) || reached[child]) continue;
        reached[child] = true, parents_[child] = static_cast<std::int64_t>(parent);
        order_.push_back(static_cast<std::int64_t>(child));
        const Tensor prior = edge.strength * slice(shares_, parent).unsqueeze(1) * slice(shares_, child);
        const Tensor smoothed = block(parent, child) + prior;
        given_parent_[child] = smoothed / smoothed.sum(1, true);
      }
  }
}

Tensor ChowLiuTree::log_prob(const Tensor& x) const {
  torch::NoGradGuard no_graph;
  const Tensor has = states_of(x).to(at::kDouble);
  Tensor result = at::zeros({x.size(0)}, at::kDouble);
  std::vector<Tensor> belief;  // of the states of each variable: what is known at and below it
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    const Tensor own = slice(has, v);
    belief.push_back(at::where(own.sum(1, true) > 0, own, at::ones_like(own)));
  }
  for (auto each = order_.rbegin(); each != order_.rend(); ++each) {
    const auto v = static_cast<std::size_t>(*each);
    if (parents_[v] < 0) {
      result += belief[v].mv(slice(shares_, v).contiguous()).log();
      continue;
    }
    Tensor& above = belief[static_cast<std::size_t>(parents_[v])];
    above = above * belief[v].mm(given_parent_[v].t());
    scale_rows(above, result);
  }
  return result;
}

Tensor ChowLiuTree::independent_log_prob(const Tensor& x) const {
  return states_of(x).to(at::kDouble).mv(shares_.log());
}

}  // namespace deepgen
