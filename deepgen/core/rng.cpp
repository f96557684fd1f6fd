#include "deepgen/core/rng.h"

#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

// Keys are derived from blocks whose upper call word has its top bit set. Streams count their calls up from
// 0, so no stream ever reaches these blocks.
enum class Domain : std::uint32_t { seed = 0x80000000, element = 0x80000001, end = 0x80000002 };

std::uint64_t joined(std::uint32_t lower, std::uint32_t upper) { return lower | std::uint64_t{upper} << 32; }

std::uint64_t derived_key(std::uint64_t key, std::uint64_t value, std::uint32_t position, Domain domain) {
  const std::uint64_t call = joined(position, static_cast<std::uint32_t>(domain));
  const PhiloxBlock block = Stream{key, call}.block(value);
  return joined(block[0], block[1]);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : key_(derived_key(0, seed, 0, Domain::seed)) {}

Rng Rng::fork(std::initializer_list<std::uint64_t> path) const {
  Rng child = *this;
  std::uint32_t position = 0;
  for (const std::uint64_t value : path)
    child.key_ = derived_key(child.key_, value, position++, Domain::element);
  // The length at the end: a path and its continuation share no key, and an empty path is a new generator
  // too.
  child.key_ = derived_key(child.key_, path.size(), 0, Domain::end);
  child.calls_ = 0;
  return child;
}

Stream Rng::next() { return {key_, calls_++}; }

std::uint64_t Rng::bits() {
  const PhiloxBlock block = next().block(0);
  return joined(block[0], block[1]);
}

std::uint64_t Rng::below(std::uint64_t n) {
  if (n == 0) throw Error(ErrorKind::bug, "rng", "expected below(n) with n > 0, got 0");
  // 2^64 mod n values are refused, so that those left divide evenly.
  const std::uint64_t refused = (0 - n) % n;
  std::uint64_t value = bits();
  while (value < refused) value = bits();
  return value % n;
}

double Rng::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

double Rng::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // 1 - u > 0, and exact
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::vector<std::int64_t> Rng::permutation(std::int64_t n) {
  if (n < 0)
    throw Error(ErrorKind::bug, "rng", "expected permutation(n) with n >= 0, got " + std::to_string(n));
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[below(i)]);
  return order;
}

}  // namespace deepgen
