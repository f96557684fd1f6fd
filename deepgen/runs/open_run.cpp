#include "deepgen/runs/open_run.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

std::string caution_of_binarisation(const OpenRun& run, const Dataset& data) {
  const nlohmann::ordered_json& about = run.checkpoint.data;
  if (!about.contains("binarize") || !about["binarize"].is_string() || about["binarize"] == data.binarize)
    return "";
  return fmt::format(
      "the run was trained with binarize={}, these data have binarize={}; numbers under different "
      "binarisations are not comparable",
      about["binarize"].get<std::string>(), data.binarize);
}

std::string caution_of_split(const OpenRun& run, const Dataset& data) {
  const std::string theirs = run.checkpoint.data.value("spec", data.spec);
  DataSpec a = parse_data_spec(theirs), b = parse_data_spec(data.spec);
  if (a.name != b.name) return "";
  for (const char* option : {"train", "valid", "test", "seed"})
    if (a.options[option] != b.options[option])
      return fmt::format(
          "the run was trained on {}, whose rows are cut up by another {}; rows of this split may be among "
          "those that it learnt from",
          theirs, option);
  return "";
}

}  // namespace

OpenRun open_run(const std::string& path) {
  RunFolder folder = RunFolder::open(path);
  const std::string file = folder.checkpoint_path();
  OpenRun run{folder, load_checkpoint(file), nullptr, {}, {}, folder.note()};
  run.model = load_model(run.checkpoint, file);
  run.shape = run.checkpoint.data.at("shape").get<std::vector<std::int64_t>>();
  run.learnt = Learnt::from_json(run.checkpoint.data, file);
  return run;
}

Dataset load_data_for(const OpenRun& run, const std::string& spec) {
  Dataset data = load_dataset(spec, &run.learnt);
  if (run.learnt.transform.identity() && !data.transform.identity())
    fail_data(spec, "asks for a transform that the run was not trained under");
  std::int64_t wanted = 1;
  for (const std::int64_t size : run.shape) wanted *= size;
  if (data.columns() != wanted)
    fail_data(spec, fmt::format("expected {} columns, as the run was trained on ({}), got {}", wanted,
                                run.checkpoint.data.value("spec", std::string("?")), data.columns()));
  return data;
}

std::vector<std::string> column_names(const OpenRun& run) {
  return run.checkpoint.data.value("columns", std::vector<std::string>{});
}

std::vector<std::string> cautions(const OpenRun& run, const Dataset& data) {
  std::vector<std::string> found;
  for (const std::string& each : {caution_of_binarisation(run, data), caution_of_split(run, data)})
    if (!each.empty()) found.push_back(each);
  return found;
}

}  // namespace deepgen
