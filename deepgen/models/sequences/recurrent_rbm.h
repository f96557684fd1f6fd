// What machines of sequences share: each row is the visible layer of a restricted Boltzmann machine whose biases come
// from the rows before.
//
//   p(x_t, h | x_<t) = exp(x_t.b_t + h.c_t + x_t W h) / Z_t
//   -F_t(x) = x.b_t + sum_j softplus(c_tj + (x W)_j)
//
// The state that moves the biases is a function of the rows alone (recurrent_model.h), so no hidden unit has to be
// summed out over time, and log p(x_1, x_2, ...) = sum_t -F_t(x_t) - log Z_t.
//
// Learning: contrastive divergence from each row. k Gibbs steps under its own biases lead to x'; with the hidden means
// m of a row,
//
//   d loss / d W = mean of x' m' - x m
//   d loss / d b_t = x' - x
//   d loss / d c_t = m' - m
//
// and the biases' share goes on back through time.
//
// Scores and draws. Where one of the layers has at most exact_units units, Z_t is the sum over its states, and rows
// are drawn from p itself. Else each row is drawn by annealing, with temperatures 0 = beta_0 < .. < beta_n = 1 and
//
//   -F_beta(x) = x.((1 - beta) b0_t + beta b_t) + sum_j softplus(beta (c_tj + (x W)_j)):
//
//   x_0 ~ p_0, independent bits;  x_k ~ Gibbs step of p_(beta_k) from x_(k-1);  the row is x_n.
//
// b0_t = b_t + W m are the inputs at the mean field of the machine. So rows have a distribution of their own, p_n,
// which tends to that of the machine as n grows. It has an unbiased estimate from chains that go the way back from x:
//
//   w = exp(-F_1(x)) / Z_0  prod_(k=n..1) exp(F_(beta_k)(x_k) - F_(beta_(k-1))(x_k)),  E[w] = p_n(x),
//
// x_k being one Gibbs step of p_(beta_k) from x_(k+1), x itself at first. The mean of log w is a lower bound of
// log p_n(x), the better the more chains are averaged: of the model as it draws, and no more than it. An estimate of
// Z_t by chains that start at the base makes log-probabilities too high on average:
//
//   w = Z_0 prod_(k=1..n) exp(F_(beta_(k-1))(x_(k-1)) - F_(beta_k)(x_(k-1))),  E[w] = Z_t,
//
// with the draws x_0, x_1, .. from above. The sources of these models report it, so it stands beside the bound, as
// log_prob_annealed, and says what it is.
//
// Sources: Hinton 2002 (contrastive divergence); Neal 2001, "Annealed importance sampling"; Burda, Grosse, Salakhutdinov 2015, "Accurate and conservative
// estimates of MRF log-likelihood using reverse annealing", section 3.
#pragma once

#include <memory>
#include <vector>

#include "deepgen/model/extra_scores.h"
#include "deepgen/models/sequences/recurrent_model.h"
#include "deepgen/models/sequences/rnn_rbm_options.h"

namespace deepgen {

class RecurrentRbm : public RecurrentModel, public HasBound, public HasExtraScores {
 public:
  // A lower bound of each row given those before it, or exact ([B] float64).
  Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  RowScoreKind bound_kind() const override;
  // Where that is no exact score: log_prob_annealed, log Z of each row from `samples` annealed chains.
  std::vector<ExtraScore> extra_scores(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  Tensor filters() const override { return weights.detach().t(); }  // [H, D]

  // -F_t(x) of each row, [B] float64.
  Tensor log_unnormalised(const Rows& rows) const;
  bool is_exact() const;

  Tensor weights;  // W [D, H]

 protected:
  struct Plan {
    std::int64_t temperatures, exact_units, gibbs_steps;
  };
  RecurrentRbm(std::string name, const DataShape& data, std::int64_t hidden);
  virtual Plan plan() const = 0;
  void initialise_machine(const Rows& sample, Rng& rng);

  Metrics row_gradients(const Tensor& x, const RowBiases& biases, RowBiases& slopes, const Turn& turn,
                        Rng& rng) override;
  Tensor draw_rows(const RowBiases& biases, Rng& rng) const override;

 private:
  struct Annealed;
  struct Enumerated;
  Tensor hidden_input(const Tensor& x) const;   // x W
  Tensor visible_input(const Tensor& h) const;  // h W'
  Tensor minus_free_energy(const Tensor& x, const RowBiases& biases) const;
  Annealed annealed(const RowBiases& biases) const;
  Tensor visible_draw(const Tensor& h, const Annealed& path, double beta, Rng& rng) const;
  Tensor annealed_log_weights(const Tensor& x, const RowBiases& biases, Rng& rng) const;
  Tensor annealed_rows(const RowBiases& biases, Rng& rng, Tensor* log_weights = nullptr) const;
  Enumerated enumerated() const;
  Tensor exact_log_prob_of(const Tensor& x, const RowBiases& biases) const;
  Tensor exact_rows(const RowBiases& biases, Rng& rng) const;

  const UnitLayer visible_, hidden_;
};

}  // namespace deepgen
