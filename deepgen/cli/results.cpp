#include "deepgen/cli/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/core/html.h"

namespace deepgen {
namespace {

constexpr std::uint64_t largest_result = 1 << 20;

double number(const nlohmann::ordered_json& json, const char* key) { return json.at(key).get<double>(); }
bool has(const nlohmann::ordered_json& json, const char* key) {
  return json.contains(key) && json[key].is_number();
}
std::string text(const nlohmann::ordered_json& json, const char* key) {
  return json.value(key, std::string());
}

// An interval, or the one side of which something is known.
std::string bracket_text(const nlohmann::ordered_json& result) {
  const bool lower = has(result, "lower"), upper = has(result, "upper");
  if (lower && upper)
    return fmt::format("[{:.2f}, {:.2f}]", number(result, "lower"), number(result, "upper"));
  if (upper) return fmt::format("at most {:.2f}", number(result, "upper"));
  return lower ? fmt::format("at least {:.2f}", number(result, "lower")) : "";
}

// "-84.55 ± 0.08"; the value alone where its error cannot be told.
std::string value_text(const nlohmann::ordered_json& result) {
  const std::string value = fmt::format("{:.2f}", number(result, "value"));
  return has(result, "standard_error") ? value + fmt::format(" ± {:.2f}", number(result, "standard_error"))
                                       : value;
}

std::string table_row(const nlohmann::ordered_json& r) {
  return fmt::format("| `{}` | {} | {} | {} | {} | {} | {} |\n", text(r, "recipe"),
                     has(r, "published") ? fmt::format("{:.2f}", number(r, "published")) : "", value_text(r),
                     text(r, "kind"), bracket_text(r), verdict(r),
                     duration_text(number(r, "training_seconds")));
}

std::string details(const nlohmann::ordered_json& r) {
  std::string out = fmt::format("\n## {}\n\n{}.\n\n", text(r, "recipe"), text(r, "title"));
  auto item = [&](const char* name, const std::string& value) {
    if (!value.empty()) out += fmt::format("- {}: {}\n", name, value);
  };
  item("data", fmt::format("`{}`, binarisation {}, split {}, {} rows", text(r, "data"), text(r, "binarize"),
                           text(r, "split"), r.value("rows", 0)));
  item("how", text(r, "how"));
  item("warning", text(r, "warning"));
  if (has(r, "train_value")) item("on the training rows", fmt::format("{:.2f}", number(r, "train_value")));
  if (r.contains("beside") && r["beside"].is_object())
    for (const auto& [name, value] : r["beside"].items())
      if (value.is_number()) item("beside it", fmt::format("{} {}", name, short_number(value.get<double>())));
  if (has(r, "aim")) item("aim", fmt::format("{:.2f}", number(r, "aim")));
  item("published", text(r, "source"));
  item("note", text(r, "note"));
  item("training",
       fmt::format("{} epochs in {}, {} thread(s), seed {}, peak memory {:.0f} MiB{}",
                   r.value("epochs_done", 0), duration_text(number(r, "training_seconds")),
                   r.value("threads", 0), r.value("seed", 0), number(r, "peak_memory_bytes") / (1 << 20),
                   r.value("finished", true) ? "" : ", stopped by the budget"));
  item("program", fmt::format("commit {}, kernels {}", text(r, "commit"), text(r, "kernels")));
  return out;
}

}  // namespace

std::vector<nlohmann::ordered_json> read_results(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().extension() == ".json") files.push_back(entry->path());
  if (error && error != std::errc::no_such_file_or_directory)
    fail_data(folder, "cannot read the folder of results: " + error.message());
  std::sort(files.begin(), files.end());
  std::vector<nlohmann::ordered_json> results;
  for (const fs::path& file : files) {
    const Bytes bytes = read_raw_file(file.string(), largest_result);
    try {
      results.push_back(nlohmann::ordered_json::parse(bytes.begin(), bytes.end()));
      table_row(results.back());
    } catch (const nlohmann::json::exception& malformed) {
      fail_data(file.string(), fmt::format("malformed result ({})", malformed.what()));
    }
  }
  return results;
}

std::string verdict(const nlohmann::ordered_json& r) {
  if (!has(r, "published")) return "";
  // Of errors and losses less is better: the worse end of the interval is the upper one.
  const std::string metric = text(r, "metric");
  const bool error = metric.find("error") != std::string::npos || metric.find("loss") != std::string::npos;
  const auto reaches = [&](const char* what, const char* goal) {
    return error ? number(r, what) <= number(r, goal) : number(r, what) >= number(r, goal);
  };
  const char* const worse_end = error ? "upper" : "lower";
  std::string words = reaches("value", "published") ? "reached" : "**not reached**";
  if (words == "reached" && has(r, worse_end) && !reaches(worse_end, "published"))
    words = fmt::format("reached by the estimate, not by the {} end", worse_end);
  if (!text(r, "warning").empty()) words = "**not trusted** (see its warning): " + words;
  if (has(r, "aim")) words += reaches("value", "aim") ? ", aim reached" : ", aim not reached";
  if (has(r, "bracket") && has(r, "lower") && has(r, "upper"))
    words += number(r, "upper") - number(r, "lower") < number(r, "bracket") ? ", bracket narrow enough"
                                                                            : ", **bracket too wide**";
  return words;
}

std::string results_markdown(const std::vector<nlohmann::ordered_json>& results) {
  std::string page =
      "# Results\n\nGenerated by `deepgen reproduce` from what it recorded in `docs/results/`; a test fails "
      "when this page is "
      "stale.\nLog-likelihoods are in nats a case, greater is better; errors are in percent. Numbers under "
      "different binarisations "
      "are not\ncomparable. "
      "See [numerics.md](numerics.md) for what each kind proves.\n\n"
      "| recipe | published | ours | kind | bracket | verdict | training |\n| --- | --- | --- | --- | --- | "
      "--- | --- |\n";
  for (const auto& result : results) page += table_row(result);
  for (const auto& result : results) page += details(result);
  return page;
}

}  // namespace deepgen
