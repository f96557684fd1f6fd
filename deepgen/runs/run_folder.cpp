#include "deepgen/runs/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/core/report.h"
#include "deepgen/evaluate/quality/page.h"
#include "deepgen/runs/write_cases.h"
#include "deepgen/train/settings.h"

namespace deepgen {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_text = std::uint64_t{1} << 30;

std::string read_text(const std::string& path) {
  const Bytes bytes = read_raw_file(path, largest_text);
  return {bytes.begin(), bytes.end()};
}

// "samples-003" -> "samples 003".
std::string title_of(std::string stem) {
  std::replace(stem.begin(), stem.end(), '-', ' ');
  return stem;
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// Whether deepgen writes files of this name into a run's folder.
bool is_ours(const std::string& name) {
  static const std::vector<std::string> names = {
      "model.safetensors", "latest.safetensors", "best.safetensors", "run.json",     "metrics.jsonl",
      "report.html",       "filters.png",        "completions.png",  "quality.json", "quality.html"};
  return std::find(names.begin(), names.end(), name) != names.end() ||
         (name.starts_with("samples") && name.ends_with(".png"));
}

// The regular files of a folder, by name.
std::vector<fs::path> files_of(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code error, ignored;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_regular_file(ignored)) files.push_back(entry->path());
  if (error) fail_data(folder, fmt::format("cannot read the folder: {}", error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

// What `deepgen quality` wrote of this run, as sections of a page.
std::string quality_sections(const std::string& page) {
  const std::size_t begin = page.find(quality::sections_begin), end = page.find(quality::sections_end);
  return begin < end && end != page.npos ? page.substr(begin, end - begin) : "";
}

// Whether the run of this state has kept a better one as a file. That of an early stage is in the checkpoint
// itself.
bool has_a_better_one(const Checkpoint& checkpoint) {
  const bool within = std::any_of(checkpoint.tensors.begin(), checkpoint.tensors.end(),
                                  [](const auto& each) { return each.first.starts_with("best."); });
  return checkpoint.state.is_object() && checkpoint.state.contains("best") && !within;
}

void remove_file(const std::string& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) fail_data(path, fmt::format("cannot remove it: {}", error.message()));
}

void rename_file(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) fail_data(from, fmt::format("cannot rename it: {}", error.message()));
}

// The help of a run's options, by their full names.
std::map<std::string, std::string> help_of(const std::string& model) {
  std::map<std::string, std::string> help;
  const auto& cards = model_catalogue();
  if (std::none_of(cards.begin(), cards.end(), [&](const ModelCard& card) { return card.name == model; }))
    return help;
  Settings settings(model);
  for (const FieldText& field : describe_options(*settings.model_options))
    help["model." + field.name] = field.help;
  for (const FieldText& field : describe_options(settings.training))
    help["training." + field.name] = field.help;
  for (const FieldText& field : describe_options(*settings.learning))
    help["training." + field.name] = field.help;
  return help;
}

}  // namespace

RunFolder RunFolder::create(const std::string& path, bool resume, bool overwrite) {
  std::error_code ignored;
  if (fs::exists(path, ignored) && !is_folder(path))
    fail_data(path, "cannot make the folder of the run: a file is in the way");
  RunFolder run(path);
  if (run.holds_run() && !resume && !overwrite)
    fail_usage(
        "--out",
        fmt::format("{} holds a run already; go on with --resume, replace it with --overwrite, or choose "
                    "another folder",
                    path));
  return run;
}

void RunFolder::begin(bool resume) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!is_folder(folder_))
    fail_data(folder_, fmt::format("cannot make the folder of the run: {}",
                                   error ? error.message() : "a file is in the way"));
  if (resume) return rename_first_version();
  if (!holds_run()) return;
  for (const fs::path& file : files_of(folder_))
    if (is_ours(file.filename().string())) remove_file(file.string());
}

void RunFolder::take_over(const RunFolder& other) const {
  begin(false);
  for (const fs::path& file : files_of(other.folder_))
    if (is_ours(file.filename().string())) rename_file(file.string(), path(file.filename().string()));
}

// Each step can be the last before a kill: what resume_path and checkpoint_path find then is right.
void RunFolder::rename_first_version() const {
  if (!is_of_first_version()) return;
  const std::string model = path("model.safetensors"), latest = path("latest.safetensors");
  if (has("model.safetensors") && !has("latest.safetensors")) rename_file(model, latest);
  rename_file(path("best.safetensors"), model);
}

RunFolder RunFolder::open(const std::string& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) {
    RunFolder run(fs::path(path).parent_path().string());
    run.file_ = path;
    return run;
  }
  RunFolder run(path);
  if (!is_folder(path))
    fail_data(path, "no such run; expected a folder made by `deepgen train` or a .safetensors file");
  if (run.checkpoint_path().empty()) fail_data(path, "expected model.safetensors in the folder of the run");
  return run;
}

std::string RunFolder::path(const std::string& file) const { return (fs::path(folder_) / file).string(); }

bool RunFolder::holds_run() const { return !checkpoint_path().empty() || has("metrics.jsonl"); }

bool RunFolder::has(const std::string& file) const {
  std::error_code ignored;
  return fs::exists(path(file), ignored);
}

std::string RunFolder::checkpoint_path() const {
  const bool named_model = fs::path(file_).filename() == "model.safetensors";
  if (!file_.empty() && !(named_model && is_of_first_version())) return file_;
  for (const char* name : {"best.safetensors", "model.safetensors", "latest.safetensors"})
    if (has(name)) return path(name);
  return "";
}

std::string RunFolder::resume_path() const {
  for (const char* name : {"latest.safetensors", "model.safetensors", "best.safetensors"})
    if (has(name)) return path(name);
  return "";
}

std::string RunFolder::note() const {
  const std::string used = fs::path(checkpoint_path()).filename().string();
  if (is_of_first_version() && used == "best.safetensors" && fs::path(file_).filename() != used)
    return fmt::format(
        "used is best.safetensors of {}, the state with the best validation score; "
        "model.safetensors beside it is the latest one (a run of the first version)",
        folder_);
  if (used == "latest.safetensors" && has("model.safetensors"))
    return fmt::format("used is the state from which {} would go on; the one to use is model.safetensors",
                       folder_);
  return "";
}

void RunFolder::write_checkpoint(const Checkpoint& checkpoint, bool best) const {
  if (!best && has_a_better_one(checkpoint)) return save_checkpoint(path("latest.safetensors"), checkpoint);
  save_checkpoint(path("model.safetensors"), checkpoint);
  // A kill before this leaves an older state to go on from, which comes to the same.
  if (has("latest.safetensors")) remove_file(path("latest.safetensors"));
}

void RunFolder::append_metrics(const Metrics& metrics) const {
  nlohmann::ordered_json line = nlohmann::ordered_json::object();
  for (const auto& [name, value] : metrics) {
    const bool whole = std::floor(value) == value && std::abs(value) < 1e15;
    if (whole)
      line[name] = static_cast<std::int64_t>(value);
    else
      line[name] = value;
  }
  std::ofstream file(path("metrics.jsonl"), std::ios::app);
  file << line.dump() << "\n";
  file.flush();
  if (!file) fail_data(path("metrics.jsonl"), fmt::format("cannot write: {}", std::strerror(errno)));
}

std::vector<nlohmann::ordered_json> RunFolder::metrics() const {
  if (!has("metrics.jsonl")) return {};
  return parse_curve(read_text(path("metrics.jsonl")));
}

void RunFolder::truncate_metrics(std::int64_t stage, std::int64_t step,
                                 const std::vector<nlohmann::ordered_json>& rollbacks) const {
  std::string kept;
  std::size_t known = 0;  // records of rollbacks come in their order
  const auto whole = [&](const nlohmann::ordered_json& line, const char* key) {
    if (line.contains(key) && !line[key].is_number())
      fail_data(path("metrics.jsonl"), fmt::format("expected a number as {}", key));
    return line.value(key, std::int64_t{0});
  };
  for (const nlohmann::ordered_json& line : metrics()) {
    if (line.contains("event")) {
      if (known < rollbacks.size()) kept += rollbacks[known++].dump() + "\n";
      continue;
    }
    const std::int64_t line_stage = whole(line, "stage"), line_step = whole(line, "step");
    if (line_stage < stage || (line_stage == stage && line_step <= step)) kept += line.dump() + "\n";
  }
  for (; known < rollbacks.size(); ++known) kept += rollbacks[known].dump() + "\n";
  write_text(path("metrics.jsonl"), kept);
}

nlohmann::ordered_json RunFolder::read_run() const {
  nlohmann::ordered_json run = nlohmann::ordered_json::object();
  if (!has("run.json")) return run;
  const std::string file = path("run.json");
  try {
    run = nlohmann::ordered_json::parse(read_text(file));
  } catch (const nlohmann::json::exception& error) {
    fail_data(file, fmt::format("malformed JSON ({})", error.what()));
  }
  if (!run.is_object()) fail_data(file, "expected a JSON object");
  if (run.contains("model") && !run["model"].is_string()) fail_data(file, "expected text as model");
  if (!run.contains("evaluations")) return run;
  const auto& evaluations = run["evaluations"];
  if (!evaluations.is_array() ||
      !std::all_of(evaluations.begin(), evaluations.end(), [](const auto& each) { return each.is_object(); }))
    fail_data(file, "expected an array of objects as evaluations");
  return run;
}

void RunFolder::write_run(const nlohmann::ordered_json& run) const {
  write_text(path("run.json"), run.dump(2) + "\n");
}

void RunFolder::write_picture(const std::string& name, const Image& image) const {
  write_png(path(name + ".png"), image);
}

void RunFolder::write_report() const {
  std::vector<ReportPicture> pictures;
  for (const fs::path& file : files_of(folder_))
    if (file.extension() == ".png")
      pictures.push_back({title_of(file.stem().string()), read_raw_file(file.string(), largest_text)});
  const nlohmann::ordered_json run = read_run();
  const std::string model = run.contains("model") ? run["model"].get<std::string>() : "";
  const std::string quality = has("quality.html") ? quality_sections(read_text(path("quality.html"))) : "";
  write_text(path("report.html"), report_html(run, metrics(), pictures, help_of(model), quality));
}

}  // namespace deepgen
