#include "deepgen/cli/arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "deepgen/cli/command_line.h"
#include "deepgen/core/error.h"
#include "deepgen/core/version.h"

namespace deepgen {
namespace {

// "20m", "90s", "1.5h" or plain seconds.
double parse_duration(const std::string& text) {
  double unit = 1;
  std::string number = text;
  if (!text.empty() && std::string("smh").find(text.back()) != std::string::npos) {
    unit = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : 3600;
    number.pop_back();
  }
  try {
    std::size_t used = 0;
    const double value = std::stod(number, &used);
    if (used == number.size() && value > 0 && value < 1e9) return value * unit;
  } catch (const std::exception&) {
  }
  fail_usage("--budget", fmt::format("expected a time like 90s, 20m or 1.5h, got '{}'", text));
}

void collect_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
}

// The subcommand the user is in, as far as it was understood.
const CLI::App* active(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? &app : active(*chosen.front());
}

// Whether a command is to follow and was not understood.
bool lacks_verb(const CLI::App& app) {
  return app.get_subcommands().empty() && !app.get_subcommands([](const CLI::App*) { return true; }).empty();
}

bool is_flag(const std::string& word) { return word.starts_with("-"); }

[[noreturn]] void fail_extra(const CLI::App& app, const std::vector<std::string>& extras) {
  const CLI::App* where = active(app);
  auto chosen =
      std::find_if(extras.begin(), extras.end(), is_flag);  // the likelier mistake, where verbs are known
  if (lacks_verb(*where) || chosen == extras.end()) chosen = extras.begin();
  std::string extra = chosen == extras.end() ? "" : *chosen;
  if (is_flag(extra)) extra = extra.substr(0, extra.find('='));
  std::vector<std::string> known;
  if (is_flag(extra))
    collect_names(*where, known);
  else
    for (const CLI::App* sub : where->get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(sub->get_name());
  if (known.empty()) fail_usage(where->get_name(), fmt::format("unexpected argument '{}'", extra));
  fail_usage(where->get_name(), unknown_name(is_flag(extra) ? "flag" : "command", extra, known));
}

// Something required is missing: perhaps because its name is misspelt.
[[noreturn]] void fail_required(const CLI::App& app, const std::string& what) {
  const std::vector<std::string> extras = app.remaining(true);
  const CLI::App* where = active(app);
  if (std::any_of(extras.begin(), extras.end(), is_flag) || (lacks_verb(*where) && !extras.empty()))
    fail_extra(app, extras);
  fail_usage(where->get_name(), what);
}

// Parses; true when help or the version was printed and nothing is left to do.
bool parse_or_inform(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(active(app)->help().c_str(), stdout);
    return true;
  } catch (const CLI::CallForVersion&) {
    std::printf("deepgen %s (%s)\n", program_version().c_str(), program_commit().c_str());
    return true;
  } catch (const CLI::ExtrasError&) {
    fail_extra(app, app.remaining(true));
  } catch (const CLI::RequiredError& error) {
    fail_required(app, error.what());
  } catch (const CLI::ParseError& error) {
    fail_usage(active(app)->get_name(), error.what());
  }
  if (!app.get_subcommands().empty()) return false;
  std::fputs(app.help().c_str(), stdout);
  return true;
}

}  // namespace

ParsedArguments parse_arguments(int argc, const char* const* argv) {
  ParsedArguments result;
  Arguments& a = result.arguments;
  CommandLine line(a);
  CLI::App& app = line.app();
  std::vector<const char*> words(argv, argv + argc);
  if (argc > 1 && std::string_view(argv[1]) == "help") {  // `help VERB` is `VERB --help`
    words.erase(words.begin() + 1);
    words.push_back("--help");
  }
  result.done = parse_or_inform(app, static_cast<int>(words.size()), words.data());
  if (result.done) return result;
  const CLI::App* chosen = app.get_subcommands().front();
  a.verb = chosen->get_name();
  if (a.verb == "data") a.verb += " " + chosen->get_subcommands().front()->get_name();
  if (!line.budget.empty()) a.budget_seconds = parse_duration(line.budget);
  a.label_efficiency.out = a.out, a.label_efficiency.seed = a.seed;
  check_arguments(a);
  return result;
}

void finish_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  fail_data("stdout", fmt::format("cannot write all of the output{}{}", errno ? ": " : "",
                                  errno ? std::strerror(errno) : ""));
}

std::string plain_text(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == '\n' || byte == '\r' || byte == '\t')
      plain += ' ';
    else if (byte < 0x20 || byte == 0x7f)
      plain += '?';
    else if (byte == 0xc2 && next >= 0x80 && next < 0xa0)
      plain += '?', ++i;  // U+0080..U+009F: controls too
    else
      plain += text[i];
  }
  return plain;
}

int report_error(const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  const bool lost = !known && std::ferror(stdout) != 0;  // fmt::print says only that it failed
  const std::string what = lost ? "[stdout] cannot write all of the output" : error.what();
  std::fprintf(stderr, "deepgen: %s\n", plain_text(what).c_str());
  return lost    ? static_cast<int>(ErrorKind::data)
         : known ? known->exit_code()
                 : static_cast<int>(ErrorKind::bug);
}

}  // namespace deepgen
