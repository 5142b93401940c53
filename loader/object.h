// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loader/cgroup_hooks.h"
#include "loader/pin_root.h"
#include "userspace/base/result.h"

struct bpf_object;
struct natrix_bpf;

namespace natrix::loader {

// How many flows the tables must hold; a flow is two entries.
struct TableSizes {
  std::uint32_t max_established = 131072;
  std::uint32_t max_embryos = 65536;
};

// What the attachers need of managed devices of one kind: one program per way through the node.
struct DevicePrograms {
  int pod_ingress = -1;
  int uplink_ingress = -1;
  int egress = -1;
};

// All that is attached, borrowed from Datapath.
struct ProgramFds {
  DevicePrograms ethernet;
  int loopback_ingress = -1;
  int uplink_xdp = -1;
  int uplink_generic_xdp = -1;
  PerCgroupHook<int> cgroup{};
};

// Loads `object` (opened).  On failure the error has the program's name, the last lines of the
// verifier's log and what can be done about it.
Result<> LoadObject(bpf_object* object);

// Pins the programs of a loaded object in the place of those of their names, without a moment in
// which there is none.
Result<> PinPrograms(const bpf_object* object, const PinRoot& root);
// Pins those again that are not pinned any more.  Returns how many.
Result<int> RestoreProgramPins(const bpf_object* object, const PinRoot& root);

// The loaded datapath: programs and maps, the latter adopted from their pins where there were any.
// Owns the fds; everything in it is pinned, so that it outlives us.
class Datapath {
 public:
  // Refuses, before anything is changed, pinned maps of another layout.
  static Result<Datapath> Load(const PinRoot& root, const TableSizes& sizes);

  Datapath(Datapath&&) noexcept;
  Datapath& operator=(Datapath&&) noexcept;
  Datapath(const Datapath&) = delete;
  Datapath& operator=(const Datapath&) = delete;
  ~Datapath();

  Result<int> MapFd(const char* name) const;
  ProgramFds programs() const;
  int clock_start_fd() const;
  int jiffies_fd() const;
  int peers_fd() const;  // of the program, as the two above

  int adopted_maps() const { return adopted_maps_; }
  int created_maps() const { return created_maps_; }
  // For the log; none is a failure.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // Pins again whatever is not pinned any more (somebody unmounted bpffs or removed a pin).
  // Returns how many pins were missing.
  Result<int> RestorePins(const PinRoot& root) const;

 private:
  struct Destroy {
    void operator()(natrix_bpf* skeleton) const;
  };
  explicit Datapath(natrix_bpf* skeleton);
  bpf_object* object() const;
  Result<> Adopt(const PinRoot& root);

  std::unique_ptr<natrix_bpf, Destroy> skeleton_;
  int adopted_maps_ = 0;
  int created_maps_ = 0;
  std::vector<std::string> warnings_;
};

}  // namespace natrix::loader
