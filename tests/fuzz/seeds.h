// Valid files, small ones of every kind that the readers know: what fuzzers and the fast suite begin with.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "../core/file_fixtures.h"
#include "deepgen/core/image.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/data/files/safetensors.h"
#include "deepgen/data/files/table.h"

namespace deepgen::fuzz {

using Seeds = std::vector<Bytes>;

inline std::string npy_dictionary(const std::string& descr, const std::string& fortran,
                                  const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

inline Bytes zip_sealed(const Bytes& bytes) {
  return fixtures::zip({fixtures::stored("a.npy", bytes), fixtures::compressed("b.npy", bytes)});
}

inline Seeds idx_seeds() {
  using namespace fixtures;
  return {{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6},
          join({{0, 0, 0x0e, 1, 0, 0, 0, 2}, repeated(16, 9)}),
          join({{0, 0, 0x0b, 3}, repeated(12, 0)}),
          gzip(Bytes{0, 0, 8, 1, 0, 0, 0, 2, 1, 2})};
}

inline Seeds npy_seeds() {
  using namespace fixtures;
  return {npy(npy_dictionary("<f4", "False", "(2, 3)"), repeated(24, 1)),
          npy(npy_dictionary(">i2", "True", "(2, 3, 1)"), repeated(12, 2), 2),
          npy(npy_dictionary("<u8", "False", "(3,)"), repeated(24, 3), 3),
          npy(npy_dictionary("|b1", "False", "()"), {1})};
}

inline Seeds npz_seeds() {
  Seeds seeds;
  for (const Bytes& seed : npy_seeds()) seeds.push_back(zip_sealed(seed));
  seeds.push_back(encode_npz({{"x", make_array(DType::f32, {4, 4})}, {"y", make_array(DType::u8, {0})}}));
  const Bytes names = fixtures::npy(npy_dictionary("<U3", "False", "(2,)"), fixtures::repeated(24, 0));
  seeds.push_back(fixtures::zip(
      {fixtures::stored("names.npy", names), fixtures::stored("README", fixtures::text("hello"))}));
  return seeds;
}

// Arrays that are labels or lengths of sequences.
inline Seeds label_seeds() {
  using namespace fixtures;
  Seeds seeds = npy_seeds();
  seeds.push_back(
      npy(npy_dictionary("<i4", "False", "(3,)"), join({little(4, 4), little(1, 4), little(7, 4)})));
  seeds.push_back(npy(npy_dictionary("<f8", "False", "(2,)"), repeated(16, 0)));
  seeds.push_back(npy(npy_dictionary("|i1", "False", "(4,)"), {255, 1, 2, 1}));
  return seeds;
}

inline Seeds sequence_seeds() {
  using fixtures::text;
  return {text("id,a\nx,1\nx,2\ny,3\n"), text("1;2\n1;3\n2;4\n"), text("\"a b\"\tq\na b\tq\n c\tq\n")};
}

inline Seeds description_seeds() {
  using fixtures::text;
  return {text(R"({"shape":[1,4,3],"values":"grey","classes":3})"),
          text(R"({"shape":[6],"values":"mixed","groups":[["binary",0,2],["softmax",2,4]],)"
               R"("table":[{"name":"a","kind":"real","mean":1,"deviation":2,"decimals":1,)"
               R"("range":[0,3],"missing":0}]})"),
          text(R"([{"name":"a","kind":"binary","values":["n","y"]},{"name":"b","kind":"sequence"}])")};
}

inline Seeds csv_seeds() {
  using fixtures::text;
  return {text("a,b,c\n1,2.5,-3e4\n,NA,nan\n"), text("\"x \"\"y\"\"\";z\r\n1;2\r\n\r\n"),
          text("\xef\xbb\xbf"
               "1\t2\r3\t+4\r"),
          text("7\n\n8\n")};
}

inline Seeds table_seeds() {
  using fixtures::text;
  return {text("own,\"a, b\",n\nno,x,1\nyes,\"y\"\"\",2\nno,x,7\n,,\n"),
          text("1.5;Lyon\r\n-2;Malm\xc3\xb6\r\n7e3;Lyon\r\n?;\"\nq\"\r\n"), text("7\nx\n\nx\n"),
          text("day,price,share\n2024-01-31,$5.10,12%\n2023-11-02,$7.20,9%\n,$1.00,\n")};
}

// Each table behind the schema learnt from it.
inline Seeds schema_seeds() {
  Seeds seeds;
  for (const std::string table : {"own,a,n\nno,x,1.5\nyes,y,2\nno,z,7.25\n,,\n",
                                  "colour,k\nred,1\nblue,2\nred,5\ngreen,\n", "b,c\n0,1\n1,2\n1,0\n0,3\n"}) {
    const CsvCells file = parse_csv_cells("seed", table);
    std::vector<std::int64_t> rows(static_cast<std::size_t>(file.rows()));
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
    const TableSchema schema =
        infer_table("seed", file, rows, StatedKinds(static_cast<std::size_t>(file.columns)));
    seeds.push_back(fixtures::text(schema.to_json().dump() + "\n" + table));
  }
  return seeds;
}

inline Seeds recipe_seeds() {
  using fixtures::text;
  const std::string head = "title = \"t\"\nmodel = \"rbm\"\ndata = \"mnist:binarize=dynamic\"\n";
  return {text(head + "seed = 4\nnote = 'n'\n[model_options]\nhidden = 7\n[training]\nrate = 0.5\n"
                      "centring = false\nlearning = 'cd'\n"),
          text(head + "[evaluate]\nsplit = \"valid\"\nais = \"quick\"\nchains = 9\nsamples = 10\norders = 2\n"
                      "[published]\nvalue = -86.34\nmetric = \"log_prob\"\nsource = \"s\"\naim = -85.0\n"),
          text("model = 'vae'\ndata = 'glyphs'\n[model_options]\nhidden = \"20,10\"\n[training]\n"
               "epochs = 3\nrate = 1e-3 # a comment\n")};
}

inline Seeds png_seeds() {
  using namespace fixtures;
  const Bytes colours =
      join({png_chunk("gAMA", big(45455, 4)), png_chunk("PLTE", {9, 8, 7, 1, 2, 3}), png_chunk("tRNS", {0}),
            png_chunk("zTXt", join({text("k"), {0, 0}, deflated(text("v"), 15)}))});
  return {png(3, 2, 8, 0, {0, 1, 2, 3, 1, 4, 5, 6}), png(2, 1, 16, 6, join({{4}, repeated(16, 77)})),
          png(2, 2, 8, 3, {0, 1, 0, 2, 0, 1}, colours), png(3, 1, 16, 0, {0, 0, 40, 11, 184, 1, 0}),
          encode_png({4, 4, 3, Bytes(48, 200)})};
}

inline Seeds safetensors_seeds() {
  using namespace fixtures;
  SafeTensors content;
  content.metadata = {{"format", "1"}, {"seed", "7"}};
  content.tensors = {{"w", make_array(DType::f32, {2, 3})}, {"b", make_array(DType::u8, {5})}};
  const std::string scalar = R"({"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"__metadata__":null})";
  return {encode_safetensors(content), encode_safetensors({}),
          join({little(scalar.size(), 8), text(scalar), repeated(8, 1)})};
}

inline Seeds report_seeds() {
  using fixtures::text;
  return {
      text("{\"step\":1,\"epoch\":0.5,\"train_log_prob\":-90.5}\n{\"event\":\"rollback\",\"step\":2}\n"),
      text("{\"step\":1,\"valid_free_energy\":null}\n{\"event\":\"done\",\"step\":3,\"seconds\":2}\n"),
      text(
          R"({"model":"rbm","data":"glyphs","status":"done","seed":1,"train_rows":50,)"
          R"("options":{"model":{"hidden":5},"training":{"rate":0.1,"centring":true}},)"
          R"("training_seconds":8.5,"peak_memory_bytes":910831616.0,"rollbacks":[{"step":3,"metric":"x"}],)"
          R"("warnings":["w"],"proxies":["reconstruction"],"started_from":[{"run":"runs/a"}],)"
          R"("findings":[{"kind":"nothing_learnt","what":"a"}],"evaluations":[{"model":"rbm","split":"test",)"
          R"("scores":[{"metric":"log_prob","kind":"exact","value":-78.0,"standard_error":0.2,)"
          R"("lower":-78.2,"upper":-77.8,"unit":"nats","rows":10,"how":"h"}]}]})")};
}

// By the name of the fuzzer.
inline std::map<std::string, Seeds> all_seeds() {
  std::map<std::string, Seeds> all = {{"fuzz_idx", idx_seeds()},
                                      {"fuzz_npy", npy_seeds()},
                                      {"fuzz_npz", npz_seeds()},
                                      {"fuzz_data_description", description_seeds()},
                                      {"fuzz_csv", csv_seeds()},
                                      {"fuzz_table_by_schema", schema_seeds()},
                                      {"fuzz_recipe", recipe_seeds()},
                                      {"fuzz_png", png_seeds()},
                                      {"fuzz_safetensors", safetensors_seeds()},
                                      {"fuzz_report", report_seeds()}};
  for (const Seeds& more : {table_seeds(), sequence_seeds()})
    all["fuzz_csv"].insert(all["fuzz_csv"].end(), more.begin(), more.end());
  for (const Bytes& labels : label_seeds()) all["fuzz_beside_rows"].push_back(zip_sealed(labels));
  return all;
}

}  // namespace deepgen::fuzz
