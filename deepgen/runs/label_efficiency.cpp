#include "deepgen/runs/label_efficiency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "deepgen/core/chart.h"
#include "deepgen/core/error.h"
#include "deepgen/core/html.h"
#include "deepgen/core/report_parts.h"
#include "deepgen/evaluate/classification.h"
#include "deepgen/evaluate/validation.h"
#include "deepgen/runs/open_run.h"
#include "deepgen/runs/search_steps.h"
#include "deepgen/runs/train_into.h"
#include "deepgen/runs/write_cases.h"

namespace deepgen {
namespace {

// Which classifier a machine is the start of, which part of it the machine is, and what leaves the machine as it is.
struct Classifier {
  std::string model, part, setting;
};

Classifier classifier_of(const OpenRun& machine, const std::string& path) {
  static const std::map<std::string, Classifier> known = {
      {"rbm", {"dbn_classifier", "stack.layer1=", "training.pretrain=false"}},
      {"dbn", {"dbn_classifier", "stack=", "training.pretrain=false"}},
      {"dbm", {"dbm_classifier", "machine=", "training.train_machine=false"}}};
  const auto found = known.find(machine.checkpoint.model);
  if (found == known.end())
    fail_usage("study", fmt::format("expected the run of an rbm, dbn or dbm, got {}, a run of {}", path,
                                    machine.checkpoint.model));
  return found->second;
}

// The classifier's layers are those of the machine.
void take_layers(Settings& settings, OpenRun& machine) {
  const nlohmann::ordered_json theirs = options_to_json(machine.model->options());
  if (machine.checkpoint.model == "rbm") {
    settings.set("model", "layers", fmt::format("{}", theirs.at("hidden").get<std::int64_t>()));
    settings.set("model", "hidden_units", theirs.at("hidden_units").get<std::string>());
    return;
  }
  if (machine.checkpoint.model ==
      "dbm") {  // inference as the machine had it; no chains, whose number may be another
    settings.set("training.learning=multi_prediction");
    for (const char* name : {"mean_field_steps", "tolerance"})
      settings.set("model", name, theirs.at(name).dump());
  }
  for (const char* name : {"layers", "hidden", "hidden_units"})
    if (theirs.contains(name)) settings.set("model", name, theirs.at(name).get<std::string>());
}

// Thirty epochs, of some two hundred updates at least, for each ends in a score of the validation rows.
void set_length(Settings& settings, std::int64_t labels) {
  constexpr std::int64_t updates_of_epoch = 200, epochs = 30;
  const std::int64_t batch = std::clamp<std::int64_t>(labels / 10, 10, 100);
  const std::int64_t pass = std::max<std::int64_t>(1, (labels + batch - 1) / batch);
  settings.training.batch = batch;
  settings.training.passes = std::max<std::int64_t>(1, updates_of_epoch / pass);
  settings.training.epochs = settings.training.patience = epochs;  // the best state is kept
}

class Study {
 public:
  Study(const LabelEfficiencyPlan& plan, Observer& observer)
      : observer_(observer),
        machine_(open_run(plan.machine)),
        classifier_(classifier_of(machine_, plan.machine)) {
    table_.plan = plan;
    table_.model = classifier_.model;
    if (table_.plan.data.empty()) table_.plan.data = machine_.folder.read_run().value("data", "");
    if (table_.plan.data.empty())
      fail_usage("--data", fmt::format("needed: {} does not say what it learnt from", plan.machine));
    table_.data = table_.plan.data;
  }

  LabelEfficiencyTable measure() {
    std::filesystem::create_directories(table_.plan.out);
    for (const std::string& labels : table_.plan.labels)
      for (const char* start : {"random", "machine"}) measure_row(labels, start);
    return table_;
  }

 private:
  void measure_row(const std::string& labels, const std::string& start) {
    LabelEfficiencyRow row;
    row.start = start;
    std::vector<double> errors;
    for (std::int64_t draw = 1; draw <= table_.plan.draws; ++draw) {
      const Score error = judge(labels, start, draw, row);
      errors.push_back(error.value);
      table_.test_rows = error.rows;
      row.accuracy += (100 - error.value) / static_cast<double>(table_.plan.draws);
    }
    row.draws = table_.plan.draws;
    const double right = row.accuracy / 100;
    row.standard_error = 100 * std::sqrt(right * (1 - right) / static_cast<double>(table_.test_rows));
    double squares = 0;
    for (const double error : errors) squares += std::pow(100 - error - row.accuracy, 2);
    if (row.draws > 1) row.between_draws = std::sqrt(squares / static_cast<double>(row.draws - 1));
    observer_.message(fmt::format("{} labels, {} start: {:.2f} % right", row.labels, start, row.accuracy));
    table_.rows.push_back(row);
  }

  // Trains one classifier, or takes it as it is there, and judges it on the test rows.
  Score judge(const std::string& labels, const std::string& start, std::int64_t draw,
              LabelEfficiencyRow& row) {
    const std::uint64_t seed = table_.plan.seed + static_cast<std::uint64_t>(draw) - 1;
    const std::int64_t asked = label_count(labels);
    Settings settings(classifier_.model);
    take_layers(settings, machine_);
    settings.set(classifier_.setting);
    const std::string spec = with_labels(asked, seed);
    const Dataset data = load_dataset(spec, &machine_.learnt);
    row.labels = data.train.y.defined() ? (data.train.y >= 0).sum().item<std::int64_t>() : 0;
    set_length(settings, row.labels);
    for (const std::string& setting : table_.plan.settings) settings.set(setting);
    TrainingPlan plan(std::move(settings), spec, seed);
    if (start == "machine") plan.start.push_back({table_.plan.machine, classifier_.part});
    const std::string name = fmt::format("{}/labels-{}/{}-{}", table_.plan.out, labels, start, draw);
    std::filesystem::create_directories(fmt::format("{}/labels-{}", table_.plan.out, labels));
    train(name, plan, data);
    const OpenRun run = open_run(name);
    if (const auto score = judge_model(*run.model, data, seed))
      row.valid_log_loss -= score->value / static_cast<double>(table_.plan.draws);
    const std::vector<Score> scores =
        classification_scores(*run.model, data, data.split("test"), Rng(seed), observer_);
    for (const Score& score : scores)
      if (score.metric == "classification_error") return score;
    fail_data(spec, "expected test rows with labels, got none");
  }

  void train(const std::string& name, const TrainingPlan& plan, const Dataset& data) {
    const bool there =
        std::filesystem::exists(name + "/run.json") && holds_run_of(RunFolder::open(name), plan);
    if (there && RunFolder::open(name).read_run().value("finished", false)) return;
    const RunFolder folder = RunFolder::create(name, there, true);
    TrialObserver shown(observer_, name, -1);
    const TrainingResult result = train_into(folder, plan, there, data, shown, 0, false);
    if (result.interrupted)
      throw Error(ErrorKind::interrupted, "study", "interrupted; the same command goes on from here");
    nlohmann::ordered_json run = folder.read_run();
    run["finished"] = true;
    folder.write_run(run);
  }

  std::string with_labels(std::int64_t count, std::uint64_t seed) const {
    if (count < 0) return table_.data;
    return fmt::format("{}{}labelled={},seed={}", table_.data,
                       table_.data.find(':') == std::string::npos ? ":" : ",", count, seed);
  }

  Observer& observer_;
  OpenRun machine_;
  Classifier classifier_;
  LabelEfficiencyTable table_;
};

std::string heading_of(const LabelEfficiencyTable& table) {
  return fmt::format("{} on {}: right answers in percent of {} test rows, start at random and from {}",
                     table.model, table.data, table.test_rows, table.plan.machine);
}

}  // namespace

LabelEfficiencyTable measure_label_efficiency(const LabelEfficiencyPlan& plan, Observer& observer) {
  check_label_efficiency(plan);
  return Study(plan, observer).measure();
}

std::string label_efficiency_text(const LabelEfficiencyTable& table) {
  std::string text = heading_of(table) + "\n" +
                     fmt::format("{:>10}{:>10}{:>20}{:>16}{:>18}\n", "labels", "start", "right, %",
                                 "between draws", "valid log loss");
  for (const LabelEfficiencyRow& row : table.rows)
    text += fmt::format("{:>10}{:>10}{:>20}{:>16}{:>18.4f}\n", row.labels, row.start,
                        fmt::format("{:.2f} +- {:.2f}", row.accuracy, row.standard_error),
                        row.draws > 1 ? fmt::format("{:.2f}", row.between_draws) : "-", row.valid_log_loss);
  return text;
}

nlohmann::ordered_json label_efficiency_json(const LabelEfficiencyTable& table) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const LabelEfficiencyRow& row : table.rows)
    rows.push_back({{"labels", row.labels},
                    {"start", row.start},
                    {"draws", row.draws},
                    {"accuracy", row.accuracy},
                    {"standard_error", row.standard_error},
                    {"between_draws", row.between_draws},
                    {"valid_log_loss", row.valid_log_loss}});
  return {{"study", "label-efficiency"},
          {"model", table.model},
          {"machine", table.plan.machine},
          {"data", table.data},
          {"seed", table.plan.seed},
          {"test_rows", table.test_rows},
          {"rows", rows}};
}

std::string label_efficiency_page(const LabelEfficiencyTable& table) {
  Chart chart{"wrong answers, percent of the test rows", "log10 of the number of labels", {}};
  for (const char* start : {"random", "machine"}) {
    Series series{std::string(start) + " start", {}, {}};
    for (const LabelEfficiencyRow& row : table.rows)
      if (row.start == start)
        series.x.push_back(std::log10(static_cast<double>(row.labels))),
            series.y.push_back(100 - row.accuracy);
    chart.series.push_back(series);
  }
  return report::page(
      "Label efficiency",
      fmt::format(
          "<header><p class=\"kicker\">deepgen study label-efficiency</p><h1>What a machine without labels "
          "is worth to a classifier</h1><p class=\"quiet\">{}</p></header>\n<section>{}</section>"
          "<section><h2>Table</h2><div class=\"wide\"><pre>{}</pre></div></section>\n",
          escape_html(heading_of(table)), report::chart_figure(chart),
          escape_html(label_efficiency_text(table))));
}

}  // namespace deepgen
