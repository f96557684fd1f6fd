#include "deepgen/train/run_folder.h"

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
#include "deepgen/train/settings.h"

namespace deepgen {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_text = std::uint64_t{1} << 30;

std::string read_text(const std::string& path) {
  const Bytes bytes = read_raw_file(path, largest_text);
  return {bytes.begin(), bytes.end()};
}

void write_text(const std::string& path, const std::string& text) {
  write_file(path, ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

// "samples-003" -> "samples 003".
std::string title_of(std::string stem) {
  std::replace(stem.begin(), stem.end(), '-', ' ');
  return stem;
}

}  // namespace

RunFolder RunFolder::create(const std::string& path, bool resume, bool overwrite) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path))
    fail_data(path, fmt::format("cannot make the folder of the run: {}", error ? error.message() : "a file is in the way"));
  RunFolder run(path);
  const bool holds_run = run.has("model.safetensors") || run.has("metrics.jsonl");
  if (holds_run && !resume && !overwrite)
    fail_usage("--out", fmt::format("{} holds a run already; go on with --resume, replace it with --overwrite, or choose "
                                    "another folder", path));
  if (!resume && overwrite)
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename().string(), end = entry.path().extension().string();
      if (end == ".png" || end == ".safetensors" || name == "metrics.jsonl" || name == "run.json" || name == "report.html")
        fs::remove(entry.path(), error);
    }
  return run;
}

RunFolder RunFolder::open(const std::string& path) {
  if (fs::is_regular_file(path)) {
    RunFolder run(fs::path(path).parent_path().string());
    run.file_ = path;
    return run;
  }
  RunFolder run(path);
  if (!fs::is_directory(path)) fail_data(path, "no such run; expected a folder made by `deepgen train` or a .safetensors file");
  if (!run.has("model.safetensors") && !run.has("best.safetensors"))
    fail_data(path, "expected model.safetensors in the folder of the run");
  return run;
}

std::string RunFolder::path(const std::string& file) const {
  return folder_.empty() ? file : (fs::path(folder_) / file).string();
}

bool RunFolder::has(const std::string& file) const {
  std::error_code ignored;
  return fs::exists(path(file), ignored);
}

std::string RunFolder::checkpoint_path() const {
  if (!file_.empty()) return file_;
  return path(has("best.safetensors") ? "best.safetensors" : "model.safetensors");
}

void RunFolder::write_checkpoint(const Checkpoint& checkpoint, bool best) const {
  if (best) save_checkpoint(path("best.safetensors"), checkpoint);
  save_checkpoint(path("model.safetensors"), checkpoint);
}

void RunFolder::append_metrics(const Metrics& metrics) const {
  nlohmann::ordered_json line = nlohmann::ordered_json::object();
  for (const auto& [name, value] : metrics) {
    const bool whole = std::floor(value) == value && std::abs(value) < 1e15;
    if (whole) line[name] = static_cast<std::int64_t>(value);
    else line[name] = value;
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

void RunFolder::truncate_metrics(std::int64_t stage, std::int64_t step) const {
  std::string kept;
  for (const nlohmann::ordered_json& line : metrics()) {
    const std::int64_t line_stage = line.value("stage", std::int64_t{0}), line_step = line.value("step", std::int64_t{0});
    if (line_stage < stage || (line_stage == stage && line_step <= step)) kept += line.dump() + "\n";
  }
  write_text(path("metrics.jsonl"), kept);
}

nlohmann::ordered_json RunFolder::read_run() const {
  if (!has("run.json")) return nlohmann::ordered_json::object();
  try {
    return nlohmann::ordered_json::parse(read_text(path("run.json")));
  } catch (const nlohmann::json::exception& error) {
    fail_data(path("run.json"), fmt::format("malformed JSON ({})", error.what()));
  }
}

void RunFolder::write_run(const nlohmann::ordered_json& run) const { write_text(path("run.json"), run.dump(2) + "\n"); }

void RunFolder::write_picture(const std::string& name, const Image& image) const { write_png(path(name + ".png"), image); }

void RunFolder::write_report() const {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path().extension() == ".png") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<ReportPicture> pictures;
  for (const fs::path& file : files) pictures.push_back({title_of(file.stem().string()), read_raw_file(file.string(), largest_text)});
  const nlohmann::ordered_json run = read_run();
  std::map<std::string, std::string> help;
  if (run.contains("model")) {
    Settings settings(run.at("model").get<std::string>());
    for (const FieldText& field : describe_options(*settings.model_options)) help["model." + field.name] = field.help;
    for (const FieldText& field : describe_options(settings.training)) help["training." + field.name] = field.help;
    for (const FieldText& field : describe_options(*settings.learning)) help["training." + field.name] = field.help;
  }
  write_text(path("report.html"), report_html(run, metrics(), pictures, help));
}

}  // namespace deepgen
