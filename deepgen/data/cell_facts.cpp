#include "deepgen/data/cell_facts.h"

#include <cmath>

namespace deepgen {
namespace {

CellFacts facts_of_floats(const float* cells, std::int64_t count) {
  CellFacts facts;
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = cells[i];
    const bool known = x == x;
    facts.missing = facts.missing || !known;
    facts.known = facts.known || known;
    facts.bits = facts.bits && (!known || x == 0 || x == 1);
    facts.unit = facts.unit && (!known || (x >= 0 && x <= 1));
  }
  return facts;
}

CellFacts facts_of_bytes(const std::uint8_t* cells, std::int64_t count) {
  std::uint8_t all = 0;
  for (std::int64_t i = 0; i < count; ++i) all = static_cast<std::uint8_t>(all | cells[i]);
  return {.missing = false, .known = count > 0, .bits = all <= 1, .unit = all <= 1};
}

template <class F>
std::optional<CellPlace> first_place(const Tensor& x, F wanted) {
  if (!x.is_floating_point()) return std::nullopt;
  const Tensor dense = x.contiguous();
  const float* cells = dense.data_ptr<float>();
  for (std::int64_t i = 0; i < dense.numel(); ++i)
    if (wanted(cells[i])) return CellPlace{i / x.size(1), i % x.size(1)};
  return std::nullopt;
}

}  // namespace

CellFacts cell_facts(const Tensor& x) {
  const Tensor dense = x.contiguous();
  return x.scalar_type() == at::kByte ? facts_of_bytes(dense.data_ptr<std::uint8_t>(), dense.numel())
                                      : facts_of_floats(dense.data_ptr<float>(), dense.numel());
}

std::optional<CellPlace> first_infinite_cell(const Tensor& x) {
  return first_place(x, [](float cell) { return std::isinf(cell); });
}

std::optional<CellPlace> first_missing_cell(const Tensor& x) {
  return first_place(x, [](float cell) { return std::isnan(cell); });
}

}  // namespace deepgen
