#include "program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace deepgen::command {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A file without a name, to catch what the program writes.
int nameless_file() {
  std::string name = (std::filesystem::temp_directory_path() / "deepgen-out-XXXXXX").string();
  const int file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) throw std::runtime_error("no temporary file");
  ::unlink(name.c_str());
  return file;
}

std::string content(int file) {
  std::string text(static_cast<std::size_t>(std::max<off_t>(0, ::lseek(file, 0, SEEK_END))), '\0');
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  return text;
}

void limit_files(std::uint64_t bytes) {
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, SIG_IGN);  // so that writing fails, as it does on a full disk
}

}  // namespace

Words words(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::ostream& operator<<(std::ostream& stream, const Result& r) {
  stream << "$ " << r.command << "\nexit code " << r.code;
  if (r.signal != 0) stream << ", signal " << r.signal << (r.timed_out ? " (took too long)" : "");
  stream << ", " << r.seconds << " s\n";
  constexpr std::size_t most = 2000;  // characters of each stream that are shown
  return stream << "stdout: " << r.out.substr(0, most) << "\nstderr: " << r.err.substr(0, most);
}

Process::Process(const Words& arguments, const How& how) : limit_(how.limit) {
  result_.command = "deepgen";
  for (const std::string& word : arguments) result_.command += " " + word;
  out_ = nameless_file(), err_ = nameless_file();
  begin_ = now();
  start(arguments, how);
}

void Process::start(const Words& arguments, const How& how) {
  std::vector<char*> argv = {const_cast<char*>("deepgen")};
  for (const std::string& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ > 0) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  for (const auto& [name, value] : how.environment)
    value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
  const int nothing = ::open("/dev/null", O_RDONLY);
  const bool ready = ::chdir(how.folder.c_str()) == 0 && ::dup2(nothing, STDIN_FILENO) >= 0 &&
                     ::dup2(out_, STDOUT_FILENO) >= 0 && ::dup2(err_, STDERR_FILENO) >= 0;
  if (!how.output.empty()) ::dup2(::open(how.output.c_str(), O_WRONLY), STDOUT_FILENO);
  if (how.largest_file > 0) limit_files(how.largest_file);
  if (ready) ::execv(DEEPGEN_COMMAND, argv.data());
  ::_exit(127);
}

Process::~Process() {
  if (running()) {
    send(SIGKILL);
    wait();
  }
  ::close(out_), ::close(err_);
}

bool Process::running() {
  if (ended_) return false;
  if (::waitpid(pid_, &status_, WNOHANG) == 0) return true;
  ended_ = true, end_ = now();
  return false;
}

bool Process::catches(int signal) {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("SigCgt:")) return std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1;
  return false;
}

void Process::send(int signal) {
  if (running()) ::kill(pid_, signal);
}

Result Process::wait() {
  while (running()) {
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    if (result_.timed_out || now() - begin_ < limit_) continue;
    result_.timed_out = true;
    send(SIGKILL);
  }
  Result r = result_;
  r.seconds = end_ - begin_;
  if (WIFEXITED(status_)) r.code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) r.signal = WTERMSIG(status_);
  r.out = content(out_), r.err = content(err_);
  return r;
}

Result run(const Words& arguments, const How& how) { return Process(arguments, how).wait(); }

Workplace::Workplace() {
  std::string name = (std::filesystem::temp_directory_path() / "deepgen-command-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
  path_ = name;
}

Workplace::~Workplace() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Workplace::write(const std::string& name, const std::string& content) const {
  std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
  std::ofstream(path(name), std::ios::binary) << content;
  return name;
}

std::string Workplace::read(const std::string& name) const {
  std::ifstream file(path(name), std::ios::binary);
  EXPECT_TRUE(file) << "no file " << path(name);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> Workplace::names(const std::string& folder) const {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(path(folder)))
    all.push_back(entry.path().filename().string());
  std::sort(all.begin(), all.end());
  return all;
}

Result Workplace::must(const std::string& line) const {
  Result result = run(line);
  expect_done(result);
  return result;
}

void expect_refused(const Result& result, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(result.signal, 0) << result;
  EXPECT_EQ(result.code, code) << result;
  EXPECT_EQ(result.out, "") << result;
  const std::vector<std::string> lines = lines_of(result.err);
  EXPECT_EQ(lines.size(), 1U) << result;
  EXPECT_TRUE(result.err.starts_with("deepgen: ")) << result;
  for (const std::string& part : parts) EXPECT_TRUE(contains(result.err, part)) << part << "\n" << result;
}

void expect_done(const Result& result) {
  EXPECT_EQ(result.signal, 0) << result;
  EXPECT_EQ(result.code, 0) << result;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace deepgen::command
