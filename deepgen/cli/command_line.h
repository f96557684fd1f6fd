// The words of the command: every verb with its arguments and their help, around one Arguments value.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "deepgen/cli/arguments.h"

namespace deepgen {

class CommandLine {
 public:
  // Parsing writes into `arguments`, which must outlive this object.
  explicit CommandLine(Arguments& arguments);

  CLI::App& app() { return app_; }
  std::string budget;  // as written: 90s, 20m, 1.5h

 private:
  CLI::App* verb(const std::string& name, const std::string& help);
  CLI::App* verb_of_run(const std::string& name, const std::string& help);
  void data_option(CLI::App* sub);
  void out_option(CLI::App* sub, const std::string& help);
  void annealing_options(CLI::App* sub);

  void training();
  void reproducing();
  void searching();
  void sampling();
  void scoring();
  void evaluating();
  void completing();
  void coding();
  void judging();
  void studying();
  void models();
  void data();

  Arguments& a_;
  CLI::App app_;
};

}  // namespace deepgen
