// SPDX-License-Identifier: Apache-2.0
#include "tests/support/namespace.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "tests/support/setup_error.h"

namespace natrix::support {

void ThrowErrno(const std::string& what) {
  const int err = errno;
  throw SetupError(what + ": " + std::system_category().message(err));
}

namespace {

// One step of a namespace's birth, so that a failure names it.
struct Step {
  const char* what;
  bool optional;  // absent on some kernels, and only some tests want it
  int (*run)();
};

int LoopbackUp() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return fd ? ::ioctl(fd.get(), SIOCSIFFLAGS, &request) : -1;
}

constexpr Step kBirth[] = {
    {"unshare", false, [] { return ::unshare(CLONE_NEWNET | CLONE_NEWNS); }},
    {"make / private", false,
     [] { return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr); }},
    {"mount /sys", false, [] { return ::mount("sysfs", "/sys", "sysfs", 0, nullptr); }},
    {"mount /sys/fs/bpf", false, [] { return ::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr); }},
    {"unshare cgroups", true, [] { return ::unshare(CLONE_NEWCGROUP); }},
    {"mount /sys/fs/cgroup", true,
     [] { return ::mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr); }},
    {"mount /run", false, [] { return ::mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); }},
    {"set lo up", false, [] { return LoopbackUp(); }},
};

// In the child: builds the namespaces and tells the parent on `report` ("" for well done), then
// stays until the parent has opened them.
[[noreturn]] void BeBorn(int report, int go_on) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string trouble;
  for (const Step& step : kBirth) {
    if (step.run() != 0 && !step.optional) {
      trouble = std::string(step.what) + ": " + std::strerror(errno);
      break;
    }
  }
  if (trouble.empty()) trouble = "ok";
  if (::write(report, trouble.data(), trouble.size()) < 0) ::_exit(1);
  char byte = 0;
  ::_exit(::read(go_on, &byte, 1) < 0 ? 1 : 0);
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
  Pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) ThrowErrno("pipe");
    read.Reset(fds[0]);
    write.Reset(fds[1]);
  }
};

UniqueFd OpenOf(pid_t pid, const char* which) {
  const std::string path = fmt::format("/proc/{}/ns/{}", pid, which);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) ThrowErrno("open " + path);
  return fd;
}

}  // namespace

Namespace::Namespace(std::string name) : name_(std::move(name)) {
  Pipe report;
  Pipe go_on;
  const pid_t child = ::fork();
  if (child < 0) ThrowErrno("fork");
  if (child == 0) {
    go_on.write.Reset();
    BeBorn(report.write.get(), go_on.read.get());
  }
  report.write.Reset();
  char text[256] = {};
  const ssize_t length = ::read(report.read.get(), text, sizeof(text) - 1);
  const bool born = length == 2 && std::strcmp(text, "ok") == 0;
  if (born) {
    net_ = OpenOf(child, "net");
    mount_ = OpenOf(child, "mnt");
  }
  go_on.write.Reset();
  ::waitpid(child, nullptr, 0);
  if (!born) throw SetupError("namespace " + name_ + ": " + text + " (this needs root)");
  struct stat info{};
  if (::fstat(net_.get(), &info) != 0) ThrowErrno("fstat namespace " + name_);
  inum_ = static_cast<unsigned int>(info.st_ino);
}

bool Namespace::EnterForExec() const {
  return ::setns(mount_.get(), CLONE_NEWNS) == 0 && ::setns(net_.get(), CLONE_NEWNET) == 0;
}

InNetwork::InNetwork(const Namespace& ns)
    : home_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  if (!home_) ThrowErrno("open own network namespace");
  if (::setns(ns.net_fd(), CLONE_NEWNET) != 0) ThrowErrno("enter namespace " + ns.name());
}

InNetwork::~InNetwork() {
  // To go on in the wrong namespace would touch the machine's own network.
  if (::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
}

}  // namespace natrix::support
