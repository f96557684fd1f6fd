// A column of numbers as categories: bins of about equal mass, and a distribution within each.
//
// Numbers stand on a grid: cell c is the value (origin + c multiple) / 10^decimals. The grid from the least to
// the greatest training value is cut into pieces, each a value that is repeated (an atom) or a range of cells,
// and each piece belongs to one bin. Given the bin b of a value x in piece s,
//
//   p(x | b) = weight_s / (sum of weights of b) / (cells of s)
//   density(x | b) = p(x | b) / step,   step = multiple / 10^decimals
//
// weight_s being the training values in the piece, and a small one where there is none. A value that makes up
// a bin's share of the rows or more is a bin of its own. So a category's probability times this density is a
// density in the units of the file, which integrates to one when each cell is as wide as a step.
//
// Beyond the training range lie two tails as wide as the range, with half a value's weight each: a held-out
// value there has a density, and no sample falls there unless asked. What lies further has none.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace deepgen {

struct NumberPiece {
  std::int64_t first = 0, last = 0;  // cells
  double weight = 0;                 // of training values
  std::int64_t bin = 0;

  double cells() const { return static_cast<double>(last - first) + 1; }
  bool operator==(const NumberPiece&) const = default;
};

// A value, and in how many rows it stands.
struct NumberOfRows {
  double value;
  std::int64_t rows;
};

class NumberBins {
 public:
  NumberBins() = default;  // none

  bool empty() const { return pieces_.empty(); }
  std::int64_t count() const { return static_cast<std::int64_t>(totals_.size()); }  // of bins
  const std::vector<NumberPiece>& pieces() const { return pieces_; }  // ascending, without holes
  double step() const { return step_; }
  int decimals() const { return decimals_; }

  struct Place {
    std::int64_t bin;
    double log_density;  // given the bin, nats, in the units of the file
  };
  // Nothing beyond the tails.
  std::optional<Place> place(double value) const;
  // A value of the bin; u uniform in [0, 1). `beyond`: also of the tails.
  double draw(std::int64_t bin, double u, bool beyond = false) const;
  // The least value below or at which lies this share of the mass, the bins having these probabilities (any
  // positive sum); without the tails.
  double quantile(std::span<const double> probabilities, double share) const;
  std::string range_text(std::int64_t bin) const;            // "17..19", or one value
  double mean(std::int64_t bin) const;                       // without the tails
  double mean_square(std::int64_t bin, double about) const;  // of (value - about)

  nlohmann::ordered_json to_json() const;
  // Throws a data error naming `what` for anything but what to_json writes.
  static NumberBins from_json(const nlohmann::ordered_json& json, const std::string& what);

  friend NumberBins learn_number_bins(const std::vector<NumberOfRows>& values, int decimals,
                                      std::int64_t most);

 private:
  bool is_tail(std::size_t piece) const { return piece == 0 || piece + 1 == pieces_.size(); }
  double value_of(std::int64_t cell) const;
  double grid_step() const;
  void add_up();  // what follows from the pieces and the grid

  std::int64_t origin_ = 0, multiple_ = 1;
  int decimals_ = 0;  // below 0: tens, hundreds, ...
  std::vector<NumberPiece> pieces_;
  std::vector<double> totals_;         // weight of each bin
  std::vector<std::int64_t> lasts_;    // cell of each piece
  std::vector<double> log_densities_;  // of each piece, given its bin
  double step_ = 1, first_value_ = 0;  // of the grid; of cell 0
};

// From the known training values (finite, at least one), which have at most so many decimals; `most` bins
// about (values that are bins of their own come on top). Cost: that of sorting the values.
NumberBins learn_number_bins(const std::vector<NumberOfRows>& values, int decimals, std::int64_t most);
NumberBins learn_number_bins(const std::vector<double>& values, int decimals, std::int64_t most);

// How many bins suit so many known values: enough of them for each bin, at most 64.
std::int64_t suitable_bins(std::int64_t values);

}  // namespace deepgen
