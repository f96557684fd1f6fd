// The deep belief network as a classifier: layers that are learnt without labels, a softmax layer on top of
// them, and all weights together fine-tuned to tell the classes apart.
//
// With the way up of fine_tuned_dbn.h, whose uppermost means are h_L,
//
//   p(y | x) = softmax(h_L U + d)_y.
//
// Objective of the stage fine_tune, the mean over the rows of a batch of
//
//   known label     log p(y | x)
//   unknown label   0:
//
// rows without a label are learnt from by the layers alone (semi-supervised). U begins at zero and d at the
// shares of the classes, so that p(y | x) is right on average before the first update.
//
// Dropout (off by default): in each update each row leaves out units of the cells and of the hidden layers at
// random and makes the others larger, m a draw of 0 and 1 with mean 1 - share,
//
//   h <- h m / (1 - share).
//
// Nothing is left out in scores and codes. With max_norm = c, after each update, the weights into every unit
// j are
//
//   W_j <- W_j min(1, c / |W_j|).
//
// The code of a case is h_L. Training is judged by log p(y | x) of the validation rows.
//
// Known to fail: where labels are few, fine_tune sees each of them once an epoch and nothing else: give it
// more epochs (training.fine_share) and some dropout. Without pretraining, several layers of sigmoid units
// begin slowly. Rows with missing cells are refused.
//
// Sources: Hinton, Osindero, Teh 2006, "A fast learning algorithm for deep belief nets"; Bengio, Lamblin,
// Popovici, Larochelle 2007, "Greedy layer-wise training of deep networks", section 3; Hinton, Srivastava,
// Krizhevsky, Sutskever, Salakhutdinov 2012, "Improving neural networks by preventing co-adaptation of
// feature detectors"; Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
// overfitting", section 4.1 (max-norm) and 6.1.
#pragma once

#include "deepgen/models/belief/dbn_classifier_options.h"
#include "deepgen/models/belief/fine_tuned_dbn.h"

namespace deepgen {

class DbnClassifier : public FineTunedDbn, public CanClassify {
 public:
  DbnClassifier(DbnClassifierOptions options, DbnClassifierLearning learning, const DataShape& data);

  // Labels must be known of some rows of the sample.
  void initialise(const Rows& sample, Rng& rng) override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  std::int64_t classes() const override { return softmax_->weight.size(1); }
  Tensor log_class_probs(const Rows& rows) const override;
  bool judged_by_classes() const override { return true; }

  const DenseLayer& softmax() const { return *softmax_; }

 protected:
  std::vector<Tensor> own_parameters() const override { return {softmax_->weight, softmax_->bias}; }
  void begin_fine_tune(const Rows& sample) override;
  Tensor fine_loss(const Rows& batch, Rng& rng, Metrics& metrics) const override;
  bool learns_from_labels() const override { return true; }
  void project_fine() override;
  Metrics diagnose_fine(const Rows& train, const Rows& valid) const override;

 private:
  Tensor logits(const Tensor& x, const Dropout& dropout = {}) const;  // [B, classes]

  DbnClassifierOptions options_;
  DbnClassifierLearning learning_;
  std::shared_ptr<DenseLayer> softmax_;
};

}  // namespace deepgen
