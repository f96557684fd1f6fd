// The small instances of models with a free energy on which their laws run (laws_test.cpp,
// energy_laws_test.cpp), and what the laws of bits and those of any values have in common.
#pragma once

#include "tests/library/small_cases.h"

namespace deepgen::energy_laws {

using namespace machines;

inline constexpr std::int64_t columns = 6;

struct Case {
  small_cases::Instance instance;
  double scale;  // of every parameter

  const SmallCase& small() const { return instance.small(); }
  DataShape shape() const { return instance.shape(columns, model_card(instance.model).needs_labels ? 2 : 0); }
};

inline std::string name_of(const Case& c) {
  return c.instance.title() + "_" + std::to_string(static_cast<int>(c.scale * 10));
}

inline std::ostream& operator<<(std::ostream& out, const Case& c) { return out << name_of(c); }

// Cases of six bits have few enough states to be summed one by one.
inline bool has_few_states(const SmallCase& small) {
  return small.values == ValueKind::binary && small.groups.empty() && !small.pictures;
}

inline std::vector<Case> cases_at(const Doubles& scales, bool few_states_only) {
  std::vector<Case> all;
  for (const small_cases::Instance& instance : small_cases::with<HasFreeEnergy>())
    for (const double scale : scales)
      if (has_few_states(instance.small()) || !few_states_only) all.push_back({instance, scale});
  return all;
}

// Of rows of a model that needs labels: the classes in turn, and now and then an unknown one.
inline Tensor some_labels(const DataShape& data, std::int64_t rows) {
  return data.classes > 0 ? at::arange(rows, at::kLong).remainder(data.classes + 1) - 1 : Tensor();
}

inline std::shared_ptr<Model> random_model(const Case& c, Rng& rng) {
  const DataShape data = c.shape();
  std::shared_ptr<Model> model = c.instance.make(columns, data.classes);
  const bool bits = has_few_states(c.small());
  const Tensor x = bits ? bits_tensor(40, columns, rng, 0.3) : small_cases::cells(data, 40, rng);
  model->initialise({x, some_labels(data, 40)}, rng);
  randomise(*model, c.scale, rng);
  return model;
}

inline void expect_known_cells_kept(const CanClamp& chain, const Tensor& rows, Rng& rng) {
  const Tensor known = bits_tensor(rows.size(0), rows.size(1), rng) > 0.5, before = rows.clone();
  const Tensor end = chain.clamped_steps(rows, 5, known, rng);
  expect_bit_equal(rows, before, "the argument");
  expect_bit_equal(end.masked_select(known), rows.masked_select(known), "known cells");
}

// `mixes`: the chain is not nearly deterministic, so that other generators give other answers.
inline void expect_equal_answers(const HasChain& chain, bool mixes) {
  Rng a(5), b(5), c(6);
  const Tensor first = chain.chain_steps(chain.chain_start(50, a), 4, a);
  const Tensor again = chain.chain_steps(chain.chain_start(50, b), 4, b);
  expect_bit_equal(first, again, "equal seed");
  if (!mixes) return;
  EXPECT_FALSE(at::equal(first, chain.chain_steps(chain.chain_start(50, c), 4, c))) << "another seed";
  EXPECT_FALSE(at::equal(first, chain.chain_steps(chain.chain_start(50, a), 4, a)))
      << "the generator stood still";
}

}  // namespace deepgen::energy_laws
