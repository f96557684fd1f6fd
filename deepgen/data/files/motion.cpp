#include "deepgen/data/files/motion.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/data/files/npz.h"

namespace deepgen {

NamedArrays read_motion(const std::string& path) {
  NamedArrays all = read_npz(path);
  for (const char* name : {"frames", "columns49", "lengths"})
    if (!all.contains(name)) fail_data(path, fmt::format("expected an array named {}", name));
  const Array &frames = all["frames"], &columns = all["columns49"];
  if (frames.type != DType::f32 || frames.shape.size() != 2 || columns.type != DType::i32 ||
      columns.shape.size() != 1)
    fail_data(path, fmt::format("expected frames [N, D] float32 and columns49 [K] int32, got {} and {}",
                                dtype_name(frames.type), dtype_name(columns.type)));
  const std::int64_t rows = frames.rows(), width = frames.columns(), chosen = columns.rows();
  Array train = make_array(DType::f32, {rows, chosen});
  const auto* from = frames.as<float>();
  const auto* column = columns.as<std::int32_t>();
  auto* to = train.as<float>();
  for (std::int64_t j = 0; j < chosen; ++j) {
    if (column[j] < 0 || column[j] >= width)
      fail_data(path,
                fmt::format("expected columns from 0 to {} in columns49, got {}", width - 1, column[j]));
    for (std::int64_t r = 0; r < rows; ++r) to[r * chosen + j] = from[r * width + column[j]];
  }
  NamedArrays arrays;
  arrays["train"] = std::move(train);
  arrays["train_lengths"] = std::move(all["lengths"]);
  return arrays;
}

}  // namespace deepgen
