// Errors: one class, whose kind decides the exit code of the command.
//
// Message form: "[who] expected X, got Y; hint". The library throws and never prints or exits.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace deepgen {

// The value of each kind is the exit code of the command.
enum class ErrorKind { bug = 1, usage = 2, data = 3, numerical = 4, interrupted = 130 };

class Error : public std::runtime_error {
 public:
  // `who` names the part that speaks (a file, an option, a model); it is printed in brackets.
  Error(ErrorKind kind, const std::string& who, const std::string& what);
  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

// A name, option or argument that is not known or not allowed.
[[noreturn]] void fail_usage(const std::string& who, const std::string& what);
// A file or data set that is missing, malformed or does not fit.
[[noreturn]] void fail_data(const std::string& who, const std::string& what);
// A value that is not finite, or an estimate that cannot be formed.
[[noreturn]] void fail_numerical(const std::string& who, const std::string& what);

// The candidate nearest to `name` by edit distance (adjacent swaps count one), or "" when none is near:
// more than a third of the longer name would have to change.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

// "unknown <what> 'nmae'; did you mean 'name'?", or the list of candidates when none is near.
std::string unknown_name(const std::string& what, const std::string& name,
                         const std::vector<std::string>& candidates);

}  // namespace deepgen
