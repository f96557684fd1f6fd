// A table of mixed columns with a fifth of its cells missing: the machine fills them better than what people
// do without one (column means, the most frequent category, the nearest other row).
#include <cmath>
#include <map>
#include <sstream>

#include "small_runs.h"

namespace deepgen::command::completion_test {
namespace {

using Cells = std::vector<std::map<std::string, std::string>>;

Cells cells_of(const Workplace& place, const std::string& name) {
  std::istringstream lines(place.read(name));
  auto split = [](const std::string& line) {  // no cell of this table has a comma in it
    std::vector<std::string> parts(1);
    for (const char c : line)
      if (c == ',')
        parts.emplace_back();
      else
        parts.back() += c;
    return parts;
  };
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> names = split(line);
  Cells rows;
  while (std::getline(lines, line)) {
    const std::vector<std::string> parts = split(line);
    rows.emplace_back();
    for (std::size_t j = 0; j < names.size(); ++j) rows.back()[names[j]] = parts.at(j);
  }
  return rows;
}

const std::vector<std::string> numbers = {"age", "income", "children", "hours"},
                               kinds = {"owner", "job", "city"};

struct Column {
  double mean = 0, deviation = 1;
  std::string mode;
};

std::map<std::string, Column> columns_of(const Cells& holes) {
  std::map<std::string, Column> columns;
  for (const std::string& name : numbers) {
    double count = 0, sum = 0, squares = 0;
    for (const auto& row : holes) {
      if (row.at(name).empty()) continue;
      const double x = std::stod(row.at(name));
      count += 1, sum += x, squares += x * x;
    }
    columns[name] = {sum / count, std::sqrt(squares / count - sum / count * sum / count), ""};
  }
  for (const std::string& name : kinds) {
    std::map<std::string, int> counts;
    for (const auto& row : holes)
      if (!row.at(name).empty()) ++counts[row.at(name)];
    for (const auto& [value, count] : counts)
      if (count > counts[columns[name].mode]) columns[name].mode = value;
  }
  return columns;
}

// Mean squared difference over the cells that both rows have, in deviations; 2 for different categories.
double distance(const std::map<std::string, std::string>& a, const std::map<std::string, std::string>& b,
                const std::map<std::string, Column>& columns) {
  double sum = 0, count = 0;
  for (const std::string& name : numbers) {
    if (a.at(name).empty() || b.at(name).empty()) continue;
    const double d = (std::stod(a.at(name)) - std::stod(b.at(name))) / columns.at(name).deviation;
    sum += d * d, count += 1;
  }
  for (const std::string& name : kinds)
    if (!a.at(name).empty() && !b.at(name).empty()) sum += 2 * (a.at(name) != b.at(name)), count += 1;
  return count > 0 ? sum / count : 1e9;
}

const std::string& nearest_value(const Cells& holes, std::size_t row, const std::string& name,
                                 const std::map<std::string, Column>& columns) {
  double best = 1e300;
  std::size_t nearest = row;
  for (std::size_t j = 0; j < holes.size(); ++j) {
    if (j == row || holes[j].at(name).empty()) continue;
    const double d = distance(holes[row], holes[j], columns);
    if (d < best) best = d, nearest = j;
  }
  return holes[nearest].at(name);
}

struct Errors {
  double ours = 0, simple = 0, neighbour = 0, count = 0;
};

// Squared errors in deviations for numbers, wrong answers for categories; the simple answer is mean or mode.
Errors errors_of(const std::string& name, const Cells& truth, const Cells& holes, const Cells& filled,
                 const std::map<std::string, Column>& columns) {
  constexpr std::size_t judged = 800;
  const Column& column = columns.at(name);
  Errors e;
  for (std::size_t r = 0; r < judged; ++r) {
    if (!holes[r].at(name).empty()) {
      EXPECT_EQ(filled[r].at(name), truth[r].at(name)) << "a known cell of row " << r << " changed";
      continue;
    }
    const std::string &right = truth[r].at(name), &ours = filled[r].at(name),
                      &near = nearest_value(holes, r, name, columns);
    e.count += 1;
    if (column.mode.empty()) {
      auto square = [&](double x) { return std::pow((x - std::stod(right)) / column.deviation, 2); };
      e.ours += square(std::stod(ours)), e.simple += square(column.mean),
          e.neighbour += square(std::stod(near));
    } else {
      e.ours += ours != right, e.simple += column.mode != right, e.neighbour += near != right;
    }
  }
  return e;
}

TEST(Completion, OfAMixedTableBeatsMeansModesAndNeighbours) {
  const Workplace place;
  place.must("data make people:rows=4000,seed=3 --out truth.csv");
  place.must("data make people:rows=4000,seed=3,missing=0.2 --out holes.csv");
  place.must(
      "train rbm --data holes.csv:valid=0.1 --out run --quiet --threads 1 --set model.hidden=60 "
      "training.epochs=100 training.rate=0.1 training.schedule=linear training.average=0.995");
  place.must("complete run --data holes.csv --out filled.csv --draws 50 --steps 100 --quiet --threads 1");
  const Cells truth = cells_of(place, "truth.csv"), holes = cells_of(place, "holes.csv"),
              filled = cells_of(place, "filled.csv");
  ASSERT_EQ(filled.size(), 4000U);
  const auto columns = columns_of(holes);
  for (const auto& [name, column] : columns) {
    const Errors e = errors_of(name, truth, holes, filled, columns);
    EXPECT_GT(e.count, 100) << name;
    EXPECT_LT(e.ours, e.simple) << name << ": mean or mode";
    EXPECT_LT(e.ours, e.neighbour) << name << ": nearest neighbour";
    RecordProperty(name + "_ours", std::to_string(e.ours / e.count));
    RecordProperty(name + "_simple", std::to_string(e.simple / e.count));
  }
}

TEST(Completion, RowsWithGapsAreScoredWithTheirKnownCells) {
  const Workplace place;
  place.must("data make people:rows=300,seed=3,missing=0.2 --out holes.csv");
  place.must(
      "train rbm --data holes.csv --out run --quiet --threads 1 --set model.hidden=6 training.epochs=5");
  place.must("score run --data holes.csv --out scores.csv --quiet --threads 1");
  std::istringstream lines(place.read("scores.csv"));
  std::string line;
  std::getline(lines, line);
  int rows = 0;
  for (; std::getline(lines, line); ++rows) EXPECT_TRUE(std::isfinite(std::stod(line))) << rows;
  EXPECT_EQ(rows, 300);
}

}  // namespace
}  // namespace deepgen::command::completion_test
