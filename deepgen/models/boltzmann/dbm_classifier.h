// A classifier made of a deep Boltzmann machine (dbm.h): a network whose layers begin as those of the
// machine, with what the machine infers beside the data, and fine-tuned by back-propagation.
//
// The machine's mean field gives each case x the means q_1, ..., q_L of its hidden layers. In the machine a
// layer receives what its neighbours on both sides send; here what comes from below is the network's own,
// what comes from above the machine's:
//
//   h_0 = x
//   h_l = sigmoid(h_l-1 A_l + q_l+1 B_l + c_l)     l < L
//   h_L = sigmoid(h_L-1 A_L + c_L)
//   p(y | x) = softmax(h_L U + d).
//
// With two hidden layers that is a network of [x, q_2], h_1 and h_2. At the start
//
//   A_l = W_l-1,   B_l = W_l^T,   c_l = b_l,   U = 0,   d = 0,
//
// so where the mean field has come to rest, h_l = q_l. Fine-tuning moves A, B, c, U and d along the gradient
// of log p(y | x) over the labelled rows and leaves the machine as it is: it may learn to leave q out.
//
// Stages: those of the machine (dbm.h), which learn p(x) of all rows, labelled or not, then "fine_tune".
// Samples, completion, scores of x and codes are the machine's, before and after.
//
// Known to fail: what dbm.h says of the machine. A row costs a mean field before the network sees it, most of
// the time of fine-tuning. Missing cells are refused.
//
// Source: Salakhutdinov and Hinton 2009, "Deep Boltzmann machines", section 3.4.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/models/boltzmann/dbm_classifier_options.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

class DbmClassifier : public Model,
                      public HasGradients,
                      public HasBound,
                      public HasLogPartition,
                      public HasTopMachine,
                      public CanClassify,
                      public CanComplete,
                      public CanEncode,
                      public CanDecode {
 public:
  DbmClassifier(DbmOptions options, DbmClassifierLearning learning, const DataShape& data);

  // Training. Labels must be known of some rows of the sample.
  std::vector<Stage> stages() override;  // of the machine, then "fine_tune"
  void initialise(const Rows& sample, Rng& rng) override;
  void begin_stage(const Turn& turn, const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void project(const Turn& turn) override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  Tensor filters() const override { return machine_->filters(); }
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  void check_optimiser(const std::string& name, int stage) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Classes. The labels of the rows play no part.
  std::int64_t classes() const override { return classes_; }
  Tensor log_class_probs(const Rows& rows) const override;
  bool judged_by_classes() const override { return true; }
  // The uppermost layer of the network, [B, n_L].
  Tensor last_hidden(const Tensor& x) const;

  // The machine's.
  Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const override {
    return machine_->log_prob_bound(rows, samples, rng);
  }
  RowScoreKind bound_kind() const override { return machine_->bound_kind(); }
  std::int64_t enumeration_units() const override { return machine_->enumeration_units(); }
  std::optional<double> exact_log_partition() const override { return machine_->exact_log_partition(); }
  const Model& top_machine() const override { return machine_->top_machine(); }
  Tensor states_of(const Tensor& x, Rng& rng) const override { return machine_->states_of(x, rng); }
  Tensor cases_of(const Tensor& states, bool means, Rng& rng) const override {
    return machine_->cases_of(states, means, rng);
  }
  Tensor complete(const Rows& rows, Rng& rng) const override { return machine_->complete(rows, rng); }
  Tensor encode(const Rows& rows) const override { return machine_->encode(rows); }
  Tensor decode(const Rows& codes) const override { return machine_->decode(codes); }

  const Dbm& machine() const { return *machine_; }
  // [A_l; B_l] [n_l-1 + n_l+1, n_l] and c_l of layer l = 1, 2, ... in place l - 1; U and d.
  const std::vector<std::shared_ptr<DenseLayer>>& layers() const { return layers_; }
  const DenseLayer& output() const { return *output_; }

 private:
  int machine_stages() const;
  void start_network();  // from the machine as it is
  std::vector<Tensor> network_parameters() const;
  Tensor last_hidden(const Tensor& x, const DbmLayers& q, const Dropout& dropout) const;
  Metrics fine_tune(const Rows& batch, Rng& rng);

  DbmOptions options_;
  DbmClassifierLearning learning_;
  std::int64_t classes_;
  std::shared_ptr<Dbm> machine_;
  std::vector<std::shared_ptr<DenseLayer>> layers_;
  std::shared_ptr<DenseLayer> output_;
};

}  // namespace deepgen
