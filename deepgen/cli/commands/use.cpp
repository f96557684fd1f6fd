// sample, encode, reconstruct, classify: what is made with a trained run.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <numeric>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/models_table.h"
#include "deepgen/cli/commands/opened.h"
#include "deepgen/core/error.h"
#include "deepgen/runs/conditions.h"
#include "deepgen/runs/write_cases.h"
#include "deepgen/runs/write_sequences.h"
#include "deepgen/tasks/tasks.h"

namespace deepgen {
namespace {

// "sex=Female,age>=30": a table whose cells the model completes.
bool gives_cells(const Arguments& arguments, const OpenRun& run) {
  return !arguments.given.empty() && !run.learnt.table.empty() && sampled_classes(*run.model) == 0 &&
         can_complete(*run.model);
}

void sample_given_cells(const Arguments& arguments, const OpenRun& run, Observer& observer) {
  const std::vector<Condition> conditions = parse_conditions(arguments.given, run.learnt.table);
  CasesFile file(run, arguments.out, arguments.count);
  const ConditionalDraws draws = draw_given(
      run, conditions, arguments.count, arguments.steps, arguments.seed, observer,
      [&](const Tensor& values) { file.append_values(values); }, arguments.extrapolate);
  file.close();
  const bool all =
      std::all_of(conditions.begin(), conditions.end(), [](const Condition& c) { return c.exact; });
  observer.message(fmt::format(
      "{} samples given {} in {}{}", arguments.count, arguments.given, arguments.out,
      all ? ""
          : fmt::format("; {:.3g} % of {} draws were within the ranges",
                        100.0 * static_cast<double>(draws.fitting) / static_cast<double>(draws.drawn),
                        draws.drawn)));
}

// Only numbers that are no categories can leave their range.
void check_extrapolation(const OpenRun& run, Observer& observer) {
  const TableSchema& table = run.learnt.table;
  if (table.empty())
    fail_usage(
        "--extrapolate",
        "expected a run that was trained on a table; samples of any other are not held within a range");
  if (std::none_of(table.columns.begin(), table.columns.end(),
                   [](const TableColumn& column) { return column.is_number() && column.bins.empty(); }))
    observer.message(
        "--extrapolate changes nothing: the table has no numbers but those in bins, which stay within them; "
        "train with numbers=gaussian in the SPEC");
}

[[noreturn]] void fail_given(const OpenRun& run) {
  const auto* conditional = as<IsConditional>(*run.model);
  fail_usage("--given",
             conditional && conditional->condition_classes() == 0
                 ? fmt::format("the condition of {} is {}: use `deepgen complete`", run.checkpoint.model,
                               conditional->condition())
                 : fmt::format("the model {} is not conditional: it learnt no labels", run.checkpoint.model));
}

// "y=3" for a conditional model; -1 when nothing is given.
std::int64_t given_label(const Arguments& arguments, const OpenRun& run) {
  if (arguments.given.empty()) return -1;
  const std::int64_t classes = sampled_classes(*run.model);
  if (classes == 0) fail_given(run);
  const std::string text = arguments.given.starts_with("y=") ? arguments.given.substr(2) : "";
  std::int64_t label = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), label);
  if (text.empty() || code != std::errc() || end != text.data() + text.size() || label < 0 ||
      label >= classes)
    fail_usage("--given", fmt::format("expected y=0 to y={}, got '{}'", classes - 1, arguments.given));
  return label;
}

void refuse_unless_classifier(const OpenRun& run) {
  if (as<CanClassify>(*run.model)) return;
  const std::vector<std::string> others =
      models_that([](const Model& model) { return as<CanClassify>(model); });
  fail_usage("classify", fmt::format("{} cannot tell the class of a row; models that can: {}",
                                     run.checkpoint.model, fmt::join(others, ", ")));
}

// Music, piano rolls and other sequences: drawn row after row.
void sample_sequences(const Arguments& arguments, const OpenRun& run, Observer& observer) {
  const Rng rng(arguments.seed);
  const bool begun = !arguments.begin.empty();
  Tensor x;
  if (begun) {
    const Dataset data = load_data_for(run, arguments.begin);
    tell_notes(data, observer);
    Split part = data.split(arguments.split);
    part.name = arguments.begin;  // what is refused is said of it
    x = continue_cases(*run.model, part, arguments.count, arguments.rows, arguments.length, rng, observer);
  } else {
    const std::int64_t columns =
        std::accumulate(run.shape.begin(), run.shape.end(), std::int64_t{1}, std::multiplies<std::int64_t>());
    x = draw_sequences(*run.model, columns, arguments.count, arguments.length, rng, observer);
  }
  write_sequences(run, arguments.out, x,
                  {.begun = begun ? arguments.rows : 0, .row_seconds = arguments.frame_seconds});
  observer.message(fmt::format("{} sequences of {} rows in {}", x.size(0), x.size(1), arguments.out));
}

void need_length(const Arguments& arguments, const OpenRun& run) {
  if (arguments.length > 0 || can_sample(*run.model)) return;
  fail_usage("--length", fmt::format("expected the rows to draw of each sequence, got none: {} is a model of "
                                     "sequences",
                                     run.checkpoint.model));
}

}  // namespace

void sample_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const OpenRun run = open_and_tell(arguments, observer);
  if (arguments.extrapolate) check_extrapolation(run, observer);
  if (arguments.length > 0) return sample_sequences(arguments, run, observer);
  if (as<CanContinue>(*run.model)) need_length(arguments, run);
  if (gives_cells(arguments, run)) return sample_given_cells(arguments, run, observer);
  const bool picture = arguments.out.ends_with(".png");
  const SamplingPlan plan{.count = arguments.count,
                          .steps = arguments.steps,
                          .rows = arguments.rows,
                          .between = arguments.between,
                          .means = picture,
                          .label = given_label(arguments, run)};
  Rng rng(arguments.seed);
  const Grid grid{.columns = arguments.columns > 0 ? arguments.columns
                             : arguments.rows > 1  ? arguments.count
                                                   : 0};
  CasesFile file(run, arguments.out, plan.rows * plan.count, grid, arguments.seed, arguments.extrapolate);
  sample_model(*run.model, plan, rng, observer, [&](const Tensor& samples) { file.append(samples); });
  file.close();
  observer.message(
      fmt::format("{} samples in {}{}", plan.rows * plan.count, arguments.out,
                  picture && !samples_directly(*run.model) ? " (means of the last Gibbs step)" : ""));
}

void encode_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const OpenRun run = open_and_tell(arguments, observer);
  const Split part = asked_part(load_and_tell(run, arguments, observer), arguments);
  const Rng rng(arguments.seed);
  std::int64_t codes = 0, numbers = 0;
  if (part.starts.defined()) {  // whether a code is of a row or of a sequence is the model's affair
    const Tensor all = encode_rows(*run.model, part, rng, observer);
    codes = all.size(0), numbers = all.size(1);
    write_rows(arguments.out, all);
  } else {
    RowsFile file(arguments.out, part.rows());
    encode_rows(*run.model, part, rng, observer, [&](const Tensor& some) {
      file.append(some);
      codes += some.size(0), numbers = some.size(1);
    });
    file.close();
  }
  observer.message(fmt::format("{} codes of {} numbers in {}", codes, numbers, arguments.out));
}

void reconstruct_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const OpenRun run = open_and_tell(arguments, observer);
  const Split part = asked_part(load_and_tell(run, arguments, observer), arguments);
  CasesFile file(run, arguments.out, part.rows());
  reconstruct_rows(*run.model, part, Rng(arguments.seed), observer,
                   [&](const Tensor& rows) { file.append(rows); });
  file.close();
  observer.message(fmt::format("{} reconstructions in {}", part.rows(), arguments.out));
}

void classify_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const OpenRun run = open_and_tell(arguments, observer);
  refuse_unless_classifier(run);
  const Split part = asked_part(load_and_tell(run, arguments, observer), arguments);
  const Tensor log_probs = classify_rows(*run.model, part, Rng(arguments.seed), observer);
  write_classes(run, part, arguments.out, log_probs);
  observer.message(
      fmt::format("probabilities of {} classes for {} rows in {}; how often the most probable one is right: "
                  "deepgen evaluate {} --data {}",
                  log_probs.size(1), log_probs.size(0), arguments.out, arguments.subject, arguments.data));
}

}  // namespace deepgen
