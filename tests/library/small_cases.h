// The small instances of the registry's models (SmallCase) as tests go through them: one after another, by
// what the models can do.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "deepgen/data/dataset.h"
#include "deepgen/model/capabilities.h"
#include "tests/library/machines.h"

namespace deepgen::small_cases {

// A small case of a model's card, by its number.
struct Instance {
  std::string model;
  std::size_t number = 0;

  const SmallCase& small() const { return model_card(model).small_cases.at(number); }
  // "made", "made_random_order": a part of a test's name.
  std::string title() const { return small().name.empty() ? model : model + "_" + small().name; }
  DataShape shape(std::int64_t columns, std::int64_t classes) const {
    return small_shape(small(), columns, classes);
  }
  std::shared_ptr<Model> make(std::int64_t columns, std::int64_t classes) const {
    return make_small_model(model_card(model), small(), shape(columns, classes));
  }
};

inline std::ostream& operator<<(std::ostream& out, const Instance& instance) {
  return out << instance.title();
}

// All whose models have these capabilities.
template <class... Capabilities>
std::vector<Instance> with() {
  std::vector<Instance> all;
  for (const ModelCard& card : model_catalogue())
    for (std::size_t i = 0; i < card.small_cases.size(); ++i) {
      const Instance instance{card.name, i};
      const auto model = instance.make(10, 3);
      if (((as<Capabilities>(*model) != nullptr) && ...)) all.push_back(instance);
    }
  return all;
}

// Rows of the shape's kinds of values; of grey ones the levels of bytes.
inline Tensor cells(const DataShape& shape, std::int64_t rows, Rng& rng) {
  const Tensor x = machines::rows_of_shape(shape, rows, rng);
  return shape.values == ValueKind::grey ? (x * 255).round() / 255 : x;
}

// The same with labels drawn evenly.
inline Rows labelled_cells(const DataShape& shape, std::int64_t rows, Rng& rng) {
  Tensor y = at::empty({rows}, at::kLong);
  for (std::int64_t i = 0; i < rows; ++i)
    y[i] = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(shape.classes)));
  return {cells(shape, rows, rng), y};
}

// A set of such rows in memory: 70 to train on and 9 to validate with.
inline Dataset labelled_set(const DataShape& shape, std::uint64_t seed) {
  Dataset data;
  data.spec = data.name = "memory";
  data.shape = shape.shape, data.values = shape.values, data.groups = shape.groups;
  data.binarize = "none";
  data.classes = shape.classes;
  Rng rng(seed);
  const Rows train = labelled_cells(shape, 70, rng), valid = labelled_cells(shape, 9, rng);
  data.train.name = "train", data.train.x = train.x, data.train.y = train.y;
  data.valid.name = "valid", data.valid.x = valid.x, data.valid.y = valid.y;
  data.test.name = "test";
  return data;
}

}  // namespace deepgen::small_cases
