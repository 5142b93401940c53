// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/wires.h"

#include <bpf/libbpf.h>
#include <fmt/core.h>

#include <mutex>

#include "bench.skel.h"
#include "tests/support/network.h"
#include "tests/support/process.h"
#include "tests/support/setup_error.h"

namespace natrix::bench {

using support::InNetwork;
using support::Ip;
using support::Namespace;
using support::SetupError;

namespace {

constexpr char kNearMac[] = "02:00:00:00:00:01";
constexpr char kFarMac[] = "02:00:00:00:00:02";
constexpr char kPodMac[] = "02:00:00:00:00:03";
constexpr char kPodDeviceMac[] = "02:00:00:00:01:01";
constexpr char kUplinkMac[] = "02:00:00:00:01:02";
constexpr char kPodPortMac[] = "02:00:00:00:01:03";

// One at a time: a namespace is born in a child that waits for the end of a pipe, of which another
// one, born meanwhile, would hold a copy.
Namespace Born(const std::string& name) {
  static std::mutex one;
  const std::lock_guard<std::mutex> lock(one);
  return Namespace(name);
}

void Gro(const Namespace& ns, const char* device) {
  support::RunCommand(&ns, {"ethtool", "-K", device, "gro", "on"});
}

// Whoever sends is served where it sends: no packet is steered to another CPU.
void NoSteering(const Namespace& ns, const char* device) {
  support::RunCommand(&ns, {"sh", "-c",
                            fmt::format("for q in /sys/class/net/{}/queues/rx-*/rps_cpus; do "
                                        "echo 0 >$q; done",
                                        device)});
}

}  // namespace

void Wires::Close::operator()(bench_bpf* bpf) const { bench_bpf::destroy(bpf); }
void Wires::Close::operator()(bpf_link* link) const { bpf_link__destroy(link); }

Wires::Wires(const std::string& name, bool packets)
    : node_(Born(name + "/node")),
      near_(Born(name + "/near")),
      far_(Born(name + "/far")),
      pod_(Born(name + "/pod")) {
  support::MakeRouter(node_);
  Connect(packets);
  Address();
  if (packets)
    LoadPrograms();
  else
    AddressHosts();
}

Wires::~Wires() = default;

const Namespace& Wires::at(bench_place place) const {
  return place == BENCH_NEAR ? near_ : place == BENCH_FAR ? far_ : pod_;
}

std::uint32_t Wires::IndexAt(bench_place place) const {
  return support::IndexOf(at(place), "eth0");
}

void Wires::Connect(bool packets) {
  support::MakeVeth({node_, "ovn0", kPodDeviceMac}, {near_, "eth0", kNearMac});
  support::MakeVeth({node_, "eth0", kUplinkMac}, {far_, "eth0", kFarMac});
  support::MakeVeth({node_, "pod0", kPodPortMac}, {pod_, "eth0", kPodMac});
  for (const char* device : {"ovn0", "eth0", "pod0"}) NoSteering(node_, device);
  for (const Namespace* ns : {&near_, &far_, &pod_}) NoSteering(*ns, "eth0");
  // ovn0 of a real node is Open vSwitch's, with no namespace behind it that the short cut could
  // enter: it enters none past a qdisc.
  support::RunCommand(&node_, {"tc", "qdisc", "add", "dev", "ovn0", "root", "pfifo"});
  // A veth takes XDP's frames only while it has NAPI, which it has for XDP or GRO.
  if (packets)
    for (const char* device : {"ovn0", "eth0"}) Gro(node_, device);
}

void Wires::Address() {
  Ip(node_, fmt::format("addr add 100.64.0.2/16 dev ovn0\n"
                        "addr add fd00:100:64::2/64 dev ovn0 nodad\n"
                        "addr add {}/24 dev eth0\naddr add {}/64 dev eth0 nodad\n"
                        "neigh replace 100.64.0.1 lladdr {near} dev ovn0 nud permanent\n"
                        "neigh replace fd00:100:64::1 lladdr {near} dev ovn0 nud permanent\n"
                        "neigh replace 172.18.0.1 lladdr {far} dev eth0 nud permanent\n"
                        "neigh replace fd00:172:18::1 lladdr {far} dev eth0 nud permanent\n"
                        "neigh replace 10.16.0.10 lladdr {pod} dev pod0 nud permanent\n"
                        "neigh replace fd00:10:16::10 lladdr {pod} dev pod0 nud permanent\n"
                        "route add default via 172.18.0.1 dev eth0\n"
                        "route add default via fd00:172:18::1 dev eth0\n"
                        "route add 10.16.0.0/16 via 100.64.0.1 dev ovn0 src {}\n"
                        "route add fd00:10:16::/48 via fd00:100:64::1 dev ovn0 src {}\n"
                        "route add 10.16.0.10/32 dev pod0 src {}\n"
                        "route add fd00:10:16::10/128 dev pod0 src {}\n",
                        kNodeAddress, kNodeAddressV6, kNodeAddress, kNodeAddressV6, kNodeAddress,
                        kNodeAddressV6, fmt::arg("near", kNearMac), fmt::arg("far", kFarMac),
                        fmt::arg("pod", kPodMac)));
}

// For real sockets: a pod behind ovn0 and a server outside.
void Wires::AddressHosts() {
  Ip(near_, fmt::format("addr add 10.16.1.1/32 dev eth0\n"
                        "addr add fd00:10:16::101/128 dev eth0 nodad\n"
                        "addr add 100.64.0.1/16 dev eth0\n"
                        "addr add fd00:100:64::1/64 dev eth0 nodad\n"
                        "neigh replace 100.64.0.2 lladdr {mac} dev eth0 nud permanent\n"
                        "neigh replace fd00:100:64::2 lladdr {mac} dev eth0 nud permanent\n"
                        "route add default via 100.64.0.2 dev eth0 src 10.16.1.1\n"
                        "route add default via fd00:100:64::2 dev eth0 src fd00:10:16::101\n",
                        fmt::arg("mac", kPodDeviceMac)));
  Ip(far_, fmt::format("addr add 172.18.0.1/24 dev eth0\n"
                       "addr add fd00:172:18::1/64 dev eth0 nodad\n"
                       "addr add 198.18.0.1/32 dev lo\naddr add 2001:2::1/128 dev lo nodad\n"
                       "neigh replace 172.18.0.3 lladdr {mac} dev eth0 nud permanent\n"
                       "neigh replace fd00:172:18::3 lladdr {mac} dev eth0 nud permanent\n"
                       "route add default via 172.18.0.3 dev eth0\n"
                       "route add default via fd00:172:18::3 dev eth0\n",
                       fmt::arg("mac", kUplinkMac)));
}

void Wires::LoadPrograms() {
  bpf_.reset(bench_bpf::open_and_load());
  if (!bpf_) support::ThrowErrno("load the benchmark's BPF programs");
  AttachXdp(near_, "eth0", bpf_->progs.bench_near);
  AttachXdp(far_, "eth0", bpf_->progs.bench_far);
  AttachTc(pod_, "eth0", bpf_->progs.bench_pod);
}

void Wires::Keep(bpf_link* link, const std::string& what) {
  if (!link) support::ThrowErrno(what);
  links_.emplace_back(link);
}

void Wires::AttachXdp(const Namespace& ns, const char* device, const bpf_program* program) {
  const std::uint32_t index = support::IndexOf(ns, device);
  const InNetwork here(ns);
  Keep(bpf_program__attach_xdp(program, static_cast<int>(index)),
       fmt::format("{}: XDP on {}", ns.name(), device));
}

void Wires::AttachTc(const Namespace& ns, const char* device, const bpf_program* program) {
  const std::uint32_t index = support::IndexOf(ns, device);
  const InNetwork here(ns);
  Keep(bpf_program__attach_tcx(program, static_cast<int>(index), nullptr),
       fmt::format("{}: tcx on {} (since Linux 6.6)", ns.name(), device));
}

bench_order Wires::Order(bench_place place, const Stream& stream) const {
  return place == BENCH_NEAR ? OrderOf(stream, kNearMac, kPodDeviceMac)
                             : OrderOf(stream, kFarMac, kUplinkMac);
}

void Wires::FloorX() {
  bpf_->bss->floor_target = support::IndexOf(node_, "eth0");
  AttachXdp(node_, "ovn0", bpf_->progs.floor_x);
}

void Wires::FloorT() {
  bpf_->bss->floor_target = support::IndexOf(node_, "eth0");
  AttachTc(node_, "ovn0", bpf_->progs.floor_t);
}

void Wires::FloorP() {
  bpf_->bss->floor_target = support::IndexOf(node_, "pod0");
  AttachTc(node_, "eth0", bpf_->progs.floor_p);
}

}  // namespace natrix::bench
