#include <fmt/format.h>
#include <sys/resource.h>

#include <cstring>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/npy.h"
#include "deepgen/tasks/tasks.h"

namespace deepgen {

OpenRun open_run(const std::string& path) {
  RunFolder folder = RunFolder::open(path);
  const std::string file = folder.checkpoint_path();
  OpenRun run{folder, load_checkpoint(file), nullptr, {}, {}};
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

std::string split_label(const Dataset& data, const std::string& split) {
  return data.one_matrix ? "all" : split;
}

nlohmann::ordered_json evaluation_json(const std::string& model, const Dataset& data,
                                       const std::string& split, const std::vector<Score>& scores) {
  nlohmann::ordered_json json = {{"model", model},
                                 {"data", data.spec},
                                 {"binarize", data.binarize},
                                 {"split", split_label(data, split)},
                                 {"scores", nlohmann::ordered_json::array()}};
  for (const Score& score : scores) json["scores"].push_back(score.to_json());
  return json;
}

std::vector<std::string> column_names(const OpenRun& run) {
  return run.checkpoint.data.value("columns", std::vector<std::string>{});
}

Array to_array(const Tensor& rows) {
  const bool wide = rows.scalar_type() == at::kDouble;
  const Tensor dense = rows.to(at::kCPU, wide ? at::kDouble : at::kFloat).contiguous();
  Array array = make_array(wide ? DType::f64 : DType::f32, dense.sizes().vec());
  std::memcpy(array.bytes.data(), dense.data_ptr(), array.bytes.size());
  return array;
}

void write_text(const std::string& path, const std::string& text) {
  write_file(path, ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void write_cases(const OpenRun& run, const std::string& path, const Tensor& rows, const Grid& grid) {
  const TableSchema& table = run.learnt.table;
  if (table.empty())
    return write_rows(path, run.learnt.transform.invert(rows), column_names(run), run.shape, grid);
  if (path.ends_with(".csv"))
    return write_text(path, encode_table_csv(table, table_values(table, to_array(rows))));
  if (path.ends_with(".npy")) return write_npy(path, table_values(table, to_array(rows)));
  write_rows(path, rows, {}, run.shape, grid);
}

void write_rows(const std::string& path, const Tensor& rows, const std::vector<std::string>& names,
                const std::vector<std::int64_t>& shape, const Grid& grid) {
  if (path.ends_with(".npy")) return write_npy(path, to_array(rows));
  const Tensor table = rows.dim() == 1 ? rows.unsqueeze(1) : rows;
  if (path.ends_with(".csv")) {
    std::vector<std::string> columns = names;
    for (std::int64_t j = static_cast<std::int64_t>(columns.size()); j < table.size(1); ++j)
      columns.push_back(fmt::format("v{}", j));
    return write_csv(path, columns, to_array(table));
  }
  if (path.ends_with(".png") && rows.dim() == 2) return write_png(path, picture_of(rows, shape, grid));
  fail_usage("--out", fmt::format("expected a file that ends in .npy, .csv{}, got '{}'",
                                  rows.dim() == 2 ? " or .png" : "", path));
}

double peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

}  // namespace deepgen
