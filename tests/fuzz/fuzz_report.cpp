// metrics.jsonl and run.json as hostile text: parsed or refused, and always a page.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "deepgen/core/error.h"
#include "deepgen/core/report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  const auto run = nlohmann::ordered_json::parse(text, nullptr, false);
  try {
    deepgen::report_html(run.is_discarded() ? nlohmann::ordered_json() : run, deepgen::parse_curve(text), {});
  } catch (const deepgen::Error&) {
  }
  return 0;
}
