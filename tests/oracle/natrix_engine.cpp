// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tests/oracle/engine.h"
#include "tests/oracle/natrix_maps.h"
#include "tests/oracle/rules.h"
#include "tests/support/setup_error.h"

namespace natrix::oracle {
namespace {

// NATRIX_ORACLE_FAST_PATH=off lets every packet meet the stack.
std::string FastPathWords() {
  const char* wanted = std::getenv("NATRIX_ORACLE_FAST_PATH");
  return wanted == nullptr ? "" : fmt::format("fastPath: {}\n", wanted);
}

class NatrixEngine : public Engine {
 public:
  explicit NatrixEngine(const Scene& scene)
      : scene_(scene), file_(::memfd_create("config.yaml", MFD_CLOEXEC)) {
    if (!file_) support::ThrowErrno("memfd_create");
  }

  const char* name() const override { return "natrix"; }

  void Apply(const model::Config& config) override {
    Write(YamlText(config) + FastPathWords());
    if (!daemon_.IsRunning()) return ApplyFile(Path());
    const std::size_t so_far = daemon_.Output().size();
    daemon_.Signal(SIGHUP);
    daemon_.WaitForLine(" reload ok ", support::milliseconds(60000), so_far);
  }

  void ApplyFile(const std::string& path) override {
    daemon_ = support::Process(&scene_.node(), {ProgramPath("natrixd"), "--config", path});
    daemon_.WaitForLine(" ready ", support::milliseconds(60000));
  }

  void Forget() override {
    ForgetFlows(daemon_.pid());
    support::RunCommand(&scene_.node(), {"conntrack", "-F"});  // of others' rules beside it
  }

  std::vector<GatewayCount> GatewayCounts() const override {
    return ReadGatewayCounts(daemon_.pid());
  }

  std::string Explain() const override {
    return support::TryCommand(&scene_.node(), {ProgramPath("natrix"), "flows"}).output +
           daemon_.Output();
  }

 private:
  // Our descriptor, as the daemon can open it: no file to leave behind.
  std::string Path() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), file_.get()); }

  void Write(const std::string& text) {
    const bool done =
        ::ftruncate(file_.get(), 0) == 0 &&
        ::pwrite(file_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    if (!done) support::ThrowErrno("write the configuration");
  }

  const Scene& scene_;
  UniqueFd file_;
  support::Process daemon_;
};

}  // namespace

std::unique_ptr<Engine> MakeNatrixEngine(const Scene& scene) {
  return std::make_unique<NatrixEngine>(scene);
}

}  // namespace natrix::oracle
