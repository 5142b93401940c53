// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "tests/support/setup_error.h"

namespace natrix::support {
namespace {

using Clock = std::chrono::steady_clock;

UniqueFd MemoryFile(const char* name) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd) ThrowErrno("memfd_create");
  return fd;
}

std::string ReadAll(int fd, off_t from = 0) {
  std::string text;
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), from);
    if (got <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
    from += got;
  }
}

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0) ThrowErrno("write a command's input");
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

int StatusOf(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// The child between fork and exec: async-signal-safe calls only.
[[noreturn]] void Become(const Namespace* ns, char* const* argv, int in, int out, int err,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);  // the parent died before the call above
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool ready = ::dup2(in, 0) >= 0 && ::dup2(out, 1) >= 0 && ::dup2(err, 2) >= 0;
  if (!ready || (ns != nullptr && !ns->EnterForExec())) {
    ::dprintf(err, "cannot enter the namespace: %s\n", std::strerror(errno));
    ::_exit(126);
  }
  ::execvp(argv[0], argv);
  ::dprintf(2, "%s: %s\n", argv[0], std::strerror(errno));
  ::_exit(127);
}

pid_t Spawn(const Namespace* ns, const Argv& argv, int in, int out, int err) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) ThrowErrno("fork for " + TextOf(argv));
  if (child == 0) Become(ns, words.data(), in, out, err, parent);
  return child;
}

// Reaps `pid` within `limit`; nullopt when it still runs.  Polls finely at first: most commands
// of a test end within two milliseconds.
std::optional<int> WaitFor(pid_t pid, milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  auto pause = std::chrono::microseconds(100);
  for (;;) {
    int status = 0;
    const pid_t done = ::waitpid(pid, &status, WNOHANG);
    if (done == pid) return StatusOf(status);
    if (done < 0 && errno != EINTR) ThrowErrno("waitpid");
    if (Clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(pause);
    if (pause < std::chrono::milliseconds(5)) pause *= 2;
  }
}

}  // namespace

std::string TextOf(const Argv& argv) { return fmt::format("{}", fmt::join(argv, " ")); }

Finished TryCommand(const Namespace* ns, const Argv& argv, std::string_view input,
                    milliseconds limit) {
  const UniqueFd in = MemoryFile("stdin");
  const UniqueFd out = MemoryFile("stdout");
  const UniqueFd err = MemoryFile("stderr");
  WriteAll(in.get(), input);
  ::lseek(in.get(), 0, SEEK_SET);
  const pid_t pid = Spawn(ns, argv, in.get(), out.get(), err.get());
  const std::optional<int> status = WaitFor(pid, limit);
  if (!status) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw SetupError(fmt::format("{}: still running after {} ms", TextOf(argv), limit.count()));
  }
  return {*status, ReadAll(out.get()), ReadAll(err.get())};
}

std::string RunCommand(const Namespace* ns, const Argv& argv, std::string_view input) {
  Finished done = TryCommand(ns, argv, input);
  if (done.status == 0) return std::move(done.output);
  std::string text = fmt::format("{}{}: exit status {}\n{}{}", ns ? ns->name() + ": " : "",
                                 TextOf(argv), done.status, done.errors, done.output);
  if (!input.empty()) text += fmt::format("its input was:\n{}", input);
  throw SetupError(text);
}

Process::Process(const Namespace* ns, const Argv& argv)
    : text_(TextOf(argv)), output_(MemoryFile("output")) {
  // Appending, so that two streams of one file do not overwrite each other.
  ::fcntl(output_.get(), F_SETFL, O_APPEND);
  const UniqueFd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  pid_ = Spawn(ns, argv, in.get(), output_.get(), output_.get());
}

Process::Process(Process&& other) noexcept
    : text_(std::move(other.text_)),
      pid_(std::exchange(other.pid_, -1)),
      output_(std::move(other.output_)),
      status_(other.status_) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  Kill();
  text_ = std::move(other.text_);
  pid_ = std::exchange(other.pid_, -1);
  output_ = std::move(other.output_);
  status_ = other.status_;
  return *this;
}

Process::~Process() { Kill(); }

bool Process::IsRunning() { return pid_ > 0 && !Wait(milliseconds(0)); }

std::string Process::Output() const { return output_ ? ReadAll(output_.get()) : std::string(); }

void Process::WaitForLine(std::string_view text, milliseconds limit, std::size_t from) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    const bool ended = !IsRunning();
    const std::string output = Output();
    if (output.find(text, from) != std::string::npos) return;
    if (ended || Clock::now() >= deadline)
      throw SetupError(fmt::format("{}: {} without a line with \"{}\"; its output:\n{}", text_,
                                   ended ? "ended" : "still running", text, output));
    std::this_thread::sleep_for(milliseconds(2));
  }
}

void Process::Signal(int signal) {
  if (IsRunning()) ::kill(pid_, signal);
}

std::optional<int> Process::Wait(milliseconds limit) {
  if (pid_ <= 0 || status_) return status_;
  status_ = WaitFor(pid_, limit);
  return status_;
}

void Process::Kill() {
  if (!IsRunning()) return;
  ::kill(pid_, SIGKILL);
  Wait(milliseconds(10000));
}

}  // namespace natrix::support
