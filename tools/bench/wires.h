// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/namespace.h"
#include "tools/bench/stream.h"

struct bench_bpf;
struct bpf_link;
struct bpf_program;

// A node of one lane and its surroundings, the same for every lane, nothing shared:
//
//   near                       node                         far
//   eth0 ---------------- ovn0      eth0 ------------------ eth0   172.18.0.1, fd00:172:18::1
//   100.64.0.1      100.64.0.2      172.18.0.3                     (everything is behind it)
//   fd00:100:64::1                  fd00:172:18::3
//                          pod0
//   pod: eth0 --------------+       10.16.0.10, fd00:10:16::10
//
// 10.16.0.0/16 (fd00:10:16::/48) is behind ovn0 but for that pod.  All neighbours are permanent.
namespace natrix::bench {

inline constexpr char kNodeAddress[] = "172.18.0.3";
inline constexpr char kNodeAddressV6[] = "fd00:172:18::3";

class Wires {
 public:
  // `packets`: both ends are the generator's and the sink's XDP programs.  Otherwise they are live
  // hosts with default offloads, for TCP.
  Wires(const std::string& name, bool packets);
  ~Wires();
  Wires(const Wires&) = delete;
  Wires& operator=(const Wires&) = delete;

  const support::Namespace& node() const { return node_; }
  const support::Namespace& near() const { return near_; }
  const support::Namespace& far() const { return far_; }
  const support::Namespace& at(bench_place place) const;
  std::uint32_t IndexAt(bench_place place) const;  // of its eth0

  // A stream that enters the node from `place`, which is near or far.
  bench_order Order(bench_place place, const Stream& stream) const;

  // The floors: instead of all that a node does.
  void FloorX();
  void FloorT();
  void FloorP();

  bench_bpf& bpf() const { return *bpf_; }

 private:
  void Connect(bool packets);
  void Address();
  void AddressHosts();
  void LoadPrograms();
  void AttachXdp(const support::Namespace& ns, const char* device, const bpf_program* program);
  void AttachTc(const support::Namespace& ns, const char* device, const bpf_program* program);
  void Keep(bpf_link* link, const std::string& what);

  support::Namespace node_;
  support::Namespace near_;
  support::Namespace far_;
  support::Namespace pod_;
  struct Close {
    void operator()(bench_bpf* bpf) const;
    void operator()(bpf_link* link) const;
  };
  std::unique_ptr<bench_bpf, Close> bpf_;
  std::vector<std::unique_ptr<bpf_link, Close>> links_;
};

}  // namespace natrix::bench
