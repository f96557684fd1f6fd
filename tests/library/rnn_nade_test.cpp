// RNN-NADE and the recurrent state below it: enumeration of short sequences, gradients against their composed twin in
// double precision, rows that know their own past alone, drawing from nothing, runs over sequences.
#include "deepgen/models/sequences/rnn_nade.h"

#include "deepgen/core/observer.h"
#include "deepgen/evaluate/likelihood.h"
#include "deepgen/ops/nade.h"
#include "deepgen/tasks/sequences.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"

namespace deepgen::rnn_nade_test {
namespace {

using namespace machines;
using Numbers = std::vector<std::int64_t>;

Rows sequences(const Tensor& x, const Numbers& starts) {
  Rows rows(x);
  rows.starts = at::tensor(starts, at::kLong);
  return rows;
}

std::shared_ptr<RnnNade> small_model(std::int64_t columns, double scale, std::uint64_t seed,
                                     std::int64_t hidden = 4, std::int64_t recurrent = 3) {
  RnnNadeOptions options;
  options.hidden = hidden, options.recurrent = recurrent;
  const auto model = std::make_shared<RnnNade>(options, NoOptions{}, bits_shape(columns));
  Rng rng(seed);
  randomise(*model, scale, rng);
  return model;
}

// ---------------------------------------------------------------- packing

TEST(PackedSequences, RowsOfOneTimeLieTogether) {
  const PackedSequences packed =
      pack_sequences(at::tensor(Numbers{0, 2, 3}, at::kLong), 7);  // 2, 1 and 4 rows
  EXPECT_EQ(packed.sizes, (Numbers{3, 2, 1, 1}));
  expect_near(doubles(packed.order), {3, 0, 2, 4, 1, 5, 6}, 0, "order");
  expect_near(doubles(packed.last), {4, 2, 6}, 0, "last");
  const Tensor rows = at::arange(7, at::kFloat).unsqueeze(1);
  expect_bit_equal(packed.unpacked(packed.packed(rows)), rows, "there and back");
}

TEST(PackedSequences, MayBeEmptyOrSingleRows) {
  const PackedSequences some =
      pack_sequences(at::tensor(Numbers{0, 0, 2, 2}, at::kLong), 2);  // 0, 2, 0, 0 rows
  EXPECT_EQ(some.sizes, (Numbers{1, 1}));
  expect_near(doubles(some.last), {-1, 1, -1, -1}, 0, "last");
  EXPECT_TRUE(pack_sequences(at::zeros({3}, at::kLong), 0).sizes.empty());
  EXPECT_EQ(pack_sequences({}, 4).sizes, (Numbers{4})) << "every row a case of its own";
}

// ---------------------------------------------------------------- probabilities

// All sequences of two rows of three bits.
TEST(RnnNade, ProbabilitiesOfAllSequencesSumToOne) {
  for (const double scale : {0.0, 0.7, 3.0}) {
    const auto model = small_model(3, scale, 3);
    const Tensor x = all_states(6).view({128, 3});
    Numbers starts;
    for (std::int64_t s = 0; s < 64; ++s) starts.push_back(2 * s);
    const Rows rows = sequences(x, starts);
    const Tensor log_prob = model->log_prob(rows);
    ASSERT_EQ(log_prob.sizes(), at::IntArrayRef({128}));
    EXPECT_NEAR(case_sums(log_prob, rows.starts).exp().sum().item<double>(), 1, 1e-5) << scale;
    // Given any first row the second ones have a distribution too.
    const Tensor second = log_prob.view({64, 2}).select(1, 1).exp().view({8, 8});
    expect_near(doubles(second.sum(0)), Doubles(8, 1.0), 1e-5, "second rows");
    if (scale > 0) {
      EXPECT_GT((second.select(1, 0) - second.select(1, 7)).abs().max().item<double>(), 1e-3)
          << "the first row makes no difference";
    }
  }
}

TEST(RnnNade, ARowKnowsItsOwnPastAlone) {
  const auto model = small_model(5, 0.8, 5);
  Rng rng(7);
  const Tensor x = bits_tensor(9, 5, rng);
  const Numbers starts = {0, 4, 6};
  const Tensor all = model->log_prob(sequences(x, starts));
  // Another sequence, and a later row, may change as they like.
  Tensor other = x.clone();
  other.narrow(0, 4, 2).copy_(1 - x.narrow(0, 4, 2));
  other[3].copy_(1 - x[3]);
  const Tensor changed = model->log_prob(sequences(other, starts));
  expect_near(doubles(changed.narrow(0, 0, 3)), doubles(all.narrow(0, 0, 3)), 0, "earlier rows");
  expect_near(doubles(changed.narrow(0, 6, 3)), doubles(all.narrow(0, 6, 3)), 0, "other sequences");
  EXPECT_NE(changed[3].item<double>(), all[3].item<double>());
  // Whatever a sequence is batched with.
  const Tensor alone = model->log_prob(sequences(x.narrow(0, 4, 2), {0}));
  expect_near(doubles(alone), doubles(all.narrow(0, 4, 2)), 1e-5, "alone");
  // A first row is as one that is no sequence.
  const Tensor plain = model->log_prob(x);
  for (const std::int64_t first : starts)
    EXPECT_NEAR(plain[first].item<double>(), all[first].item<double>(), 1e-6);
  EXPECT_GT((plain - all).abs().max().item<double>(), 1e-3) << "the past makes no difference";
}

// ---------------------------------------------------------------- gradients

// Minus the mean over the rows of log p, in double precision, from the equations.
Tensor twin_loss(const RnnNade& model, const std::vector<Tensor>& leaves, const Tensor& x,
                 const Numbers& starts) {
  std::map<std::string, Tensor> p;
  std::size_t at = 0;
  for (const auto& item : model.named_parameters()) p[item.key()] = leaves[at++];
  Tensor sum = at::zeros({}, at::kDouble);
  for (std::size_t c = 0; c < starts.size(); ++c) {
    const std::int64_t end = c + 1 < starts.size() ? starts[c + 1] : x.size(0);
    const Tensor own = x.narrow(0, starts[c], end - starts[c]).to(at::kDouble);
    const Tensor states = composed::recurrent_states(own, {p["input"], p["state"], p["state_bias"]});
    for (std::int64_t t = 0; t < own.size(0); ++t) {
      Tensor b = p["b"], h = p["c"];
      if (t > 0) b = b + states[t - 1].matmul(p["to_visible"]), h = h + states[t - 1].matmul(p["to_hidden"]);
      const Tensor logits = composed::nade_logits(own[t].unsqueeze(0), {p["W"], h, p["V"], b}).squeeze(0);
      sum = sum + (own[t] * logits - at::softplus(logits, 1, 40)).sum();
    }
  }
  return -sum / static_cast<double>(x.size(0));
}

TEST(RnnNadeGradient, EqualsAutomaticDifferentiation) {
  for (const double scale : {0.1, 0.8}) {
    const auto model = small_model(5, scale, 11);
    Rng rng(13);
    const Tensor x = bits_tensor(11, 5, rng);
    const Numbers starts = {0, 3, 4, 9};
    std::vector<Tensor> leaves;
    for (const Tensor& p : model->parameters())
      leaves.push_back(p.detach().to(at::kDouble).clone().requires_grad_(true));
    const auto wanted = torch::autograd::grad({twin_loss(*model, leaves, x, starts)}, leaves);
    model->gradients(sequences(x, starts), {}, rng);
    const auto named = model->named_parameters();
    for (std::size_t i = 0; i < leaves.size(); ++i)
      expect_near(doubles(named[i].value().grad()), doubles(wanted[i]), 1e-5, named[i].key());
    // It is written, and not added to what is there.
    model->gradients(sequences(bits_tensor(3, 5, rng), {0}), {}, rng);
    model->gradients(sequences(x, starts), {}, rng);
    for (std::size_t i = 0; i < leaves.size(); ++i)
      expect_near(doubles(named[i].value().grad()), doubles(wanted[i]), 1e-5, named[i].key() + " again");
  }
}

// ---------------------------------------------------------------- drawing

TEST(RnnNade, DrawsFollowTheProbabilities) {
  const auto model = small_model(3, 0.9, 17);
  constexpr std::int64_t cases = 40000;
  Rng rng(19);
  Rows none(at::empty({0, 3}));
  none.starts = at::zeros({cases}, at::kLong);
  const Tensor drawn = model->continue_sequences(none, 2, rng);
  ASSERT_EQ(drawn.sizes(), at::IntArrayRef({cases, 2, 3}));
  Numbers starts;
  for (std::int64_t s = 0; s < 64; ++s) starts.push_back(2 * s);
  const Rows rows = sequences(all_states(6).view({128, 3}), starts);
  expect_drawn_from(drawn.view({cases, 6}), doubles(case_sums(model->log_prob(rows), rows.starts).exp()),
                    "sequences of two rows");
}

TEST(RnnNade, GoesOnFromWhereEachSequenceStands) {
  const auto model = small_model(3, 1.2, 23);
  constexpr std::int64_t cases = 20000;
  // Half of the cases have begun with two rows, the others are empty.
  const Tensor begun = at::tensor({1.0F, 0.0F, 1.0F, 1.0F, 1.0F, 0.0F}).view({2, 3});
  Rows rows(begun.repeat({cases, 1}));
  rows.starts = at::cat({at::arange(cases, at::kLong) * 2, at::full({cases}, 2 * cases, at::kLong)});
  Rng rng(29);
  const Tensor drawn = model->continue_sequences(rows, 1, rng);
  ASSERT_EQ(drawn.sizes(), at::IntArrayRef({2 * cases, 1, 3}));
  Numbers starts;
  Tensor thirds = at::empty({24, 3});
  for (std::int64_t s = 0; s < 8; ++s) {
    starts.push_back(3 * s);
    thirds.narrow(0, 3 * s, 2).copy_(begun);
    thirds[3 * s + 2].copy_(all_states(3)[s]);
  }
  const Tensor logs = model->log_prob(sequences(thirds, starts)).view({8, 3}).select(1, 2);
  expect_drawn_from(drawn.narrow(0, 0, cases).squeeze(1), doubles(logs.exp()), "third rows");
  expect_drawn_from(drawn.narrow(0, cases, cases).squeeze(1), doubles(model->log_prob(all_states(3)).exp()),
                    "first rows");
}

TEST(RnnNade, TheTaskDrawsAndGoesOn) {
  const auto model = small_model(3, 0.5, 31);
  Observer silent;
  const Tensor one = draw_sequences(*model, 3, 4, 6, Rng(1), silent);
  ASSERT_EQ(one.sizes(), at::IntArrayRef({4, 6, 3}));
  expect_bit_equal(one, draw_sequences(*model, 3, 4, 6, Rng(1), silent), "equal seeds");
  EXPECT_FALSE(at::equal(one, draw_sequences(*model, 3, 4, 6, Rng(2), silent)));
  Rng rng(37);
  Split split;
  split.name = "test", split.x = bits_tensor(7, 3, rng);
  split.starts = at::tensor(Numbers{0, 3, 5}, at::kLong);
  const Tensor on = continue_cases(*model, split, 10, 2, 4, Rng(1), silent);
  ASSERT_EQ(on.sizes(), at::IntArrayRef({3, 6, 3}));
  expect_bit_equal(on[1].narrow(0, 0, 2).contiguous(), split.x.narrow(0, 3, 2).contiguous(),
                   "what had begun");
  expect_says(error_of(ErrorKind::data, [&] { continue_cases(*model, split, 10, 3, 4, Rng(1), silent); }),
              {"3 rows", "sequence 1 of 2"});
  split.starts = Tensor();
  expect_says(error_of(ErrorKind::data, [&] { continue_cases(*model, split, 10, 1, 4, Rng(1), silent); }),
              {"sequences"});
  const auto rbm = make_rbm(4, 2, 0.1, 1);
  expect_says(error_of(ErrorKind::usage, [&] { draw_sequences(*rbm, 4, 1, 1, Rng(1), silent); }),
              {"sequences"});
}

// ---------------------------------------------------------------- learning

// Sequences in which each row is the one before, shifted: 0 after 3.
Dataset rounds() {
  std::vector<std::uint8_t> cells;
  std::vector<std::int32_t> sizes;
  for (std::int64_t s = 0; s < 24; ++s) {
    const std::int64_t rows = 3 + s % 4;
    sizes.push_back(static_cast<std::int32_t>(rows));
    for (std::int64_t t = 0; t < rows; ++t)
      for (std::int64_t i = 0; i < 4; ++i) cells.push_back((s + t) % 4 == i ? 1 : 0);
  }
  Array x = make_array(DType::u8, {static_cast<std::int64_t>(cells.size()) / 4, 4});
  std::copy(cells.begin(), cells.end(), x.bytes.begin());
  const Array lengths = fixtures::array<std::int32_t>(DType::i32, {24}, sizes);
  return runs::dataset_of(
      {{"train", x}, {"train_lengths", lengths}, {"valid", x}, {"valid_lengths", lengths}});
}

const runs::Assignments how = {"model.hidden=6", "model.recurrent=8", "training.batch=6",
                               "training.rate=0.02"};

runs::Assignments with(const std::string& more) {
  runs::Assignments all = how;
  all.push_back(more);
  return all;
}

// Given the row before, the next is certain; without it, it is one of four.
TEST(RnnNadeTraining, LearnsWhatFollows) {
  const Dataset data = rounds();
  ASSERT_EQ(data.train.cases(), 24);
  const auto trainer = runs::trainer_for(with("training.epochs=150"), data, 3, "rnn_nade");
  Observer silent;
  trainer->run(silent);
  const fixtures::Folder folder;
  save_checkpoint(folder.path("m.safetensors"), trainer->checkpoint());
  const auto model = load_model(load_checkpoint(folder.path("m.safetensors")), "m");
  Rng rng(5);
  for (const Score& score : evaluate_model(*model, data, "train", {}, rng, silent))
    if (score.metric == "log_prob_per_row") {
      // ln 4 for the first row of each of 24 sequences of 4.5 rows on average.
      EXPECT_GT(score.value, -std::log(4.0) / 4.5 - 0.15);
      EXPECT_LT(score.value, -std::log(4.0) / 4.5 + 0.05);
      return;
    }
  ADD_FAILURE() << "no score of rows";
}

TEST(RnnNadeTraining, StoppedAndResumedIsTheSame) {
  const Dataset data = rounds();
  runs::expect_equal_runs(runs::straight(with("training.epochs=3"), data, 7, "rnn_nade"),
                          runs::in_sittings(with("training.epochs=3"), data, {3, 4}, 7, "rnn_nade"),
                          "sittings");
}

TEST(RnnNadeTraining, DoesNotDependOnTheNumberOfThreads) {
  const Dataset data = rounds();
  Checkpoint results[2];
  for (const int count : {1, 4}) {
    const Threads threads(count);
    results[count / 4] = runs::straight(with("training.epochs=3"), data, 7, "rnn_nade");
  }
  runs::expect_equal_runs(results[0], results[1], "threads");
}

TEST(RnnNadeData, IsRefusedWithTheReason) {
  const auto model = small_model(4, 0.1, 1);
  Rng rng(41);
  Tensor gaps = bits_tensor(3, 4, rng), grey = gaps.clone();
  gaps[1][2] = std::nanf(""), grey[2][0] = 0.5;
  const auto refused = [&](const Tensor& x) {
    return error_of(ErrorKind::data, [&] { model->check_data(x, "rows", 10); });
  };
  expect_says(refused(gaps), {"missing", "row 11", "column 2"});
  expect_says(refused(grey), {"row 12", "column 0"});
}

}  // namespace
}  // namespace deepgen::rnn_nade_test
