// The report page: complete, escaped, well-formed, self-contained, and calm about empty or broken records.
#include "deepgen/core/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "deepgen/core/chart.h"
#include "deepgen/core/error.h"
#include "deepgen/core/html.h"

namespace deepgen::report_test {
namespace {

using Json = nlohmann::ordered_json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Json small_run() {
  return Json::parse(R"json({
    "model": "rbm", "title": "Restricted Boltzmann machine", "data": "glyphs:binarize=threshold", "status": "done",
    "commit": "0123456789ab", "seed": 7, "seconds": 200.0, "peak_memory_bytes": 209715200,
    "scores": [
      {"metric": "log_prob", "split": "test", "kind": "estimate", "value": -21.234, "standard_error": 0.12,
       "unit": "nats", "rows": 500, "how": "annealed importance sampling", "lower": -21.5, "upper": -21.1},
      {"metric": "reconstruction_error", "split": "test", "kind": "proxy", "value": 3.5, "unit": "units", "rows": 500, "how": "one step"}
    ],
    "options": {"model": {"hidden": 128, "sparsity": 0.25, "name_of_start": "data"},
                "training": {"epochs": 10, "nesterov": true, "widths": [3, 4]}}
  })json");
}

std::vector<Json> small_curve() {
  return parse_curve(
      "{\"epoch\":1,\"step\":10,\"train_free_energy\":-3.5,\"valid_free_energy\":-3.0,\"train_reconstruction_"
      "error\":9}\n"
      "{\"epoch\":2,\"step\":20,\"train_free_energy\":-4.5,\"valid_free_energy\":-3.5,\"train_reconstruction_"
      "error\":5}\n");
}

// Names the first tag that is not closed, closed twice, or crossed; "" when the page is well formed.
std::string unbalanced_tag(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    if (html[at + 1] == '!') continue;
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return "no end of tag at " + html.substr(at, 40);
    const std::string tag = html.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos) return tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /\n", 1));
    if (tag.back() == '/') continue;
    if (tag[0] != '/') {
      open.push_back(name);
    } else if (open.empty() || "/" + open.back() != tag) {
      return tag;
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back();
}

// No coordinate may be "nan" or "inf".
void expect_finite_drawings(const std::string& html) {
  for (std::size_t at = html.find("<svg"); at != std::string::npos; at = html.find("<svg", at + 1)) {
    const std::string drawing = html.substr(at, html.find("</svg>", at) - at);
    EXPECT_FALSE(contains(drawing, "nan")) << drawing;
    EXPECT_FALSE(contains(drawing, "inf")) << drawing;
  }
}

TEST(Report, ShowsEveryOptionScoreAndFact) {
  const std::string page = report_html(small_run(), small_curve(), {}, {{"model.hidden", "hidden units"}});
  for (const char* part : {"model.hidden",
                           ">128<",
                           "hidden units",
                           "model.sparsity",
                           ">0.25<",
                           "model.name_of_start",
                           "training.epochs",
                           "training.nesterov",
                           ">yes<",
                           "training.widths",
                           "[3,4]",
                           "log_prob",
                           "\xE2\x88\x92"
                           "21.23 \xC2\xB1 0.12",
                           "between \xE2\x88\x92"
                           "21.50 and \xE2\x88\x92"
                           "21.10",
                           "annealed importance sampling",
                           "reconstruction_error",
                           "estimate",
                           "proxy",
                           "glyphs:binarize=threshold",
                           "0123456789ab",
                           "3 min 20 s",
                           "200 MiB",
                           "done"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
  EXPECT_FALSE(contains(page, "Warnings"));
  EXPECT_EQ(unbalanced_tag(page), "");
}

TEST(Report, ReadsWhatEvaluatePrints) {
  Json run = small_run();
  const Json evaluation = {{"model", "rbm"},
                           {"data", "mnist"},
                           {"split", "valid"},
                           {"peak_memory_bytes", 314572800},
                           {"scores", run["scores"]}};
  run.erase("scores");
  run["evaluations"] = Json::array({evaluation});
  EXPECT_TRUE(contains(report_html(run, {}, {}), "annealed importance sampling"));
  EXPECT_TRUE(contains(report_html(run, {}, {}), "Evaluating mnist (valid): peak memory 300 MiB."));
  run.erase("evaluations");
  run["evaluation"] = evaluation;
  EXPECT_TRUE(contains(report_html(run, {}, {}), "annealed importance sampling"));
}

TEST(Report, DrawsSplitsOfOneMetricTogetherAndMarksProxies) {
  const std::string page = report_html(small_run(), small_curve(), {});
  EXPECT_TRUE(contains(page, "free energy</figcaption>"));
  EXPECT_TRUE(contains(page, "reconstruction error (proxy)</figcaption>"));
  EXPECT_TRUE(contains(page, "line series-1"));
  EXPECT_FALSE(contains(page, "line series-2"));
}

TEST(Report, EscapesHostileText) {
  const std::string hostile = "<script>alert('1')</script>\"&\x01";
  Json run = {{"model", hostile}, {"data", hostile}, {"status", hostile}, {hostile, hostile}};
  run["warnings"] = Json::array({hostile});
  run["options"][hostile][hostile] = hostile;
  run["scores"] = Json::array(
      {{{"metric", hostile}, {"kind", hostile}, {"unit", hostile}, {"how", hostile}, {"value", 1}}});
  const std::vector<Json> curve = {{{"epoch", 1}, {hostile, 2.0}}};
  const std::string page =
      report_html(run, curve, {{hostile, {1, 2, 3}}}, {{hostile + "." + hostile, hostile}});
  EXPECT_FALSE(contains(page, "<script"));
  EXPECT_FALSE(contains(page, "\x01"));
  EXPECT_TRUE(contains(page, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"));
  EXPECT_EQ(unbalanced_tag(page), "");
}

TEST(Report, SurvivesTextThatIsNotUnicode) {
  const Json run = {{"model", "\xFF\xFE"}, {"data", Json::array({"\xFF"})}, {"status", "done"}};
  EXPECT_EQ(unbalanced_tag(report_html(run, {}, {})), "");
}

TEST(Report, LoadsNothingFromElsewhere) {
  const std::string page =
      report_html(small_run(), small_curve(), {{"samples", std::vector<std::uint8_t>(64, 1)}});
  for (const char* part : {"http:", "https:", "url(", "@import", "<script", "<link", "src=\"/", "href"}) {
    EXPECT_FALSE(contains(page, part)) << part;
  }
  EXPECT_TRUE(contains(page, "src=\"data:image/png;base64,"));
}

TEST(Report, IsCalmAboutMissingAndBrokenRecords) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<Json>> curves = {
      {},
      {Json::object()},
      {{{"epoch", 1}, {"train_loss", 2.0}}},
      {{{"epoch", 1}, {"train_loss", nullptr}}, {{"epoch", 2}, {"train_loss", nan}}},
      {{{"epoch", 1}, {"train_loss", infinity}},
       {{"epoch", 2}, {"train_loss", 1e308}},
       {{"epoch", 3}, {"train_loss", -1e308}}},
      {{{"epoch", 1}, {"train_loss", 3}},
       {{"epoch", 2}, {"train_loss", nullptr}},
       {{"epoch", 3}, {"train_loss", 1}}},
      {{{"epoch", "one"}, {"train_loss", "low"}}},
  };
  for (const auto& curve : curves) {
    for (const Json& run : {Json::object(), Json(), Json::array({1}), small_run()}) {
      const std::string page = report_html(run, curve, {});
      EXPECT_EQ(unbalanced_tag(page), "");
      expect_finite_drawings(page);
    }
  }
}

TEST(Report, ShowsTheOneSideOfAnIntervalThatIsKnown) {
  Json run = small_run();
  run["scores"][0].erase("upper");
  const std::string above = report_html(run, {}, {});
  EXPECT_TRUE(contains(above,
                       "at least \xE2\x88\x92"
                       "21.50"));
  EXPECT_FALSE(contains(above, "between \xE2\x88\x92"));
  run["scores"][0]["upper"] = -21.1;
  run["scores"][0].erase("lower"), run["scores"][0].erase("standard_error");
  const std::string below = report_html(run, {}, {});
  EXPECT_TRUE(contains(below,
                       "at most \xE2\x88\x92"
                       "21.10"));
  EXPECT_FALSE(contains(below, "\xC2\xB1 0.12")) << "an error that cannot be told is not shown";
}

TEST(Report, SaysWhatARunStartedFrom) {
  Json run = small_run();
  run["started_from"] = {{{"path", "runs/<a>/model.safetensors"}, {"part", ""}, {"names", {"W", "b"}}},
                         {{"path", "b.safetensors"}, {"part", "layers.0=rbm"}}};
  const std::string page = report_html(run, {}, {});
  EXPECT_TRUE(contains(page, "runs/&lt;a&gt;/model.safetensors, b.safetensors (layers.0=rbm)"));
  for (const Json& odd : {Json(3), Json::array({1, nullptr}), Json::object()}) {
    run["started_from"] = odd;
    EXPECT_EQ(unbalanced_tag(report_html(run, {}, {})), "");
  }
}

TEST(Report, WarnsInWords) {
  Json run = small_run();
  run["status"] = "interrupted";
  run["commit"] = "0123456789ab-dirty";
  run["warnings"] = Json::array({"OpenBLAS is not the OpenMP build."});
  run["scores"][0]["upper"] = -9.5;
  run["scores"][1]["value"] = nullptr;
  const std::string page = report_html(run, {{{"step", 30}, {"train_loss", nullptr}}}, {});
  for (const char* part :
       {"did not finish", "not committed", "OpenBLAS is not the OpenMP build.", "12.0 nats wide",
        "reconstruction_error (test) is not a finite number", "train_loss was not finite from step 30"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
}

TEST(Report, ShowsFindingsAtTheTop) {
  Json run = small_run();
  EXPECT_FALSE(contains(report_html(run, small_curve(), {}), "class=\"findings"));
  run["findings"] = Json::array();
  EXPECT_TRUE(contains(report_html(run, small_curve(), {}), "No problems found"));
  run["findings"] = Json::array({"The <rate> is too high."});
  run["rollbacks"] = Json::array({{{"message", "back to step 200"}}});
  const std::string page = report_html(run, small_curve(), {});
  const std::size_t finding = page.find("The &lt;rate&gt; is too high."),
                    event = page.find("back to step 200");
  EXPECT_LT(finding, event);
  EXPECT_LT(event, page.find("<h2>Scores"));
  EXPECT_EQ(unbalanced_tag(page), "");
  run["findings"] = "text", run["rollbacks"] = 3;
  EXPECT_EQ(unbalanced_tag(report_html(run, small_curve(), {})), "");
}

TEST(Report, EventsAreMarksAndNoMetrics) {
  std::vector<Json> curve = small_curve();
  const std::string before = report_html(small_run(), curve, {});
  curve.insert(curve.begin() + 1,
               Json({{"event", "rollback"}, {"number", 1}, {"epoch", 1.5}, {"step", 15}, {"rate", 0.5}}));
  curve.push_back({{"event", "rollback"}, {"epoch", nullptr}});  // broken: no mark
  const std::string page = report_html(small_run(), curve, {});
  EXPECT_FALSE(contains(before, "class=\"mark\""));
  std::size_t marks = 0;
  for (std::size_t at = 0; (at = page.find("class=\"mark\"", at)) != std::string::npos; ++at) ++marks;
  EXPECT_EQ(marks, 2U) << "one in each of the two charts";
  EXPECT_FALSE(contains(page, "number</figcaption>"));
  EXPECT_FALSE(contains(page, "not finite"));
  EXPECT_TRUE(contains(page, ">epoch</text>"));
  expect_finite_drawings(page);
}

TEST(Report, CurveReaderForgivesOnlyALastLineCutShort) {
  EXPECT_EQ(parse_curve("").size(), 0U);
  EXPECT_EQ(parse_curve("{\"a\":1}\n\n{\"a\":2}").size(), 2U);
  EXPECT_EQ(parse_curve("{\"a\":1}\n{\"a\":").size(), 1U);
  EXPECT_THROW(parse_curve("{\"a\":\n{\"a\":1}\n"), Error);
}

TEST(Chart, TicksAreRoundAndInside) {
  EXPECT_EQ(round_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(round_ticks(-1, 1, 4), (std::vector<double>{-1, -0.5, 0, 0.5, 1}));
  EXPECT_EQ(round_ticks(1, 3, 6, 1), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(round_ticks(5, 5, 6), (std::vector<double>{5}));
  for (const double scale : {1e-9, 1e-3, 1.0, 7.0, 1e6}) {
    const std::vector<double> ticks = round_ticks(-103.7 * scale, -86.2 * scale, 5);
    EXPECT_GE(ticks.size(), 3U);
    EXPECT_LE(ticks.size(), 8U);
    EXPECT_GE(ticks.front(), -103.7 * scale);
    EXPECT_LE(ticks.back(), -86.2 * scale);
  }
}

TEST(Chart, ThinsLongLinesAndKeepsSpikes) {
  Series series{"train", {}, {}};
  for (int i = 0; i < 100000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 54321 ? 100.0 : 0.001 * (i % 7));
  }
  const std::string thin = svg_chart({"loss", "step", {series}});
  EXPECT_LT(thin.size(), 40000U);
  series.y[54321] = 0;
  EXPECT_NE(thin, svg_chart({"loss", "step", {series}}));
  EXPECT_TRUE(contains(thin, ">100<"));
}

TEST(Chart, NothingFiniteIsNoChart) {
  EXPECT_EQ(svg_chart({"loss", "step", {}}), "");
  EXPECT_EQ(svg_chart({"loss", "step", {{"train", {1}, {std::nan("")}}}}), "");
}

TEST(Html, Base64KnownAnswers) {  // RFC 4648, section 10
  const auto bytes = [](const std::string& text) {
    return std::vector<std::uint8_t>(text.begin(), text.end());
  };
  EXPECT_EQ(base64(bytes("")), "");
  EXPECT_EQ(base64(bytes("f")), "Zg==");
  EXPECT_EQ(base64(bytes("fo")), "Zm8=");
  EXPECT_EQ(base64(bytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(base64({0xFB, 0xFF, 0xFE}), "+//+");
}

TEST(Html, NumbersReadAsTextForPeople) {
  EXPECT_EQ(number_text(-86.123456789),
            "\xE2\x88\x92"
            "86.1235");
  EXPECT_EQ(number_text(10000), "10000");
  EXPECT_EQ(number_text(std::nan("")), "not a number");
  EXPECT_EQ(error_decimals(0.28), 2);
  EXPECT_EQ(error_decimals(0.0034), 4);
  EXPECT_EQ(error_decimals(12), 0);
  EXPECT_EQ(error_decimals(0), 2);
  EXPECT_EQ(duration_text(3725), "1 h 2 min");
  EXPECT_EQ(bytes_text(512.0 * 1024 * 1024), "512 MiB");
}

}  // namespace
}  // namespace deepgen::report_test
