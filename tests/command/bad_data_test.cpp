// Files that are not what they should be: one line that names the file and the place, exit 3, and nothing
// left behind.
#include <cmath>
#include <limits>

#include "small_runs.h"
#include "tests/core/file_fixtures.h"

namespace deepgen::command::bad_data_test {
namespace {

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// `data info` reads the whole file, and answers at once.
void expect_unreadable(const Workplace& place, const std::string& name,
                       const std::vector<std::string>& parts = {}) {
  std::vector<std::string> all = parts;
  all.push_back(name);
  expect_refused(place.run(Words{"data", "info", name}), 3, all);
}

// `train` refuses the data before it makes anything.
void expect_untrainable(const Workplace& place, const std::string& spec,
                        const std::vector<std::string>& parts, int code = 3) {
  const Result result = place.run("train rbm --quiet --threads 1 --out refused --data " + spec);
  expect_refused(result, code, parts);
  EXPECT_TRUE(!place.has("refused") || place.names("refused").empty()) << "something is left of: " << result;
  std::filesystem::remove_all(place.path("refused"));
}

// Every verb that takes a run and data refuses these, and writes nothing.
void expect_useless(const std::string& file, const std::vector<std::string>& parts, const Words& verbs) {
  const Workplace& place = bars_run().place;
  std::vector<std::string> all = parts;
  all.push_back(file);
  for (const std::string& verb : verbs) {
    const std::string out = verb == "evaluate" ? "" : " --out no.csv";
    expect_refused(place.run(verb + " run --quiet --threads 1 --data " + file + out), 3, all);
    EXPECT_FALSE(place.has("no.csv")) << verb;
    std::filesystem::remove(place.path("no.csv"));
  }
}

std::string table(const std::string& cell, std::size_t columns = bars_columns) {
  std::vector<std::vector<std::string>> rows(5, std::vector<std::string>(columns, "1"));
  rows[2][3] = cell;
  return encode_csv_table(rows);
}

TEST(BadFile, Missing) {
  const Workplace place;
  for (const char* name : {"missing.npz", "missing.npy", "missing.csv", "missing.idx.gz", "no/such/folder"})
    expect_unreadable(place, name);
  expect_untrainable(place, "missing.csv", {"missing.csv"});
  How how = place.here();  // a known set that is not there: where to get it, and where to put it
  how.environment = {{"DEEPGEN_DATA", place.path()}, {"HOME", place.path()}, {"XDG_DATA_HOME", place.path()}};
  expect_refused(run(words("data info mnist"), how), 3,
                 {"mnist", "train-images-idx3-ubyte.gz", place.path()});
  expect_refused(run(words("data info dna"), how), 3, {"dna", "github.com", place.path()});
}

TEST(BadFile, TruncatedArchives) {
  const Workplace place;
  place.must("data make bars_and_stripes:train=50,valid=10,test=10 --out whole.npz");
  const std::string whole = place.read("whole.npz");
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{30}, whole.size() / 2, whole.size() - 1}) {
    place.write("cut.npz", whole.substr(0, size));
    expect_unreadable(place, "cut.npz");
  }
  std::string damaged = whole;
  for (std::size_t i = damaged.size() / 4; i < damaged.size() / 4 + 20; ++i)
    damaged[i] = static_cast<char>(~damaged[i]);
  place.write("damaged.npz", damaged);
  expect_unreadable(place, "damaged.npz");
  expect_untrainable(place, "damaged.npz", {"damaged.npz"});
}

TEST(BadFile, HostileArrays) {
  const Workplace place;
  const Bytes data(16, 1);
  for (const char* header : {
           "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 16), }",
           "{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807), }",
           "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 16), }",
           "{'descr': '|O', 'fortran_order': False, 'shape': (1, 16), }",
           "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 15), }",
           "{'descr': '|u1', 'shape': (1, 16), }",
           "((((((((((((((((((((((((((((((((((((((((",
           "",
       }) {
    place.write("hostile.npy", text_of(fixtures::npy(header, data)));
    expect_unreadable(place, "hostile.npy");
  }
  for (const char* content : {"", "\x93NUMPY", "no array at all"}) {
    place.write("hostile.npy", content);
    expect_unreadable(place, "hostile.npy");
  }
}

TEST(BadFile, TablesNameLineAndColumn) {
  const Workplace place;
  place.write("ragged.csv", "1,0,1\n1,0,1\n1,0\n");
  expect_unreadable(place, "ragged.csv", {"line 3"});
  place.write("words.csv", "1,0,1\n1,yes,1\n0,1,1\n");
  expect_unreadable(place, "words.csv", {"column 'v1'", "line 2", "yes"});
  place.write("latin.csv", "a,b\n1,M\xfcller\n2,x\n");
  expect_unreadable(place, "latin.csv", {"line 2", "UTF-8"});
  place.write("quote.csv", "1,0,1\n1,\"0,1\n");
  expect_unreadable(place, "quote.csv");
  place.write("empty.csv", "");
  expect_unreadable(place, "empty.csv");
  place.write("header.csv", "a,b,c\n");
  expect_untrainable(place, "header.csv", {"header.csv", "row"});
}

TEST(BadFile, WrongKinds) {
  const Workplace place;
  std::filesystem::create_directory(place.path("folder.csv"));
  std::filesystem::create_directory(place.path("folder.npz"));
  std::filesystem::create_directory(place.path("empty"));
  for (const char* name : {"folder.csv", "folder.npz", "empty"}) expect_unreadable(place, name);
  place.write("notes.txt", "1,0\n");
  expect_unreadable(place, "notes.txt");
  place.write("pictures/one.png", "this is no picture");
  expect_refused(place.run("data info pictures"), 3, {"one.png"});
  const Bytes bits =
      fixtures::npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4), }", Bytes(8, 1));
  place.write(
      "other.npz",
      text_of(fixtures::zip({fixtures::stored("something.npy", bits), fixtures::stored("else.npy", bits)})));
  expect_unreadable(place, "other.npz", {"train"});
}

TEST(BadData, MissingAndInfiniteCells) {
  const Workplace place;
  place.write("holes.csv", table(""));
  place.write("infinite.csv", table("inf"));
  expect_untrainable(place, "infinite.csv", {"infinite.csv"});
  const Workplace& run = bars_run().place;
  run.write("holes.csv", table(""));
  run.write("infinite.csv", table("inf"));
  expect_useless("holes.csv", {"row 2", "column 3"}, {"encode", "reconstruct"});  // the others sum gaps out
  expect_useless("infinite.csv", {}, {"evaluate", "complete"});
}

TEST(BadData, GreyValuesNeedABinarisationForBinaryUnits) {
  const Workplace place;
  const std::string binary = " --set model.visible_units=binary";
  expect_untrainable(place, "glyphs:train=50,valid=10,test=10" + binary, {"glyphs", "binarize"});
  place.must("data make glyphs:train=50,valid=10,test=10 --out grey.npz");
  expect_untrainable(place, "grey.npz" + binary, {"grey.npz", "binarize"});
  place.write("real.csv", table("-7.5"));
  expect_untrainable(place, "real.csv:binarize=threshold", {"real.csv"});
  const Workplace& run = bars_run().place;
  run.write("grey.csv", table("0.5"));
  run.write("grey_holes.csv", table("0.5") + table(""));
  expect_useless("grey.csv", {"row 2", "column 3", "0.5"}, {"evaluate", "score", "encode", "reconstruct"});
  expect_useless("grey_holes.csv", {"row 2", "column 3", "0.5"}, {"complete"});
}

TEST(BadData, GreyKnownSets) {
  const char* folder = std::getenv("DEEPGEN_DATA");
  if (!folder || !std::filesystem::exists(std::string(folder) + "/mnist/train-images-idx3-ubyte.gz"))
    GTEST_SKIP() << "mnist is not installed";
  const Workplace place;
  expect_untrainable(place, "mnist", {"mnist", "binarize"});
  expect_refused(bars_run().place.run("evaluate run --quiet --data mnist:binarize=threshold"), 3,
                 {"mnist", "16", "784"});
}

TEST(BadData, ColumnsThatDoNotFitTheRun) {
  const Workplace& place = bars_run().place;
  place.write("wide.csv", table("0", 17));
  expect_useless("wide.csv", {"16", "17"}, {"evaluate", "score", "encode", "reconstruct", "complete"});
}

TEST(BadData, LabelsAndParts) {
  const Workplace place;
  place.write("negative.csv", table("-2"));
  expect_untrainable(place, "negative.csv:labels=3", {"negative.csv", "label", "-2"});
  expect_untrainable(place, "negative.csv:labels=16", {"negative.csv", "16"}, 2);
  place.write("half.csv", table("0.5"));
  expect_untrainable(place, "half.csv:labels=3", {"half.csv", "label"});
  place.write("few.csv", table("0"));
  expect_untrainable(place, "few.csv:valid=5", {"few.csv", "5"});
  const auto bits = [](int rows, int columns) {
    return fixtures::npy("{'descr': '|u1', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                             std::to_string(columns) + "), }",
                         Bytes(static_cast<std::size_t>(rows * columns), 1));
  };
  place.write("parts.npz", text_of(fixtures::zip({fixtures::stored("train.npy", bits(3, 4)),
                                                  fixtures::stored("test.npy", bits(3, 5))})));
  expect_untrainable(place, "parts.npz", {"parts.npz", "4", "5"});
  place.write("labels.npz", text_of(fixtures::zip({fixtures::stored("train.npy", bits(3, 4)),
                                                   fixtures::stored("train_labels.npy", bits(2, 1))})));
  expect_untrainable(place, "labels.npz", {"labels.npz", "label"});
  for (const auto& [rows, columns] : {std::pair{0, 4}, std::pair{4, 0}}) {
    place.write("none.npy", text_of(bits(rows, columns)));
    expect_untrainable(place, "none.npy", {"none.npy"});
  }
}

// Of one row the label is not known: that is no fault, and is said.
TEST(BadData, UnknownLabelsAreAllowed) {
  const Workplace place;
  place.write("minus.csv", table("-1")), place.write("gone.csv", table(""));
  for (const std::string file : {"minus.csv", "gone.csv"}) {
    const Result result = place.must("train rbm --threads 1 --overwrite --out run --data " + file +
                                     ":labels=3 --set training.epochs=1 --set model.hidden=2");
    EXPECT_TRUE(contains(result.err, "1 of 5 rows of train have no known label")) << result;
  }
}

TEST(BadData, NothingButMissingCells) {
  const Workplace place;
  const std::vector<float> gaps(6, NAN);
  place.write("gaps.npy", encode_npy_table(std::vector<std::vector<float>>(50, gaps)));
  expect_untrainable(place, "gaps.npy", {"gaps.npy", "missing"});
}

// Said where the data are read, and kept in what is written.
TEST(BadData, AColumnWithoutAnyValueIsSetAside) {
  const Workplace place;
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 40; ++i)
    rows.push_back({i % 2 ? 1.F : 0.F, NAN, i % 2 || i % 4 == 0 ? 1.F : 0.F, i % 5 ? 1.F : NAN});
  place.write("rows.npy", encode_npy_table(rows));
  const std::string one_thread = " --threads 1";
  const Result trained =
      place.must("train rbm --out run --data rows.npy --set model.hidden=3 training.epochs=3" + one_thread);
  EXPECT_TRUE(contains(trained.err, "column 1 without any value in the training rows: set aside")) << trained;
  place.must("sample run -n 5 --out samples.npy" + one_thread);
  const Table samples = read_npy_table(place.read("samples.npy"));
  ASSERT_EQ(samples.columns(), 4U);
  for (const auto& row : samples.rows)
    EXPECT_TRUE(std::isnan(row[1]) && !std::isnan(row[0]) && !std::isnan(row[2]) && !std::isnan(row[3]));
  const Result filled = place.must(
      "complete run --data rows.npy --out filled.npy --draws 3 --spread spread.npy --steps 20" + one_thread);
  EXPECT_TRUE(contains(filled.err, "8 missing cells of 40 rows")) << filled;
  const Table whole = read_npy_table(place.read("filled.npy")),
              spread = read_npy_table(place.read("spread.npy"));
  ASSERT_EQ(whole.columns(), 4U);
  ASSERT_EQ(spread.columns(), 4U);
  for (std::size_t r = 0; r < 40; ++r) {
    EXPECT_EQ(whole.rows[r][0], rows[r][0]);
    EXPECT_TRUE(std::isnan(whole.rows[r][1]) && std::isnan(spread.rows[r][1])) << r;
    EXPECT_FALSE(std::isnan(whole.rows[r][3])) << r;
    EXPECT_EQ(std::isnan(spread.rows[r][3]), r % 5 != 0) << r;
  }
  place.must("score run --data rows.npy --out scores.npy" + one_thread);
  EXPECT_EQ(read_npy_table(place.read("scores.npy")).rows.size(), 40U);
}

TEST(BadRecipe, NamesTheKeyOrTheLine) {
  const Workplace place;
  const auto refused = [&](const std::string& content, int code, std::vector<std::string> parts) {
    place.write("bad.toml", content);
    expect_refused(place.run("train bad.toml --out refused"), code, parts);
    EXPECT_FALSE(place.has("refused"));
  };
  const std::string head = "model = \"rbm\"\ndata = \"bars_and_stripes\"\n";
  refused(head + "titel = \"x\"\n", 2, {"bad.toml", "'title'"});
  refused(head + "[trainig]\nepochs = 2\n", 2, {"bad.toml", "'training'"});
  refused(head + "[training]\nepoch = 2\n", 2, {"'epochs'"});
  refused(head + "[training]\nepochs = \"many\"\n", 2, {"epochs", "many"});
  refused(head + "[training]\nepochs = [1, 2]\n", 2, {"bad.toml", "epochs"});
  refused(head + "[model_options]\nhiden = 2\n", 2, {"'hidden'"});
  refused(head + "model_options = 3\n", 2, {"bad.toml", "model_options"});
  refused("model = \"rmb\"\ndata = \"bars_and_stripes\"\n", 2, {"'rbm'"});
  refused("model = \"rbm\"\ndata = \"bars_and_strips\"\n", 2, {"'bars_and_stripes'"});
  refused("model = \"rbm\"\n", 2, {"bad.toml", "data"});
  refused(head + "[training\nepochs = 2\n", 3, {"bad.toml", "line 3"});
  refused(head + "\n\nseed = = 2\n", 3, {"bad.toml", "line 5"});
  refused(head + "seed = -1\n", 2, {"bad.toml", "seed"});
  expect_refused(place.run("train missing.toml --out refused"), 3, {"missing.toml"});
}

}  // namespace
}  // namespace deepgen::command::bad_data_test
