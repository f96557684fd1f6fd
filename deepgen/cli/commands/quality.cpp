// quality: how like real rows synthetic ones are, and whether they are more than copies.
#include "deepgen/evaluate/quality/quality.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/opened.h"
#include "deepgen/core/error.h"
#include "deepgen/evaluate/quality/page.h"
#include "deepgen/evaluate/quality/read_tables.h"
#include "deepgen/runs/write_cases.h"
#include "deepgen/tasks/completion.h"
#include "deepgen/tasks/sampling.h"

namespace deepgen {
namespace {

namespace fs = std::filesystem;

bool is_run(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) || path.ends_with(".safetensors");
}

// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((fs::temp_directory_path() / "deepgen-quality-XXXXXX").string()) {
    if (!::mkdtemp(path_.data())) fail_data(path_, "cannot make a folder for the samples");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Samples go the way of `deepgen sample --out FILE.csv`, so that what is judged is what a person gets.
quality::Source samples_of(const OpenRun& run, std::int64_t rows, const Arguments& arguments,
                           Observer& observer) {
  const TemporaryFolder folder;
  const std::string path = folder.file("samples.csv");
  const SamplingPlan plan{.count = rows, .steps = arguments.steps};
  Rng rng(arguments.seed);
  CasesFile file(run, path, rows, {}, arguments.seed);
  sample_model(*run.model, plan, rng, observer, [&](const Tensor& samples) { file.append(samples); });
  file.close();
  quality::Source source = quality::read_source(path);
  source.name = arguments.subject;
  return source;
}

quality::Source rows_of_file(const Arguments& arguments) {
  quality::Source source = quality::read_source(arguments.subject);
  const auto all = static_cast<std::int64_t>(source.rows.size());
  source.rows = quality::some_rows(all, arguments.limit, Rng(arguments.seed).fork({0}));
  return source;
}

// What the run makes of cells hidden from the held-out rows; nothing where it cannot fill them and is not asked to.
std::optional<quality::Gaps> gaps_of(const OpenRun& run, const quality::RealSources& real,
                                     const Arguments& arguments, Observer& observer) {
  if (arguments.gaps == 0) return {};
  constexpr double usual_share = 0.2;
  const bool asked = arguments.gaps > 0;
  if (!asked && (run.learnt.table.empty() || !can_complete(*run.model))) return {};
  const Dataset data = load_data_for(run, arguments.test.empty() ? arguments.real : arguments.test);
  if (const std::string why = quality::no_gaps_because(*run.model, data, data.split("test")); !why.empty()) {
    if (asked) fail_usage("--gaps", fmt::format("{}: {}", arguments.subject, why));
    observer.message(fmt::format("no gaps are filled: {}", why));
    return {};
  }
  const quality::GapPlan plan{asked ? arguments.gaps : usual_share, arguments.gap_draws, arguments.steps,
                              arguments.seed};
  const Tensor training =
      quality::table_truth(run.learnt.table, real.train.name, *real.train.cells, real.train.rows);
  return quality::judge_gaps(*run.model, data, data.split("test"), training, plan, observer);
}

void write_page(const std::string& path, const quality::Report& report, const quality::Tables& tables,
                Observer& observer) {
  write_text(path, quality::report_page(report, tables));
  observer.message(fmt::format("histograms and pair trends: {}", path));
}

// Of a run: quality.html and quality.json in its folder, and the same sections in report.html.
void keep_in_run(const RunFolder& folder, const quality::Report& report, const quality::Tables& tables,
                 Observer& observer) {
  write_text(folder.path("quality.json"), quality::report_json(report).dump(2) + "\n");
  write_page(folder.path("quality.html"), report, tables, observer);
  if (folder.has("run.json")) folder.write_report();
}

}  // namespace

void quality_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const quality::RealSources real = quality::read_real_sources(arguments.real, arguments.test);
  quality::Source synthetic;
  std::optional<OpenRun> run;
  if (is_run(arguments.subject)) {
    run.emplace(open_and_tell(arguments, observer));
    const bool said = arguments.limit < std::numeric_limits<std::int64_t>::max();
    const auto rows = said ? arguments.limit : static_cast<std::int64_t>(real.train.rows.size());
    synthetic = samples_of(*run, rows, arguments, observer);
  } else {
    if (arguments.gaps > 0) fail_usage("--gaps", "expected a run, which fills gaps, got a file of rows");
    synthetic = rows_of_file(arguments);
  }
  const quality::Tables tables = quality::quality_tables(real, synthetic);
  const quality::Names names{synthetic.name, real.train.name, real.test.name};
  quality::Report report = quality::judge(tables, names, arguments.target, arguments.seed, observer);
  if (run) report.gaps = gaps_of(*run, real, arguments, observer);
  if (arguments.json)
    fmt::print("{}\n", quality::report_json(report).dump(2));
  else
    fmt::print("{}", quality::report_text(report));
  if (!arguments.out.empty() || !run || !run->folder.opened_as_folder())
    write_page(arguments.out.empty() ? "quality.html" : arguments.out, report, tables, observer);
  else
    keep_in_run(run->folder, report, tables, observer);
}

}  // namespace deepgen
