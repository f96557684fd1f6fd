#include "deepgen/data/files/distinct_cells.h"

#include <algorithm>
#include <cstring>

namespace deepgen {
namespace {

constexpr std::size_t most_distinct = 65536;  // of 16 bits
constexpr std::size_t always_shared = 1024;   // so many are always told apart
constexpr std::size_t least_uses = 2;         // rows of each, on average, that make it worth it
constexpr std::size_t most_collisions = 128;  // of one cell: more is no accident
constexpr std::int64_t columns_at_once = 16;  // whose tables fit in the caches, as does a row's part of them

std::uint64_t bytes_as_number(const char* from, std::size_t size) {
  std::uint64_t number = 0;
  std::memcpy(&number, from, size);
  return number;
}

std::uint64_t hash_of(std::string_view text) {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio
  std::uint64_t hash = text.size();
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * odd;
    hash ^= hash >> 32;
  };
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) mix(bytes_as_number(at, 8));
  if (left >= 4) {  // two words that may overlap
    mix(bytes_as_number(at, 4) | bytes_as_number(at + left - 4, 4) << 32);
  } else if (left > 0) {
    const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])}; };
    mix(byte(0) | byte(left / 2) << 8 | byte(left - 1) << 16);
  }
  hash *= odd;  // so that every byte reaches the low bits
  return hash ^ hash >> 29;
}

// The cells of one column while its rows are read.
class CellNumbers {
 public:
  explicit CellNumbers(std::int64_t rows) : slots_(64), rows_(rows) {
    numbers_.reserve(static_cast<std::size_t>(rows));
  }

  void add(std::int64_t row, std::string_view cell) {
    if (!shared_) return;
    const std::uint64_t hash = hash_of(cell);
    std::size_t slot = hash & (slots_.size() - 1), collisions = 0;
    for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
      const std::uint32_t number = slots_[slot] - 1;
      if (hashes_[number] == hash && texts_[number] == cell) {
        numbers_.push_back(static_cast<std::uint16_t>(number));
        return;
      }
      if (++collisions > most_collisions) return stop();
    }
    const std::size_t count = texts_.size(), seen = static_cast<std::size_t>(row) + 1;
    if (count == most_distinct || (count >= always_shared && count * least_uses > seen)) return stop();
    slots_[slot] = static_cast<std::uint32_t>(count + 1);
    numbers_.push_back(static_cast<std::uint16_t>(count));
    texts_.push_back(cell), hashes_.push_back(hash), first_rows_.push_back(row);
    if (2 * texts_.size() > slots_.size()) grow();
  }

  DistinctCells take() {
    return shared_ ? DistinctCells(std::move(first_rows_), std::move(numbers_)) : DistinctCells(rows_);
  }

 private:
  void grow() {
    slots_.assign(2 * slots_.size(), 0);
    for (std::size_t number = 0; number < hashes_.size(); ++number) {
      std::size_t slot = hashes_[number] & (slots_.size() - 1);
      while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = static_cast<std::uint32_t>(number + 1);
    }
  }

  void stop() {
    shared_ = false;
    slots_ = {}, hashes_ = {}, texts_ = {}, first_rows_ = {}, numbers_ = {};
  }

  std::vector<std::uint32_t> slots_;  // by hash: a cell's number and one, or 0
  std::vector<std::uint64_t> hashes_;
  std::vector<std::string_view> texts_;
  std::vector<std::int64_t> first_rows_;
  std::vector<std::uint16_t> numbers_;
  std::int64_t rows_;
  bool shared_ = true;
};

}  // namespace

std::vector<DistinctCells> find_distinct_cells(
    std::int64_t rows, std::int64_t columns,
    const std::function<std::string_view(std::int64_t row, std::int64_t column)>& raw) {
  std::vector<DistinctCells> all;
  for (std::int64_t first = 0; first < columns; first += columns_at_once) {
    const std::int64_t some = std::min(columns_at_once, columns - first);
    std::vector<CellNumbers> tables;
    for (std::int64_t i = 0; i < some; ++i) tables.emplace_back(rows);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < some; ++column)
        tables[static_cast<std::size_t>(column)].add(row, raw(row, first + column));
    for (CellNumbers& table : tables) all.push_back(table.take());
  }
  return all;
}

}  // namespace deepgen
