// The folder of a run: model.safetensors best.safetensors run.json metrics.jsonl *.png report.html.
//
// model.safetensors is the latest state, from which training goes on; best.safetensors, kept only with
// training.patience, is the state with the best validation score, and is what samples and scores then use.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "deepgen/core/image.h"
#include "deepgen/core/observer.h"
#include "deepgen/train/checkpoint.h"

namespace deepgen {

class RunFolder {
 public:
  // For training: checks the place and changes nothing. A folder that holds a run is refused unless `resume`
  // or `overwrite`.
  static RunFolder create(const std::string& path, bool resume, bool overwrite);
  // For use: a run's folder, or the path of a .safetensors file.
  static RunFolder open(const std::string& path);

  // The run is about to start: makes the folder and, unless `resume`, removes what an earlier run wrote
  // there.
  void begin(bool resume) const;

  const std::string& name() const { return folder_; }
  std::string path(const std::string& file) const;
  bool has(const std::string& file) const;

  // The checkpoint to use: best.safetensors where there is one, else model.safetensors.
  std::string checkpoint_path() const;
  // The checkpoint to go on from: model.safetensors, or best.safetensors when a kill came before the first of
  // those; "" when there is none.
  std::string resume_path() const;
  bool opened_as_folder() const { return file_.empty(); }

  void write_checkpoint(const Checkpoint& checkpoint, bool best) const;
  void append_metrics(const Metrics& metrics) const;
  // Forgets lines of the learning curve later than this, so that a resumed run writes none twice, and makes
  // its records of rollbacks the given ones.
  void truncate_metrics(std::int64_t stage, std::int64_t step,
                        const std::vector<nlohmann::ordered_json>& rollbacks = {}) const;
  std::vector<nlohmann::ordered_json> metrics() const;

  nlohmann::ordered_json read_run() const;  // run.json, checked as far as it is used, or an empty object
  void write_run(const nlohmann::ordered_json& run) const;
  void write_picture(const std::string& name, const Image& image) const;  // name.png
  // report.html from what is in the folder.
  void write_report() const;

 private:
  explicit RunFolder(std::string folder) : folder_(folder.empty() ? "." : std::move(folder)) {}
  bool holds_run() const;
  std::string folder_;
  std::string file_;  // set when opened by the path of a checkpoint
};

}  // namespace deepgen
