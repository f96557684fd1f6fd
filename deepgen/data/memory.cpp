#include "deepgen/data/memory.h"

#include <cstring>

#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"

namespace deepgen {
namespace {

Array copied(const Tensor& tensor, DType type) {
  const Tensor dense = tensor.to(at::kCPU).contiguous();
  Array array = make_array(type, dense.sizes().vec());
  std::memcpy(array.bytes.data(), dense.data_ptr(), array.bytes.size());
  return array;
}

}  // namespace

Array to_array(const Tensor& rows) {
  const bool wide = rows.scalar_type() == at::kDouble;
  return copied(rows.to(wide ? at::kDouble : at::kFloat), wide ? DType::f64 : DType::f32);
}

Dataset dataset_of(const Rows& rows, const std::string& name, std::vector<std::int64_t> shape) {
  if (rows.x.dim() != 2) fail_data(name, "expected rows of columns, [N, D]");
  const CellFacts cells = cell_facts(rows.x.to(at::kFloat));
  const bool bits = cells.bits && !cells.missing;
  RawSet raw;
  raw.name = name;
  raw.case_shape = std::move(shape);
  raw.arrays["train"] = bits ? copied(rows.x.to(at::kByte), DType::u8) : to_array(rows.x);
  if (rows.y.defined()) raw.arrays["train_labels"] = copied(rows.y.to(at::kLong), DType::i64);
  if (rows.starts.defined())
    raw.arrays["train_lengths"] = copied(case_lengths(rows.starts, rows.size()), DType::i64);
  return make_dataset(std::move(raw), DataOptions{});
}

}  // namespace deepgen
