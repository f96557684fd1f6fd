// The study of contrastive divergence: its figures against their definitions and limits.
#include "deepgen/evaluate/cd_bias.h"

#include <nlohmann/json.hpp>

#include "tests/library/machines.h"

namespace deepgen::cd_bias_test {
namespace {

CdBiasPlan small_plan() {
  return {.visible = 4, .hidden = 3, .machines = 10, .scales = {0.25, 1, 2}, .steps = {1, 3, 200}, .seed = 5};
}

CdBiasTable measured(const CdBiasPlan& plan) {
  Observer silent;
  return measure_cd_bias(plan, silent);
}

// Scale by scale; more weights err more, more steps err less, and endless steps not at all.
TEST(CdBias, GrowsWithTheWeightsAndFallsWithTheSteps) {
  const CdBiasTable table = measured(small_plan());
  ASSERT_EQ(table.rows.size(), 9U);
  for (std::size_t i = 0; i < 9; ++i) {
    const CdBiasRow& row = table.rows[i];
    EXPECT_EQ(row.scale, small_plan().scales[i / 3]);
    EXPECT_EQ(row.steps, small_plan().steps[i % 3]);
    EXPECT_LE(row.least_cosine, row.cosine + 1e-12);
    if (i % 3 > 0) {
      EXPECT_LT(row.remaining, table.rows[i - 1].remaining);
      EXPECT_EQ(row.second_eigenvalue, table.rows[i - 1].second_eigenvalue);
    }
    if (i % 3 == 2) {
      EXPECT_LT(row.relative_error, table.rows[i - 2].relative_error);
    }
  }
  for (const std::size_t first : {0U, 1U}) {
    EXPECT_LT(table.rows[first].relative_error, table.rows[first + 3].relative_error);
    EXPECT_LT(table.rows[first + 3].relative_error, table.rows[first + 6].relative_error);
  }
  EXPECT_GT(table.rows[0].cosine, 0.99);
  EXPECT_LT(table.rows[2].relative_error, 1e-9);
  EXPECT_LT(table.rows[2].eigenvalue_power, 1e-9);
}

TEST(CdBias, HangsOnTheSeedAlone) {
  CdBiasPlan plan = small_plan();
  const std::string first = cd_bias_json(measured(plan)).dump();
  EXPECT_EQ(cd_bias_json(measured(plan)).dump(), first);
  plan.seed = 6;
  EXPECT_NE(cd_bias_json(measured(plan)).at("rows").dump(),
            nlohmann::ordered_json::parse(first).at("rows").dump());
}

TEST(CdBias, PlansThatCannotBeAreRefused) {
  std::vector<CdBiasPlan> wrong(7, small_plan());
  wrong[0].visible = 11, wrong[1].hidden = 0, wrong[2].machines = 0, wrong[3].scales = {1, 0.5};
  wrong[4].steps = {2, 2}, wrong[5].steps = {}, wrong[6].scales = {std::nan("")};
  for (const CdBiasPlan& plan : wrong) {
    try {
      measured(plan);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
    }
  }
}

}  // namespace
}  // namespace deepgen::cd_bias_test
