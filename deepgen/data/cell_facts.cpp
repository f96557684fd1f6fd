#include "deepgen/data/cell_facts.h"

#include <cmath>
#include <limits>

namespace deepgen {
namespace {

template <class T>
CellFacts facts_of_numbers(const T* cells, std::int64_t count) {
  CellFacts facts;
  for (std::int64_t i = 0; i < count; ++i) {
    const T x = cells[i];
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

template <class T, class F>
std::optional<CellPlace> first_of(const Tensor& x, F wanted) {
  const T* cells = x.data_ptr<T>();
  for (std::int64_t i = 0; i < x.numel(); ++i)
    if (wanted(cells[i])) return CellPlace{i / x.size(1), i % x.size(1)};
  return std::nullopt;
}

template <class F>
std::optional<CellPlace> first_place(const Tensor& x, F wanted) {
  if (!x.is_floating_point()) return std::nullopt;
  const Tensor dense = x.contiguous();
  return x.scalar_type() == at::kDouble ? first_of<double>(dense, wanted) : first_of<float>(dense, wanted);
}

}  // namespace

CellFacts cell_facts(const Tensor& x) {
  const Tensor dense = x.contiguous();
  if (x.scalar_type() == at::kByte) return facts_of_bytes(dense.data_ptr<std::uint8_t>(), dense.numel());
  return x.scalar_type() == at::kDouble ? facts_of_numbers(dense.data_ptr<double>(), dense.numel())
                                        : facts_of_numbers(dense.data_ptr<float>(), dense.numel());
}

std::optional<CellPlace> first_infinite_cell(const Tensor& x) {
  return first_place(x, [](auto cell) { return std::abs(cell) > std::numeric_limits<float>::max(); });
}

std::optional<CellPlace> first_missing_cell(const Tensor& x) {
  return first_place(x, [](auto cell) { return std::isnan(cell); });
}

}  // namespace deepgen
