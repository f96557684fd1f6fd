// What is said of a table as JSON, samples beyond its range, and known cells that come back to the last bit.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "program.h"
#include "run_files.h"

namespace deepgen::command::table_files_test {
namespace {

const std::string one_thread = " --threads 1";
const double nan_cell = std::nan("");

using Rows = std::vector<std::vector<double>>;

// A little-endian float64 matrix.
std::string npy_of(const Rows& rows) {
  std::string header = fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {}), }}",
                                   rows.size(), rows[0].size());
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string content("\x93NUMPY\x01\x00", 8);
  content += static_cast<char>(header.size() % 256);
  content += static_cast<char>(header.size() / 256);
  content += header;
  for (const auto& row : rows)
    content.append(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(double));
  return content;
}

// Numbers of rows above 10^8 and numbers that float32 does not hold; a fifth of the cells is missing.
Rows long_numbers() {
  Rows rows;
  for (int i = 0; i < 60; ++i) rows.push_back({1e8 + 1 + i, std::sin(i) / 3, std::cos(2.0 * i) / 7 + i});
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (i % 5 < 3) rows[i][i % 3] = nan_cell;
  return rows;
}

void expect_known_kept(const Rows& given, const Rows& filled) {
  ASSERT_EQ(given.size(), filled.size());
  for (std::size_t i = 0; i < given.size(); ++i)
    for (std::size_t j = 0; j < given[i].size(); ++j) {
      EXPECT_TRUE(std::isfinite(filled[i][j])) << i << ", " << j;
      EXPECT_TRUE(std::isnan(given[i][j]) || filled[i][j] == given[i][j])
          << i << ", " << j << ": " << filled[i][j];
    }
}

TEST(KnownCells, OfFloat64ComeBackToTheLastBit) {
  const Workplace place;
  const Rows given = long_numbers();
  place.write("holes.npy", npy_of(given));
  std::string csv = "a,b,c\n";
  for (const auto& row : given) {
    for (std::size_t j = 0; j < 3; ++j)
      csv += (j > 0 ? "," : "") + (std::isnan(row[j]) ? std::string() : fmt::format("{}", row[j]));
    csv += '\n';
  }
  place.write("holes.csv", csv);
  place.must("train gaussian_mixture --data holes.npy:standardise=true --out run --set model.components=1" +
             one_thread);
  place.must("complete run --data holes.npy --out filled.npy" + one_thread);
  const Table filled = read_npy_table(place.read("filled.npy"));
  expect_known_kept(given, filled.rows);
  EXPECT_NEAR(filled.rows[0][0], 1e8 + 30, 200) << "a row's number, more exactly than float32 has it";
  place.must("complete run --data holes.csv --out filled.csv --draws 3 --spread spread.csv" + one_thread);
  const Table text = read_csv_table(place.read("filled.csv"));
  expect_known_kept(given, text.rows);
}

TEST(KnownCells, WithoutATransformToo) {
  const Workplace place;
  Rows given = long_numbers();
  for (auto& row : given) row[0] -= 1e8;
  place.write("holes.npy", npy_of(given));
  place.must("train gaussian_mixture --data holes.npy --out run --set model.components=1" + one_thread);
  place.must("complete run --data holes.npy --out filled.npy" + one_thread);
  expect_known_kept(given, read_npy_table(place.read("filled.npy")).rows);
  // What is filled is a float32 and has no more digits as text.
  place.must("complete run --data holes.npy --out filled.csv" + one_thread);
  const auto lines = cells_of(place.read("filled.csv"));
  ASSERT_EQ(lines.size(), given.size() + 1) << "the header comes first";
  for (std::size_t i = 0; i < given.size(); ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      const std::string& cell = lines[i + 1].at(j);
      if (std::isnan(given[i][j]))
        EXPECT_LE(cell.size(), 16U) << cell;
      else
        EXPECT_EQ(std::stod(cell), given[i][j]) << i << ", " << j;
    }
}

// 0 to 10 in steps of 1, 0 to 100 in steps of 2.5, numbers that hardly repeat, and a text.
std::string grids() {
  std::string text = "n,x,u,c\n";
  for (int i = 0; i < 330; ++i)
    text += fmt::format("{},{:.1f},{:.2f},{}\n", i * 7 % 11, 2.5 * (i * 17 % 41), 0.01 * (i * 37 % 331),
                        i % 3 == 0 ? "a" : "b");
  return text;
}

const Workplace& grid_runs() {
  static const Workplace* const place = [] {
    auto* made = new Workplace;  // kept to the end: other tests look at it
    made->write("grids.csv", grids());
    made->must("train latent_class --data grids.csv:numbers=gaussian --out run --set model.components=1" +
               one_thread);
    made->must("train latent_class --data grids.csv --out bins --set model.components=2 training.epochs=2" +
               one_thread);
    return made;
  }();
  return *place;
}

// How many cells lie outside of 0 to `high`; all must be on the grid of `step`, with so many decimals.
int beyond(const std::vector<std::vector<std::string>>& lines, std::size_t column, double high, double step) {
  int outside = 0;
  for (std::size_t r = 1; r < lines.size(); ++r) {
    const std::string& cell = lines[r].at(column);
    const double value = std::stod(cell), places = value / step;
    EXPECT_EQ(places, std::round(places)) << cell;
    const std::size_t point = cell.find('.');
    EXPECT_LE(point == std::string::npos ? 0 : cell.size() - point - 1, step == 1 ? 0U : 1U) << cell;
    outside += value < 0 || value > high ? 1 : 0;
  }
  return outside;
}

TEST(Extrapolate, LetsSamplesLeaveTheRangeButNotTheGrid) {
  const Workplace& place = grid_runs();
  place.must("sample run -n 400 --out within.csv" + one_thread);
  place.must("sample run -n 400 --out beyond.csv --extrapolate" + one_thread);
  const auto within = cells_of(place.read("within.csv")), free = cells_of(place.read("beyond.csv"));
  ASSERT_EQ(free.size(), 401U);
  EXPECT_EQ(beyond(within, 0, 10, 1), 0);
  EXPECT_EQ(beyond(within, 1, 100, 2.5), 0);
  EXPECT_GT(beyond(free, 0, 10, 1), 5) << "a tenth of a normal density lies outside";
  EXPECT_GT(beyond(free, 1, 100, 2.5), 5);
  place.must("sample run -n 200 --out given.csv --given c=a --extrapolate" + one_thread);
  EXPECT_GT(beyond(cells_of(place.read("given.csv")), 0, 10, 1), 2);
}

TEST(Extrapolate, IsOfStandardisedNumbersOfTables) {
  const Workplace& place = grid_runs();
  place.must("sample bins -n 50 --out plain.csv" + one_thread);
  const Result bins = place.must("sample bins -n 50 --out same.csv --extrapolate" + one_thread);
  EXPECT_TRUE(contains(bins.err, "changes nothing")) << bins;
  EXPECT_EQ(place.read("same.csv"), place.read("plain.csv"));
  place.must("train bernoulli_mixture --data bars_and_stripes --out bits --set training.epochs=1" +
             one_thread);
  expect_refused(place.run("sample bits -n 5 --out no.csv --quiet --extrapolate"), 2,
                 {"--extrapolate", "table"});
}

TEST(KnownCells, OfNumbersInBinsAreNotDrawnAnew) {
  const Workplace& place = grid_runs();
  place.write("some.csv", "n,x,u,c\n3,12.5,1.23,a\n,97.5,0.01,b\n10,,2.5,a\n0,0.0,,\n");
  place.must("complete bins --data some.csv --out some.npy --steps 5" + one_thread);
  const Table filled = read_npy_table(place.read("some.npy"));
  expect_known_kept(
      {{3, 12.5, 1.23, 0}, {nan_cell, 97.5, 0.01, 1}, {10, nan_cell, 2.5, 0}, {0, 0, nan_cell, nan_cell}},
      filled.rows);
}

// ---------------------------------------------------------------- data info --json

Json info_of(const Workplace& place, const std::string& spec) {
  return Json::parse(place.must("data info " + spec + " --json").out);
}

TEST(InfoAsJson, HasWhatIsSaidOfATable) {
  const Workplace place;
  std::string text = "age,size,when,id,one,y\n";
  for (int i = 0; i < 40; ++i)
    text +=
        fmt::format("{},{},2024-01-{:02},{},7,{}\n", i % 4 == 0 ? "" : std::to_string(20 + 2 * (i * 7 % 20)),
                    i % 3 == 0   ? "small"
                    : i % 3 == 1 ? "medium"
                                 : "large",
                    1 + i % 28, i + 1,
                    i % 5 == 0 ? ""
                    : i % 2    ? "b"
                               : "a");
  place.write("t.csv", text);
  const Json info = info_of(place, "t.csv:labels=y,test=10,ignore=one");
  EXPECT_EQ(info["rows"], (Json{{"all", 40}, {"train", 30}, {"valid", 0}, {"test", 10}}));
  EXPECT_EQ(info["values"], "mixed");
  EXPECT_EQ(info["columns_for_model"], 5);
  ASSERT_EQ(info["columns"].size(), 6U);
  const Json &age = info["columns"][0], &size = info["columns"][1], &when = info["columns"][2],
             &id = info["columns"][3], &one = info["columns"][4], &y = info["columns"][5];
  EXPECT_EQ(age["kind"], "number");
  EXPECT_EQ(age["step"], 2.0);
  EXPECT_GE(age["range"][0], 20.0);
  EXPECT_LE(age["range"][1], 58.0);
  EXPECT_TRUE(age["mean"].is_number() && age["deviation"].is_number() && age["missing"].is_number());
  EXPECT_GT(age["missing"], 0.0);
  EXPECT_EQ(age["remedies"], (Json{"categorical=age", "ordinal=age", "count=age", "ignore=age"}));
  EXPECT_FALSE(age["stated"].get<bool>());
  EXPECT_EQ(size["categories"], 3);
  EXPECT_EQ(size["values"], (Json{"large", "medium", "small"}));
  EXPECT_TRUE(contains(size["reason"].get<std::string>(), "look ordered"));
  EXPECT_EQ(size["remedies"][0], "ordinal=size(small<medium<large)");
  EXPECT_EQ(when["kind"], "date");
  for (const Json& end : when["range"]) EXPECT_TRUE(end.get<std::string>().starts_with("2024-01-")) << end;
  EXPECT_EQ(id["kind"], "identifier");
  EXPECT_EQ(id["columns_for_model"], 0);
  EXPECT_TRUE(one["stated"].get<bool>());
  EXPECT_EQ(y["labels"]["classes"], 2);
  EXPECT_EQ(y["labels"]["known"].get<int>() + y["labels"]["unknown"].get<int>(), 30);
  EXPECT_EQ(info["notes"], Json::array());
}

TEST(InfoAsJson, HasWhatIsSaidOfArraysAndSets) {
  const Workplace place;
  place.write("a.npy", encode_npy_table({{0, 0.5F}, {0.25F, 1}}));
  const Json file = info_of(place, "a.npy");
  EXPECT_EQ(file["arrays"], Json::parse(R"([{"name": "train", "shape": [2, 2], "type": "float32"}])"));
  EXPECT_EQ(file["parts"][0]["rows"], 2);
  const Json made = info_of(place, "bars_and_stripes");
  EXPECT_EQ(made["values"], "binary");
  EXPECT_TRUE(made["entropy"].is_number());
  EXPECT_FALSE(made["options"].empty());
  const Json glyphs = info_of(place, "glyphs:train=5");
  EXPECT_TRUE(contains(glyphs["notes"].dump(), "binarize="));
}

TEST(Info, SaysWhereAFirstRowOfNumbersMayBeAHeader) {
  const Workplace place;
  std::string text = "2019,2020,2021\n";
  for (int i = 0; i < 20; ++i) text += fmt::format("{}.5,{}.25,{}.5\n", i * 7 % 11, i * 5 % 7, i * 3 % 5);
  place.write("years.csv", text);
  EXPECT_TRUE(contains(place.must("data info years.csv").out, "header=true"));
  EXPECT_TRUE(contains(info_of(place, "years.csv")["notes"].dump(), "header=true"));
  EXPECT_FALSE(contains(place.must("data info years.csv:header=true").out, "header=true,"));
  const Result trained =
      place.must("train gaussian_mixture --data years.csv --out run --set model.components=1" + one_thread);
  EXPECT_TRUE(contains(trained.err, "header=true")) << trained;
}

}  // namespace
}  // namespace deepgen::command::table_files_test
