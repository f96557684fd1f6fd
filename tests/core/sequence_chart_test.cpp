// Columns of sequences over time as panels of a picture.
#include "deepgen/core/sequence_chart.h"

#include <gtest/gtest.h>

#include <limits>

namespace deepgen::sequence_chart_test {
namespace {

constexpr double gap = std::numeric_limits<double>::quiet_NaN();

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

TEST(SequenceChart, HasAPanelAColumnAndALineASequence) {
  const Series up{"recorded", {0, 1, 2}, {0, 5, 10}}, down{"drawn", {0, 1, 2}, {3, 2, 1}};
  const std::string svg = sequence_chart("two joints", "frame", {{"knee", {up, down}}, {"hip", {up}}});
  EXPECT_EQ(svg.rfind("<svg xmlns=", 0), 0U);
  EXPECT_EQ(count(svg, "class=\"frame\""), 2U);
  EXPECT_EQ(count(svg, "class=\"line\""), 3U);
  EXPECT_EQ(count(svg, ">knee<"), 1U);
  EXPECT_EQ(count(svg, "<title>recorded</title>"), 2U);
  EXPECT_EQ(count(svg, "<title>two joints</title>"), 1U);
  EXPECT_EQ(count(svg, ">frame<"), 1U);
}

// The first and last point stand at the corners of the panel: 120 .. 884 across, 34 .. 108 down.
TEST(SequenceChart, LinesFillTheirPanel) {
  const std::string svg = sequence_chart("t", "x", {{"a", {{"", {0, 1, 2}, {0, 5, 10}}}}});
  EXPECT_EQ(count(svg, "d=\"M120.0 108.0h0.1L502.0 71.0L884.0 34.0\""), 1U) << svg;
}

TEST(SequenceChart, GapsInterruptALine) {
  const std::string svg = sequence_chart("t", "x", {{"a", {{"", {0, 1, 2, 3}, {0, gap, 5, 10}}}}});
  EXPECT_EQ(count(svg, "L"), 1U) << "between the last two points alone";
  EXPECT_EQ(count(svg, "h0.1"), 2U) << "the line begins twice";
}

TEST(SequenceChart, WithoutANumberThereIsNone) {
  EXPECT_EQ(sequence_chart("t", "x", {}), "");
  EXPECT_EQ(sequence_chart("t", "x", {{"a", {}}}), "");
  EXPECT_EQ(sequence_chart("t", "x", {{"a", {{"", {0, 1}, {gap, gap}}}}}), "");
  const std::string one = sequence_chart("t", "x", {{"a", {}}, {"b", {{"", {0, 1}, {4, 4}}}}});
  EXPECT_EQ(count(one, "class=\"frame\""), 2U);
  EXPECT_EQ(count(one, "nan"), 0U);
}

TEST(SequenceChart, TextsAreEscapedAndMarksDrawnWithinTheTime) {
  const std::string svg = sequence_chart("a<b", "x&y", {{"\"c\"", {{"", {0, 9}, {1, 2}}}, {4, 11}}});
  EXPECT_EQ(count(svg, "a<b"), 0U);
  EXPECT_EQ(count(svg, "a&lt;b"), 2U);
  EXPECT_EQ(count(svg, "x&amp;y"), 1U);
  EXPECT_EQ(count(svg, "d=\"M459.6 34v74\""), 1U) << svg;
}

TEST(SequenceChart, PanelsAreColumnsOfRows) {
  const float rows[] = {1, 2, 3, 4, 5, 6};
  const std::vector<Panel> panels = panels_of(rows, 2, 3, {2, 0}, {"last"});
  ASSERT_EQ(panels.size(), 2U);
  EXPECT_EQ(panels[0].label, "last");
  EXPECT_EQ(panels[1].label, "column 0");
  EXPECT_EQ(panels[0].lines[0].x, (std::vector<double>{0, 1}));
  EXPECT_EQ(panels[0].lines[0].y, (std::vector<double>{3, 6}));
  EXPECT_EQ(panels[1].lines[0].y, (std::vector<double>{1, 4}));
}

}  // namespace
}  // namespace deepgen::sequence_chart_test
