// SPDX-License-Identifier: Apache-2.0
#include "loader/object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "loader/layout.h"
#include "loader/load_error.h"
#include "maps/abi/names.h"
#include "natrix.skel.h"

namespace natrix::loader {
namespace {

// A log that does not fit makes older kernels fail with ENOSPC instead of the real reason.  The
// memory is only touched by a verifier that complains.
constexpr std::size_t kLogSize = std::size_t{16} << 20;
constexpr std::size_t kLogLines = 20;

struct ProgramLog {
  bpf_program* program;
  std::unique_ptr<char[]> text;
};

std::vector<ProgramLog> AttachLogs(bpf_object* object) {
  std::vector<ProgramLog> logs;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    auto text = std::make_unique_for_overwrite<char[]>(kLogSize);
    text[0] = '\0';
    bpf_program__set_log_buf(program, text.get(), kLogSize);
    logs.push_back({program, std::move(text)});
  }
  return logs;
}

Error LoadFailure(int err, const std::vector<ProgramLog>& logs) {
  if (err == -EPERM)
    return Error::FromErrno(err, "load the datapath (needs root, or CAP_BPF and CAP_NET_ADMIN)");
  std::string what = "load the datapath";
  std::string_view log;
  for (const auto& entry : logs) {
    // Programs load in order and the first refusal ends it: at most one has a log.
    if (entry.text[0] == '\0') continue;
    what = fmt::format("load program {}", bpf_program__name(entry.program));
    log = entry.text.get();
  }
  what += fmt::format(": {}", std::error_code(-err, std::system_category()).message());
  if (!log.empty()) what += fmt::format("\n{}", LogTail(log, kLogLines));
  if (const std::string hint = LoadHint(-err, log); !hint.empty())
    what += fmt::format("\n  = help: {}", hint);
  return Error::Plain(std::move(what));
}

// What the kernel calls this process's network namespace (SO_NETNS_COOKIE, Linux 5.14).
Result<std::uint64_t> OwnNetnsCookie() {
  const UniqueFd any(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!any) return Fail(errno, "open a socket");
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(any.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return Fail(errno, "read the cookie of the network namespace");
  return cookie;
}

// Pins `fd` at `path`, replacing what is there without a moment in which nothing is.
Result<> PinOver(int fd, const std::string& path) {
  const std::string fresh = path + "-new";
  if (unlink(fresh.c_str()) != 0 && errno != ENOENT) return Fail(errno, "remove " + fresh);
  if (const int err = bpf_obj_pin(fd, fresh.c_str()); err != 0) return Fail(err, "pin " + fresh);
  if (rename(fresh.c_str(), path.c_str()) != 0) return Fail(errno, "pin " + path);
  return {};
}

// Returns how many pins that made.
Result<int> PinMissing(int fd, const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) return 0;
  if (const int err = bpf_obj_pin(fd, path.c_str()); err != 0) return Fail(err, "pin " + path);
  return 1;
}

// What is pinned of programs that `object` has not: of an earlier build, or of an object that is
// loaded when it is needed.  A link keeps its program.
Result<> RemoveOtherPins(const bpf_object* object, const PinRoot& root) {
  std::error_code error;
  std::filesystem::directory_iterator entry(root.ProgsDir(), error), end;
  std::vector<std::filesystem::path> others;
  for (; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!bpf_object__find_program_by_name(object, name.c_str())) others.push_back(entry->path());
  }
  if (error) return std::unexpected(Error(error, "list " + root.ProgsDir()));
  for (const auto& other : others)
    if (unlink(other.c_str()) != 0) return Fail(errno, "remove " + other.string());
  return {};
}

}  // namespace

Result<> PinPrograms(const bpf_object* object, const PinRoot& root) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const auto path = root.ProgPath(bpf_program__name(program));
    if (auto done = PinOver(bpf_program__fd(program), path); !done) return done;
  }
  return {};
}

Result<int> RestoreProgramPins(const bpf_object* object, const PinRoot& root) {
  int restored = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    auto done = PinMissing(bpf_program__fd(program), root.ProgPath(bpf_program__name(program)));
    if (!done) return done;
    restored += *done;
  }
  return restored;
}

Result<> LoadObject(bpf_object* object) {
  const auto logs = AttachLogs(object);
  const int err = bpf_object__load(object);
  if (err != 0) return std::unexpected(LoadFailure(err, logs));
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) bpf_program__set_log_buf(program, nullptr, 0);
  return {};
}

void Datapath::Destroy::operator()(natrix_bpf* skeleton) const { natrix_bpf__destroy(skeleton); }
Datapath::Datapath(natrix_bpf* skeleton) : skeleton_(skeleton) {}
Datapath::Datapath(Datapath&&) noexcept = default;
Datapath& Datapath::operator=(Datapath&&) noexcept = default;
Datapath::~Datapath() = default;

bpf_object* Datapath::object() const { return skeleton_->obj; }

Result<Datapath> Datapath::Load(const PinRoot& root, const TableSizes& sizes) {
  Datapath datapath(natrix_bpf__open());
  if (!datapath.skeleton_) return Fail(errno, "open the BPF object");
  const auto& maps = datapath.skeleton_->maps;
  bpf_map__set_max_entries(maps.nx_flow, 2 * sizes.max_established);
  // Twice: a flow that ends and begins again leaves its old entry in the queue until its turn.
  bpf_map__set_max_entries(maps.nx_clock, 2 * sizes.max_established);
  bpf_map__set_max_entries(maps.nx_embryo, 2 * sizes.max_embryos);

  if (auto adopted = datapath.Adopt(root); !adopted) return std::unexpected(adopted.error());
  const auto cookie = OwnNetnsCookie();
  if (!cookie) return std::unexpected(cookie.error());
  datapath.skeleton_->rodata->nx_netns_cookie = *cookie;
  // An adopted ring keeps its size.
  datapath.skeleton_->rodata->nx_clock_size = bpf_map__max_entries(maps.nx_clock);
  if (auto loaded = LoadObject(datapath.object()); !loaded) return std::unexpected(loaded.error());
  if (auto pinned = PinPrograms(datapath.object(), root); !pinned)
    return std::unexpected(pinned.error());
  if (auto removed = RemoveOtherPins(datapath.object(), root); !removed)
    return std::unexpected(removed.error());
  auto created = datapath.RestorePins(root);
  if (!created) return std::unexpected(created.error());
  datapath.created_maps_ = *created;
  return datapath;
}

Result<> Datapath::Adopt(const PinRoot& root) {
  auto adoption = FindAdoptable(object(), root, {"nx_flow", "nx_clock", "nx_embryo"});
  if (!adoption) return std::unexpected(std::move(adoption).error());
  for (const auto& adopted : adoption->maps) {
    bpf_map* map = bpf_object__find_map_by_name(object(), adopted.name.c_str());
    if (const int err = bpf_map__reuse_fd(map, adopted.fd.get()); err != 0)
      return Fail(err, "adopt map " + adopted.name);
  }
  adopted_maps_ = static_cast<int>(adoption->maps.size());
  warnings_ = std::move(adoption->warnings);
  return {};
}

Result<int> Datapath::RestorePins(const PinRoot& root) const {
  int restored = 0;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object()) {
    if (bpf_map__is_internal(map)) continue;
    auto done = PinMissing(bpf_map__fd(map), root.MapPath(bpf_map__name(map)));
    if (!done) return done;
    restored += *done;
  }
  auto programs = RestoreProgramPins(object(), root);
  if (!programs) return programs;
  if (auto recorded = root.RecordLayout(NX_LAYOUT); !recorded)
    return std::unexpected(recorded.error());
  return restored + *programs;
}

Result<int> Datapath::MapFd(const char* name) const {
  const int fd = bpf_object__find_map_fd_by_name(object(), name);
  if (fd < 0) return Fail(fd, fmt::format("map {}", name));
  return fd;
}

ProgramFds Datapath::programs() const {
  const auto& progs = skeleton_->progs;
  return {.ethernet = {.pod_ingress = bpf_program__fd(progs.nx_pod_in),
                       .uplink_ingress = bpf_program__fd(progs.nx_uplink_in),
                       .egress = bpf_program__fd(progs.nx_out)},
          .loopback_ingress = bpf_program__fd(progs.nx_lo_in),
          .uplink_xdp = bpf_program__fd(progs.nx_uplink_xdp),
          .uplink_generic_xdp = bpf_program__fd(progs.nx_uplink_gxdp),
          .cgroup = {bpf_program__fd(progs.nx_connect4), bpf_program__fd(progs.nx_connect6),
                     bpf_program__fd(progs.nx_sendmsg4), bpf_program__fd(progs.nx_sendmsg6),
                     bpf_program__fd(progs.nx_recvmsg4), bpf_program__fd(progs.nx_recvmsg6),
                     bpf_program__fd(progs.nx_peername4), bpf_program__fd(progs.nx_peername6)}};
}
int Datapath::clock_start_fd() const { return bpf_program__fd(skeleton_->progs.nx_clock_start); }
int Datapath::jiffies_fd() const { return bpf_program__fd(skeleton_->progs.nx_jiffies); }
int Datapath::peers_fd() const { return bpf_program__fd(skeleton_->progs.nx_peers); }

}  // namespace natrix::loader
