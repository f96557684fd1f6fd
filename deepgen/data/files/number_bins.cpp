#include "deepgen/data/files/number_bins.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

// The training values' cells, each way from zero. They lie up to twice as far apart, and tails reach as far again
// on either side: below 2^53, so that cells and their differences are exact doubles.
constexpr double largest_cell = 1e15;
constexpr double weight_of_nothing = 0.1;  // of a piece without a training value, in values
constexpr double weight_of_tail = 0.5;
constexpr std::int64_t ranges_of_bin = 8;  // pieces that a bin's values are spread over, atoms aside
constexpr std::int64_t least_repeats = 3;  // of a value that is an atom within its bin
constexpr std::size_t most_atoms = 2000;   // of a column: the most frequent ones

double power_of_ten(int exponent) { return std::pow(10.0, exponent); }

// A grid value and how many training values it is.
struct Value {
  std::int64_t cell, count;
};

// Decimals that leave cells below the limit.
int usable_decimals(const std::vector<NumberOfRows>& values, int decimals) {
  double largest = 0;
  for (const NumberOfRows& each : values) largest = std::max(largest, std::abs(each.value));
  if (largest == 0) return std::clamp(decimals, 0, 15);
  const int most = static_cast<int>(std::floor(std::log10(largest_cell / largest)));
  return std::min(decimals, most);
}

// Ascending, in units of 10^-decimals.
std::vector<Value> counted(const std::vector<NumberOfRows>& values, int decimals) {
  const double scale = power_of_ten(decimals < 0 ? -decimals : decimals);
  std::vector<Value> all;
  all.reserve(values.size());
  for (const auto& [value, rows] : values)
    all.push_back({std::llround(decimals < 0 ? value / scale : value * scale), rows});
  std::sort(all.begin(), all.end(), [](const Value& a, const Value& b) { return a.cell < b.cell; });
  std::size_t last = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i].cell == all[last].cell)
      all[last].count += all[i].count;
    else
      all[++last] = all[i];
  }
  all.resize(std::min(last + 1, all.size()));
  return all;
}

// Pieces of one run of training values between two bounds, cell by cell from left to right.
class PieceMaker {
 public:
  PieceMaker(const std::vector<Value>& values, std::int64_t rows, std::int64_t most)
      : values_(values),
        share_(std::max<std::int64_t>(1, (rows + most - 1) / most)),
        atom_(repeats_of_atoms(values)) {}

  std::vector<NumberPiece> make() {
    choose_bins();
    const std::int64_t low = values_.front().cell, high = values_.back().cell;
    const std::int64_t reach = high - low + 1;
    pieces_.push_back({low - reach, low - 1, weight_of_tail, bins_.front()});
    next_ = low;
    for (std::size_t i = 0; i < values_.size(); ++i) add(i);
    close();
    pieces_.push_back({high + 1, high + reach, weight_of_tail, bins_.back()});
    return std::move(pieces_);
  }

 private:
  // How often a value must come up to be an atom. Between 15,024 and 15,831, say, there may be nothing: a range
  // would draw what no row has.
  static std::int64_t repeats_of_atoms(const std::vector<Value>& values) {
    std::vector<std::int64_t> counts;
    for (const Value& value : values)
      if (value.count >= least_repeats) counts.push_back(value.count);
    if (counts.size() <= most_atoms) return least_repeats;
    std::nth_element(counts.begin(), counts.begin() + most_atoms, counts.end(), std::greater<>());
    return counts[most_atoms] + 1;
  }

  // Values of a bin's share or more are bins of their own; the others fill bins from left to right.
  void choose_bins() {
    std::int64_t bins = 0, open = -1, filled = 0;
    for (const Value& value : values_) {
      if (value.count >= share_) {
        bins_.push_back(bins++);
        totals_.push_back(value.count);
        continue;
      }
      if (open < 0 || filled >= share_) {
        open = bins++, filled = 0;
        totals_.push_back(0);
      }
      filled += value.count;
      totals_[static_cast<std::size_t>(open)] += value.count;
      bins_.push_back(open);
    }
    renumber();
  }

  // In the order of their first values.
  void renumber() {
    std::vector<std::int64_t> number(totals_.size(), -1), totals;
    std::int64_t next = 0;
    for (std::int64_t& bin : bins_) {
      std::int64_t& own = number[static_cast<std::size_t>(bin)];
      if (own < 0) own = next++, totals.push_back(totals_[static_cast<std::size_t>(bin)]);
      bin = own;
    }
    totals_ = totals;
  }

  std::int64_t total(std::int64_t bin) const { return totals_[static_cast<std::size_t>(bin)]; }

  void add(std::size_t i) {
    const Value& value = values_[i];
    const std::int64_t bin = bins_[i];
    const bool atom = value.count >= std::min(share_, atom_);
    if (open_ && (atom || bin != open_bin_)) close();
    if (atom) {
      if (next_ < value.cell) pieces_.push_back({next_, value.cell - 1, weight_of_nothing, bin});
      pieces_.push_back({value.cell, value.cell, static_cast<double>(value.count), bin});
      next_ = value.cell + 1;
      return;
    }
    if (!open_) open_ = true, open_bin_ = bin, held_ = 0;
    held_ += value.count, last_ = value.cell;
    if (held_ * ranges_of_bin >= total(bin)) close();
  }

  // Ends the range of values that is open.
  void close() {
    if (!open_) return;
    pieces_.push_back({next_, last_, static_cast<double>(held_), open_bin_});
    next_ = last_ + 1, open_ = false;
  }

  const std::vector<Value>& values_;
  const std::int64_t share_;  // training values of a bin
  const std::int64_t atom_;   // repeats of a value that make it an atom
  std::vector<std::int64_t> bins_, totals_;
  std::vector<NumberPiece> pieces_;
  std::int64_t next_ = 0;  // the first cell that is in no piece yet
  bool open_ = false;
  std::int64_t open_bin_ = 0, held_ = 0, last_ = 0;
};

[[noreturn]] void fail_bins(const std::string& what) {
  fail_data(what, "the bins of a column are malformed");
}

}  // namespace

std::int64_t suitable_bins(std::int64_t values) {
  constexpr std::int64_t values_of_bin = 20, least = 4, most = 64;
  return std::clamp(values / values_of_bin, least, most);
}

NumberBins learn_number_bins(const std::vector<double>& values, int decimals, std::int64_t most) {
  std::vector<NumberOfRows> each;
  each.reserve(values.size());
  for (const double value : values) each.push_back({value, 1});
  return learn_number_bins(each, decimals, most);
}

NumberBins learn_number_bins(const std::vector<NumberOfRows>& values, int decimals, std::int64_t most) {
  NumberBins bins;
  bins.decimals_ = usable_decimals(values, decimals);
  std::int64_t rows = 0;
  for (const NumberOfRows& each : values) rows += each.rows;
  std::vector<Value> counts = counted(values, bins.decimals_);
  bins.origin_ = counts.front().cell;
  std::int64_t multiple = 0;
  for (const Value& value : counts) multiple = std::gcd(multiple, value.cell - bins.origin_);
  bins.multiple_ = std::max<std::int64_t>(1, multiple);
  for (Value& value : counts) value.cell = (value.cell - bins.origin_) / bins.multiple_;
  bins.pieces_ = PieceMaker(counts, rows, most).make();
  bins.add_up();
  return bins;
}

void NumberBins::add_up() {
  totals_.clear();
  for (const NumberPiece& piece : pieces_) {
    if (piece.bin >= count()) totals_.resize(static_cast<std::size_t>(piece.bin) + 1, 0);
    totals_[static_cast<std::size_t>(piece.bin)] += piece.weight;
  }
  step_ = grid_step(), first_value_ = value_of(0);
  lasts_.clear(), log_densities_.clear();
  for (const NumberPiece& piece : pieces_) {
    const double share = piece.weight / totals_[static_cast<std::size_t>(piece.bin)];
    lasts_.push_back(piece.last);
    log_densities_.push_back(std::log(share / piece.cells()) - std::log(step_));
  }
}

double NumberBins::grid_step() const {
  const auto multiple = static_cast<double>(multiple_);
  return decimals_ < 0 ? multiple * power_of_ten(-decimals_) : multiple / power_of_ten(decimals_);
}

double NumberBins::value_of(std::int64_t cell) const {
  const auto units = static_cast<double>(origin_ + cell * multiple_);
  return decimals_ < 0 ? units * power_of_ten(-decimals_) : units / power_of_ten(decimals_);
}

std::optional<NumberBins::Place> NumberBins::place(double value) const {
  const double cell = std::round((value - first_value_) / step_);
  if (!(cell >= static_cast<double>(pieces_.front().first) &&
        cell <= static_cast<double>(pieces_.back().last)))
    return std::nullopt;
  const auto own = static_cast<std::int64_t>(cell);
  // The first piece that ends there or later, by halves and without a jump that depends on the value.
  const std::int64_t* piece = lasts_.data();
  for (std::size_t left = lasts_.size(); left > 1; left -= left / 2)
    piece += piece[left / 2 - 1] < own ? left / 2 : 0;
  const auto found = static_cast<std::size_t>(piece - lasts_.data());
  return Place{pieces_[found].bin, log_densities_[found]};
}

double NumberBins::draw(std::int64_t bin, double u, bool beyond) const {
  double total = 0;
  for (std::size_t s = 0; s < pieces_.size(); ++s)
    if (pieces_[s].bin == bin && (beyond || !is_tail(s))) total += pieces_[s].weight;
  double left = u * total;
  const NumberPiece* chosen = nullptr;
  for (std::size_t s = 0; s < pieces_.size(); ++s) {
    if (pieces_[s].bin != bin || (!beyond && is_tail(s))) continue;
    chosen = &pieces_[s];
    if (left < chosen->weight) break;
    left -= chosen->weight;
  }
  const double share = std::clamp(left / chosen->weight, 0.0, 1.0);
  const auto cell = chosen->first + static_cast<std::int64_t>(share * chosen->cells());
  return value_of(std::min(cell, chosen->last));
}

double NumberBins::quantile(std::span<const double> probabilities, double share) const {
  const auto mass = [&](std::size_t s) {
    const auto bin = static_cast<std::size_t>(pieces_[s].bin);
    return is_tail(s) ? 0 : probabilities[bin] * pieces_[s].weight / totals_[bin];
  };
  double total = 0;
  for (std::size_t s = 0; s < pieces_.size(); ++s) total += mass(s);
  double left = share * total;
  std::size_t last = 1;
  for (std::size_t s = 1; s + 1 < pieces_.size(); ++s) {
    const double own = mass(s);
    if (own <= 0) continue;
    last = s;
    if (left <= own) {
      const double cells = std::ceil(left / own * pieces_[s].cells()) - 1;
      const auto cell = static_cast<std::int64_t>(std::clamp(cells, 0.0, pieces_[s].cells() - 1));
      return value_of(pieces_[s].first + cell);
    }
    left -= own;
  }
  return value_of(pieces_[last].last);
}

std::string NumberBins::range_text(std::int64_t bin) const {
  std::int64_t first = 0, last = 0;
  bool any = false;
  for (std::size_t s = 1; s + 1 < pieces_.size(); ++s) {
    if (pieces_[s].bin != bin) continue;
    if (!any) first = pieces_[s].first;
    any = true, last = pieces_[s].last;
  }
  const int places = std::max(decimals_, 0);
  const std::string low = fmt::format("{:.{}f}", value_of(first), places);
  return first == last ? low : fmt::format("{}..{:.{}f}", low, value_of(last), places);
}

double NumberBins::mean(std::int64_t bin) const {
  double sum = 0, total = 0;
  for (std::size_t s = 1; s + 1 < pieces_.size(); ++s) {
    if (pieces_[s].bin != bin) continue;
    sum += pieces_[s].weight * (value_of(pieces_[s].first) + value_of(pieces_[s].last)) / 2;
    total += pieces_[s].weight;
  }
  return sum / total;
}

// Of cells at equal distances: the square of the centre's distance and (n^2 - 1) step^2 / 12.
double NumberBins::mean_square(std::int64_t bin, double about) const {
  double sum = 0, total = 0;
  for (std::size_t s = 1; s + 1 < pieces_.size(); ++s) {
    if (pieces_[s].bin != bin) continue;
    const double centre = (value_of(pieces_[s].first) + value_of(pieces_[s].last)) / 2 - about;
    const double cells = pieces_[s].cells();
    sum += pieces_[s].weight * (centre * centre + (cells * cells - 1) * step() * step() / 12);
    total += pieces_[s].weight;
  }
  return sum / total;
}

nlohmann::ordered_json NumberBins::to_json() const {
  nlohmann::ordered_json pieces = nlohmann::ordered_json::array();
  for (const NumberPiece& piece : pieces_)
    pieces.push_back({piece.first, piece.last, piece.weight, piece.bin});
  return {{"origin", origin_}, {"multiple", multiple_}, {"decimals", decimals_}, {"pieces", pieces}};
}

NumberBins NumberBins::from_json(const nlohmann::ordered_json& json, const std::string& what) {
  constexpr std::int64_t most_bins = 1 << 20, far = std::int64_t{1} << 53;
  constexpr int most_decimals = 300;  // beyond, a power of ten may be no number
  NumberBins bins;
  bins.origin_ = json.at("origin").get<std::int64_t>();
  bins.multiple_ = json.at("multiple").get<std::int64_t>();
  bins.decimals_ = json.at("decimals").get<int>();
  for (const auto& each : json.at("pieces"))
    bins.pieces_.push_back({each.at(0).get<std::int64_t>(), each.at(1).get<std::int64_t>(),
                            each.at(2).get<double>(), each.at(3).get<std::int64_t>()});
  const auto& pieces = bins.pieces_;
  if (pieces.size() < 3 || bins.multiple_ < 1 || bins.multiple_ > far || std::abs(bins.origin_) > far ||
      std::abs(bins.decimals_) > most_decimals)
    fail_bins(what);
  // Units of the last piece on either side, told before they are formed.
  const auto units = [&](std::int64_t cell) {
    return std::abs(static_cast<double>(cell)) * static_cast<double>(bins.multiple_);
  };
  if (std::max(units(pieces.front().first), units(pieces.back().last)) > static_cast<double>(far))
    fail_bins(what);
  for (std::size_t s = 0; s < pieces.size(); ++s) {
    const NumberPiece& piece = pieces[s];
    const bool follows = s == 0 || piece.first == pieces[s - 1].last + 1;
    if (!follows || piece.first > piece.last || piece.first < -far || piece.last > far || piece.bin < 0 ||
        piece.bin >= most_bins || !(piece.weight > 0) || !std::isfinite(piece.weight))
      fail_bins(what);
  }
  bins.add_up();
  // Every bin has a piece that is no tail.
  std::vector<char> inside(bins.totals_.size(), 0);
  for (std::size_t s = 1; s + 1 < pieces.size(); ++s) inside[static_cast<std::size_t>(pieces[s].bin)] = 1;
  if (std::find(inside.begin(), inside.end(), 0) != inside.end()) fail_bins(what);
  return bins;
}

}  // namespace deepgen
