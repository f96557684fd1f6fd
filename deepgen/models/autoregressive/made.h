// MADE, the masked autoencoder for distribution estimation: one network gives all conditionals at once.
//
//   p(x) = prod_p p(x_o(p) | x_o(<p))
//   all log odds = net(x) with masked weights (parts/nets/masked_net.h)
//
// of bits, and of categories the logits of a softmax.
//
// A mask is an order of the variables and a rank for each hidden unit, how many inputs it may see, both drawn
// once from the seed. With several masks one set of weights is trained under each in turn, one mask an
// update; each then is an exact distribution of its own. log_prob, samples and the chain are those of mask 0;
// the mean of the probabilities under many masks (HasOrders) is better, and an ensemble.
//
// Objective: the mean log-probability of the batch under the mask of the turn, exact; the gradient comes from
// automatic differentiation. Inputs and hidden units may be dropped at random in training. Sampled column by
// column, each hidden unit being computed once, when all that it sees is drawn: a sample costs one pass.
//
// Differs from the paper: masks are drawn once for a given number of them, in place of anew now and then;
// direct connections from inputs to outputs by default; Adam in place of Adagrad or Adadelta.
//
// Known to fail: with many masks a net of some hundred units cannot serve them all, and mask 0 alone is worse
// than a net trained for it; small sets are learnt by heart without dropout or patience.
//
// Source: Germain, Gregor, Murray, Larochelle 2015, "MADE: masked autoencoder for distribution estimation",
// equations 8 to 14, sections 4.1 to 4.3.
#pragma once

#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/models/autoregressive/made_options.h"

namespace deepgen {

class Made : public DiscreteAutoregressive, public HasOrders {
 public:
  Made(MadeOptions options, MadeLearning learning, const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  Tensor filters() const override { return net_->first_layer().weight.detach().t(); }  // [hidden, D]

  Tensor log_prob(const Rows& rows) const override { return log_prob_under(rows, 0); }
  std::int64_t orders() const override { return options_.masks; }
  Tensor log_prob_under(const Rows& rows, std::int64_t mask) const override;  // [B] float64
  Tensor logits(const Tensor& x, std::int64_t mask) const;                    // of each column, [B, D]
  Ranks ranks(std::int64_t mask) const;  // an unknown mask is a usage error

  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  Tensor draw_pass(const AncestralPass& pass) const override;
  std::vector<std::int64_t> order() const override { return ranks(0).order; }

 private:
  MadeOptions options_;
  MadeLearning learning_;
  std::shared_ptr<MaskedNet> net_;
  Tensor mask_seed_;  // [1] int64
};

}  // namespace deepgen
