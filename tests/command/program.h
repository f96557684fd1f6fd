// Runs the program as a shell would and keeps what it said: output, messages, exit code, time.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace deepgen::command {

using Words = std::vector<std::string>;

// "sample run -n 5" as words; no quoting.
Words words(const std::string& line);
std::vector<std::string> lines_of(const std::string& text);

struct Result {
  std::string command;     // what was run, for failure messages
  int code = -1;           // exit code; -1 when a signal ended it
  int signal = 0;          // the signal that ended it, or 0
  bool timed_out = false;  // it was ended because it took too long
  double seconds = 0;
  std::string out, err;
};
std::ostream& operator<<(std::ostream& stream, const Result& result);

struct How {
  std::string folder = ".";                        // where it runs
  std::map<std::string, std::string> environment;  // beside what is inherited; an empty value takes it away
  std::uint64_t largest_file = 0;                  // bytes a file may grow to, as on a full disk; 0: no limit
  double limit = 120;                              // seconds
  std::string output;                              // a file for stdout instead of keeping it
};

// A started program; ended with the object if it still runs.
class Process {
 public:
  explicit Process(const Words& arguments, const How& how = {});
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  bool running();            // false once it has ended
  bool catches(int signal);  // whether it has a handler for this signal by now
  void send(int signal);
  Result wait();  // to its end, or to the limit of time

 private:
  void start(const Words& arguments, const How& how);

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1, status_ = 0;
  bool ended_ = false;
  double begin_ = 0, end_ = 0, limit_;
  Result result_;
};

Result run(const Words& arguments, const How& how = {});

// A folder in which commands run and which goes away with the object.
class Workplace {
 public:
  Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace();

  std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }
  bool has(const std::string& name) const { return std::filesystem::exists(path(name)); }
  std::string write(const std::string& name, const std::string& content) const;
  std::string read(const std::string& name) const;
  std::vector<std::string> names(const std::string& folder = "") const;  // of the entries, sorted

  Result run(const std::string& line) const { return run(words(line)); }
  Result run(const Words& arguments) const { return command::run(arguments, here()); }
  Result must(const std::string& line) const;  // run, and a failed test when it does not end with 0
  How here() const {
    How how;
    how.folder = path_;
    return how;
  }

 private:
  std::string path_;
};

// That it ended by itself, with `code`, saying one line that begins with "deepgen: " and holds every part.
void expect_refused(const Result& result, int code, const std::vector<std::string>& parts = {});
void expect_done(const Result& result);

bool contains(const std::string& text, const std::string& part);

}  // namespace deepgen::command
