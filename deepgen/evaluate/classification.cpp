#include "deepgen/evaluate/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "deepgen/core/error.h"
#include "deepgen/parts/checks/categories.h"
#include "deepgen/tasks/classification.h"

namespace deepgen {
namespace {

constexpr std::int64_t most_bins = 15, least_in_bin = 20;

// Shares of the classes among the labelled training rows, or undefined.
Tensor training_shares(const Dataset& data, std::int64_t classes) {
  if (labelled_rows(data.train).empty()) return {};
  const Tensor counts = label_counts(data.train.y, classes, data.spec);
  return counts / counts.sum();
}

// What every score says of its rows.
struct Judged {
  const Dataset& data;
  const Split& split;
  Tensor log_probs, y;  // [N, classes], [N] of the labelled rows
  std::string remark;   // of rows that are left out
};

Score score_of(const std::string& metric, const Judged& judged, const std::string& unit, double value,
               std::optional<double> standard_error, std::string how) {
  Score score;
  score.metric = metric, score.split = judged.data.one_matrix ? "all" : judged.split.name;
  score.kind = ScoreKind::exact, score.unit = unit, score.rows = judged.y.size(0);
  score.value = value, score.standard_error = standard_error;
  score.how = std::move(how) + judged.remark;
  return score;
}

Score error_score(const Judged& judged, const Tensor& right, const Tensor& shares) {
  const double rows = static_cast<double>(right.size(0)), share = 1 - right.mean().item<double>();
  std::string how = fmt::format("share of rows whose most probable of {} classes is another than their label",
                                judged.log_probs.size(1));
  if (shares.defined()) {
    const double always = (judged.y != shares.argmax()).to(at::kDouble).mean().item<double>();
    how += fmt::format("; always the most frequent class of the training rows: {:.1f}", 100 * always);
  }
  return score_of("classification_error", judged, "percent", 100 * share,
                  100 * std::sqrt(share * (1 - share) / rows), std::move(how));
}

Score loss_score(const Judged& judged) {
  const Tensor losses = -judged.log_probs.gather(1, judged.y.unsqueeze(1)).squeeze(1);
  const auto impossible = losses.isinf().sum().item<std::int64_t>();
  const RowMean mean = mean_over_rows(losses);
  Score score =
      score_of("classification_log_loss", judged, "nats", mean.mean,
               impossible > 0 ? std::optional<double>() : mean.standard_error, "mean of -log p(label | x)");
  if (impossible > 0)
    score.warning = fmt::format("infinite: the model gives the labels of {} rows no probability", impossible);
  return score;
}

Score calibration_score(const Judged& judged, const Tensor& confidence, const Tensor& right) {
  const CalibrationError error = calibration_error(confidence, right);
  return score_of(
      "calibration_error", judged, "percent", 100 * error.value, 100 * error.standard_error,
      fmt::format(
          "expected calibration error: mean distance of the share of right answers from the mean "
          "probability of the most probable class, {} bins of equal numbers of rows by that "
          "probability; a calibrated classifier with these probabilities would have {:.2f} on average",
          error.bins, 100 * error.of_calibrated));
}

}  // namespace

CalibrationError calibration_error(const Tensor& confidence, const Tensor& right) {
  const std::int64_t rows = confidence.size(0);
  const Tensor order = std::get<1>(confidence.sort(/*stable=*/true, 0, /*descending=*/false));
  const Tensor c = confidence.to(at::kDouble).index_select(0, order);
  const Tensor gap = right.to(at::kDouble).index_select(0, order) - c;
  CalibrationError error;
  error.bins = std::clamp<std::int64_t>(rows / least_in_bin, 1, most_bins);
  double squares = 0;
  for (std::int64_t b = 0; b < error.bins; ++b) {
    const std::int64_t first = rows * b / error.bins, count = rows * (b + 1) / error.bins - first;
    const Tensor bin = gap.narrow(0, first, count), p = c.narrow(0, first, count);
    const Tensor mean = bin.mean();
    error.value += std::abs(mean.item<double>()) * static_cast<double>(count);
    squares += (bin - mean).square().sum().item<double>();
    // The mean absolute value of a normal deviate of the variance sum c (1 - c).
    error.of_calibrated += std::sqrt(2 / std::numbers::pi * (p * (1 - p)).sum().item<double>());
  }
  const double n = static_cast<double>(rows);
  error.value /= n, error.of_calibrated /= n, error.standard_error = std::sqrt(squares) / n;
  return error;
}

std::vector<Score> classification_scores(const Model& model, const Dataset& data, const Split& split,
                                         const Rng& rng, Observer& observer) {
  const std::int64_t classes = classified_classes(model);
  const std::vector<std::int64_t> labelled = labelled_rows(split);
  if (classes == 0 || labelled.empty()) return {};
  label_counts(split.y, classes, data.spec);  // refuses labels that the model does not know
  const Tensor shares = training_shares(data, classes);
  if (!as<CanClassify>(model) && !shares.defined()) return {};
  const Tensor known = at::tensor(labelled, at::kLong);
  const Tensor all = classify_rows(model, split, rng, observer, shares);
  Judged judged{data, split, all.index_select(0, known), split.y.index_select(0, known), ""};
  if (const std::int64_t left_out = split.rows() - known.size(0))
    judged.remark = fmt::format("; {} rows without a label left out", left_out);
  if (judged.log_probs.isnan().any().item<bool>())
    fail_numerical("classification",
                   "probabilities are not finite: the weights of the model are too large or broken");
  const auto [best, guess] = judged.log_probs.max(1);
  const Tensor right = (guess == judged.y).to(at::kDouble);
  return {error_score(judged, right, shares), loss_score(judged),
          calibration_score(judged, best.exp(), right)};
}

}  // namespace deepgen
