// The folder of a run: model.safetensors latest.safetensors run.json metrics.jsonl *.png report.html.
//
// model.safetensors is the file to use, in its folder or anywhere else: the state with the best validation
// score where training.patience asks for one, else the latest. latest.safetensors is there only while
// training has gone on beyond the best, and is what a resumed run goes on from.
//
// The first version kept the latest state as model.safetensors and the best as best.safetensors. Such a
// folder opens and resumes as it did; a resumed run brings it into the new form.
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

  // The run in the folder `other` moves here, in place of an earlier one.
  void take_over(const RunFolder& other) const;

  const std::string& name() const { return folder_; }
  std::string path(const std::string& file) const;
  bool has(const std::string& file) const;

  // The checkpoint to use, and the one to go on from: "" when there is none.
  std::string checkpoint_path() const;
  std::string resume_path() const;
  bool opened_as_folder() const { return file_.empty(); }
  // A sentence for a person where the checkpoint to use is not the one that might be thought, else "".
  std::string note() const;

  // `best`: the state with the best score so far. A state that is not, of a run that holds a better one, is
  // kept to go on from alone.
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
  bool is_of_first_version() const { return has("best.safetensors"); }
  void rename_first_version() const;
  std::string folder_;
  std::string file_;  // set when opened by the path of a checkpoint
};

}  // namespace deepgen
