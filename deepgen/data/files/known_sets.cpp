#include "deepgen/data/files/known_sets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/idx.h"
#include "deepgen/data/files/motion.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/data/files/read_path.h"
#include "deepgen/data/generated/generated.h"

namespace deepgen {
namespace {

// How the arrays of a known set's files become train, valid and test.
enum class Layout { idx, parts, images, table, cifar, motion };

struct Recipe {
  KnownSet set;
  Layout layout;
  ValueKind values;
  std::vector<std::int64_t> case_shape;
  std::int64_t default_valid = 0;
  bool frames = false;  // every row is a case, unless sequence=lengths is asked for
};

const char* const idx_files_where =
    "the four original IDX files (train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
    "t10k-images-idx3-ubyte.gz, "
    "t10k-labels-idx1-ubyte.gz)";
const char* const larochelle_where =
    "an .npz with train, valid, test as uint8 0/1 in Larochelle's split (github.com/mgermain/MADE, "
    "github.com/arranger1044/DEBD)";

std::vector<std::string> idx_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const char* part : {"train", "t10k"}) {
    files.push_back(folder + "/" + part + "-images-idx3-ubyte.gz");
    files.push_back(folder + "/" + part + "-labels-idx1-ubyte.gz");
  }
  return files;
}

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = {
      {{"mnist", "handwritten digits, 28x28 grey, 60000/10000 (Y. LeCun, C. Cortes, C. J. C. Burges)",
        idx_files_where, idx_files("mnist")},
       Layout::idx,
       ValueKind::grey,
       {1, 28, 28},
       10000},
      {{"binarized_mnist",
        "the one fixed (static) binarization of MNIST by Salakhutdinov and Murray 2008, 50000/10000/10000",
        "an .npz with train, valid, test from Larochelle's binarized_mnist_*.amat (hugo-larochelle data "
        "page)",
        {"binarized_mnist/binarized_mnist.npz"}},
       Layout::parts,
       ValueKind::binary,
       {1, 28, 28}},
      {{"fashion_mnist", "clothing, 28x28 grey, 60000/10000 (Zalando)",
        "the four original IDX files (github.com/zalandoresearch/fashion-mnist)", idx_files("fashion_mnist")},
       Layout::idx,
       ValueKind::grey,
       {1, 28, 28},
       10000},
      {{"omniglot",
        "handwritten characters of 50 alphabets, 28x28 grey, background/evaluation split",
        "an .npz with train, test as uint8 grey (github.com/brendenlake/omniglot)",
        {"omniglot/omniglot_28x28.npz"}},
       Layout::parts,
       ValueKind::grey,
       {1, 28, 28},
       1345},
      {{"caltech101_silhouettes",
        "object silhouettes, 28x28 binary, 4100/2264/2307 (B. Marlin)",
        "an .npz with train, valid, test as uint8 0/1",
        {"caltech101_silhouettes/caltech101_silhouettes_28.npz"}},
       Layout::parts,
       ValueKind::binary,
       {1, 28, 28}},
      {{"frey_faces",
        "one face in 1965 video frames, 28x20 grey",
        "an .npz with images",
        {"frey_faces/frey_faces.npz"}},
       Layout::images,
       ValueKind::grey,
       {1, 28, 20}},
      {{"olivetti_faces",
        "40 people, ten pictures each, 64x64 grey",
        "an .npz with images and person",
        {"olivetti_faces/olivetti_faces.npz"}},
       Layout::images,
       ValueKind::grey,
       {1, 64, 64}},
      {{"cifar10",
        "small colour pictures, 32x32, the first 4000 training images (A. Krizhevsky)",
        "a gzip of 3073-byte records of the binary release",
        {"cifar10/cifar10_train_first4000.bin.gz"}},
       Layout::cifar,
       ValueKind::grey,
       {3, 32, 32}},
      {{"bsds300_patches",
        "8x8 grey patches of photographs (Berkeley segmentation data)",
        "an .npz with train, valid, test",
        {"bsds300_patches/bsds300_patches_8x8.npz"}},
       Layout::parts,
       ValueKind::grey,
       {1, 8, 8}},
      {{"optdigits",
        "handwritten digits, 8x8, levels 0..16 (UCI)",
        "an .npz with train, valid, test and labels",
        {"optdigits/optdigits_8x8.npz"}},
       Layout::parts,
       ValueKind::real,
       {1, 8, 8}},
      {{"adult",
        "binary census data, 123 columns, 5000/1414/26147",
        larochelle_where,
        {"nade_binary/adult.npz"}},
       Layout::parts,
       ValueKind::binary,
       {123}},
      {{"connect4",
        "binary board positions, 126 columns, 16000/4000/47557",
        larochelle_where,
        {"nade_binary/connect4.npz"}},
       Layout::parts,
       ValueKind::binary,
       {126}},
      {{"dna",
        "binary splice junctions, 180 columns, 1400/600/1186",
        larochelle_where,
        {"nade_binary/dna.npz"}},
       Layout::parts,
       ValueKind::binary,
       {180}},
      {{"mushrooms",
        "binary mushroom descriptions, 112 columns, 2000/500/5624",
        larochelle_where,
        {"nade_binary/mushrooms.npz"}},
       Layout::parts,
       ValueKind::binary,
       {112}},
      {{"wine_red",
        "red wine measurements, 12 real columns (UCI)",
        "an .npz with data",
        {"uci/wine_red.npz"}},
       Layout::table,
       ValueKind::real,
       {12}},
      {{"wine_white",
        "white wine measurements, 12 real columns (UCI)",
        "an .npz with data",
        {"uci/wine_white.npz"}},
       Layout::table,
       ValueKind::real,
       {12}},
      {{"parkinsons",
        "Parkinson's telemonitoring, 22 real columns (UCI)",
        "an .npz with data",
        {"uci/parkinsons_telemonitoring.npz"}},
       Layout::table,
       ValueKind::real,
       {22}},
      {{"jsb_chorales",
        "piano rolls of chorales, 88 binary notes; a case is a frame, or with sequence=lengths a chorale "
        "(Boulanger-Lewandowski 2012)",
        "an .npz with train, valid, test",
        {"polyphonic/JSB_Chorales.npz"}},
       Layout::parts,
       ValueKind::binary,
       {88},
       0,
       true},
      {{"nottingham",
        "piano rolls of folk tunes, 88 binary notes; a case is a frame, or with sequence=lengths a tune "
        "(Boulanger-Lewandowski 2012)",
        "an .npz with train, valid, test",
        {"polyphonic/Nottingham.npz"}},
       Layout::parts,
       ValueKind::binary,
       {88},
       0,
       true},
      {{"mocap",
        "motion capture, 49 joint values a frame, 3 sequences of 438, 260 and 3128 frames (E. Hsu; Taylor "
        "2006)",
        "an .npz with frames, lengths, columns49",
        {"mocap/motion_mit.npz"}},
       Layout::motion,
       ValueKind::real,
       {49}},
  };
  return all;
}

// The full path of a file below one of the data folders, or "" when none has it.
std::string find_file(const std::string& file) {
  for (const std::string& folder : data_folders()) {
    const std::filesystem::path path = std::filesystem::path(folder) / file;
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) return path.string();
  }
  return "";
}

std::vector<std::string> find_files(const KnownSet& set) {
  std::vector<std::string> paths;
  for (const std::string& file : set.files) {
    const std::string path = find_file(file);
    if (!path.empty()) {
      paths.push_back(path);
      continue;
    }
    fail_data(set.name,
              fmt::format("{} was not found below {}; get {} and put it at {}/{}", file,
                          fmt::join(data_folders(), " or "), set.where, data_folders().front(), file));
  }
  return paths;
}

// Records of one label byte and 3072 pixel bytes.
NamedArrays read_cifar(const std::string& path) {
  constexpr std::size_t record = 3073, pixels = record - 1, limit = 60000 * record;
  Bytes bytes = read_file_bytes(path, limit);
  if (bytes.empty() || bytes.size() % record != 0)
    fail_data(path, fmt::format("expected records of {} bytes, got {} bytes", record, bytes.size()));
  const std::size_t rows = bytes.size() / record;
  Bytes labels(rows);
  for (std::size_t r = 0; r < rows; ++r) {  // the pixels close up in their place
    labels[r] = bytes[r * record];
    std::memmove(bytes.data() + r * pixels, bytes.data() + r * record + 1, pixels);
  }
  bytes.resize(rows * pixels);
  const auto count = static_cast<std::int64_t>(rows);
  NamedArrays arrays;  // not by a list in braces, of which everything would be copied
  arrays["train"] = {DType::u8, {count, std::int64_t{pixels}}, std::move(bytes)};
  arrays["train_labels"] = {DType::u8, {count}, std::move(labels)};
  return arrays;
}

RawSet read_recipe(const Recipe& recipe, const DataOptions& options) {
  const std::vector<std::string> paths = find_files(recipe.set);
  RawSet raw{.name = recipe.set.name,
             .description = recipe.set.description,
             .arrays = {},
             .case_shape = recipe.case_shape,
             .values = recipe.values,
             .column_names = {},
             .table = nullptr,
             .default_valid = recipe.default_valid};
  switch (recipe.layout) {
    case Layout::idx:
      raw.arrays["train"] = read_idx(paths[0]), raw.arrays["train_labels"] = read_idx(paths[1]);
      raw.arrays["test"] = read_idx(paths[2]), raw.arrays["test_labels"] = read_idx(paths[3]);
      break;
    case Layout::parts:
      raw.arrays = read_npz(paths[0]);
      if (recipe.frames && options.sequence != "lengths")
        std::erase_if(raw.arrays, [](const auto& array) { return array.first.ends_with("_lengths"); });
      break;
    case Layout::cifar:
      raw.arrays = read_cifar(paths[0]);
      break;
    case Layout::motion:
      raw.arrays = read_motion(paths[0]);
      break;
    case Layout::images:
    case Layout::table: {
      NamedArrays all = read_npz(paths[0]);
      const char* key = recipe.layout == Layout::images ? "images" : "data";
      if (!all.contains(key)) fail_data(paths[0], fmt::format("expected an array named {}", key));
      raw.arrays["train"] = std::move(all[key]);
      if (all.contains("person")) raw.arrays["train_labels"] = std::move(all["person"]);
      break;
    }
  }
  return raw;
}

const GeneratedInfo* find_generated(const std::string& name) {
  for (const GeneratedInfo& info : generated_sets())
    if (info.name == name) return &info;
  return nullptr;
}

const Recipe* find_recipe(const std::string& name) {
  for (const Recipe& recipe : recipes())
    if (recipe.set.name == name) return &recipe;
  return nullptr;
}

bool takes(const GeneratedInfo& info, const std::string& option) {
  return std::any_of(info.options.begin(), info.options.end(),
                     [&](const GeneratedOption& known) { return known.name == option; });
}

RawSet read_generated(const GeneratedInfo& info, const DataSpec& spec) {
  std::map<std::string, std::string> own;
  for (const auto& [key, value] : spec.options)
    if (takes(info, key)) own[key] = value;
  GeneratedSet set = generate(info.name, own);
  if (!set.table.empty()) return raw_table(set.name, set.description, set.table);
  RawSet raw{.name = set.name,
             .description = set.description,
             .arrays = {},
             .case_shape = set.case_shape,
             .values = set.values,
             .column_names = {},
             .table = nullptr,
             .entropy = set.entropy};
  auto keep = [&](const char* key, Array& array) {
    if (!array.bytes.empty()) raw.arrays[key] = std::move(array);
  };
  keep("train", set.train), keep("valid", set.valid), keep("test", set.test);
  keep("train_labels", set.train_labels), keep("valid_labels", set.valid_labels);
  keep("test_labels", set.test_labels);
  return raw;
}

}  // namespace

const std::vector<KnownSet>& known_sets() {
  static const std::vector<KnownSet> sets = [] {
    std::vector<KnownSet> all;
    for (const Recipe& recipe : recipes()) all.push_back(recipe.set);
    return all;
  }();
  return sets;
}

std::vector<std::string> data_folders() {
  std::vector<std::string> folders;
  if (const char* chosen = std::getenv("DEEPGEN_DATA"); chosen && *chosen) folders.emplace_back(chosen);
  if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg && *xdg)
    folders.push_back(std::string(xdg) + "/deepgen");
  else if (const char* home = std::getenv("HOME"); home && *home)
    folders.push_back(std::string(home) + "/.local/share/deepgen");
  if (folders.empty()) folders.emplace_back("data");
  return folders;
}

bool is_available(const KnownSet& set) {
  return std::all_of(set.files.begin(), set.files.end(),
                     [](const std::string& f) { return !find_file(f).empty(); });
}

RawSet read_set(const DataSpec& spec, const TableSchema* learnt) {
  const DataOptions options = check_spec(spec);
  if (const GeneratedInfo* info = find_generated(spec.name)) return read_generated(*info, spec);
  if (const Recipe* recipe = find_recipe(spec.name)) return read_recipe(*recipe, options);
  return read_path(spec.name, options, learnt);
}

void refuse_unsaid_binarisation(const DataSpec& spec, const DataOptions& options) {
  const auto& name = spec.name;
  const bool ambiguous = name == "mnist" || name == "fashion_mnist" || name == "omniglot" || name == "glyphs";
  if (!ambiguous || options.transforms() || !options.binarize.empty()) return;
  fail_data(name,
            "is read in several ways, whose numbers are not comparable; say which: "
            ":binarize=none (grey), dynamic, threshold or static");
}

DataOptions check_spec(const DataSpec& spec) {
  DataOptions options;
  const GeneratedInfo* info = find_generated(spec.name);
  if (!info && !find_recipe(spec.name) && !std::filesystem::exists(spec.name)) {
    if (spec.name.find_first_of("/.") != std::string::npos) fail_data(spec.name, "no such file or folder");
    std::vector<std::string> names;
    for (const GeneratedInfo& known : generated_sets()) names.push_back(known.name);
    for (const Recipe& recipe : recipes()) names.push_back(recipe.set.name);
    fail_usage("data", unknown_name("set", spec.name, names));
  }
  std::vector<std::string> names;
  for (const FieldText& field : describe_options(options)) names.push_back(field.name);
  const bool table = info ? info->table : find_recipe(spec.name) == nullptr && is_csv(spec.name);
  if (info)
    for (const GeneratedOption& known : info->options) names.push_back(known.name);
  for (const auto& [key, value] : spec.options) {
    if (std::find(names.begin(), names.end(), key) == names.end())
      fail_usage(spec.name, unknown_name("option", key, names));
    if (!info || !takes(*info, key)) set_option(options, spec.name, key, value);
  }
  check_table_options(options, spec.name, table);
  return options;
}

}  // namespace deepgen
