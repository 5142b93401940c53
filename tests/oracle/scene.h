// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/namespace.h"
#include "tests/support/tap.h"
#include "userspace/model/address.h"

// One node with what is around it, in namespaces:
//
//   pod1 pod2 pod3                          outside
//   eth0 eth0 eth0                          eth0  172.18.0.1 (router to everywhere), .4 .5 (nodes)
//     |    |    |                             |
//   p1   p2   p3                              |
//   [ bridge ovn0 ]--- kernel routing ---- eth0
//   100.64.0.2/16     (the node)           172.18.0.3/24, second address .60
//   fd00:100:64::2                         fd00:172:18::3/64, ::60
//
// Pods of all subnets are reached through ovn0 by routes, which has no address of theirs, as
// behind Kube-OVN's router.  All neighbours are permanent, so that nothing is asked on the wire.
namespace natrix::oracle {

enum class Place { kPod1, kPod2, kPod3, kOutside };
inline constexpr std::array kPlaces{Place::kPod1, Place::kPod2, Place::kPod3, Place::kOutside};
const char* NameOf(Place place);

using model::Family;

// Who is who, in one family.  Every string is an address without a length.
struct Cast {
  std::string pod1;  // ovn-default, 10.16.0.0/16
  std::string pod2;  // the same subnet
  std::string pod3;  // no-nat, 10.17.0.0/16
  std::string join;  // ovn0's address
  std::string node;  // eth0's
  std::string node_second;
  std::string router;
  std::string other_node;
  std::string web;  // outside hosts, routed
  std::string web2;
  std::string client;
  std::string service;   // in the service CIDR, with nothing behind it
  std::string floating;  // of pod1
  std::string egress;    // of a centralized gateway; no device has it
  std::string tunnel;    // of Scene::Options::bare, in pod3's subnet
};
const Cast& CastOf(Family family);

// Pods may be given any of these numbers of subnets; a pod's address in one.
inline constexpr int kSubnets = 8;
std::string PodAddress(Family family, Place pod, int subnet);
// "10.16.0.0", "fd00:10:16::": where a subnet's addresses begin.
std::string SubnetBase(Family family, int subnet);

inline constexpr char kUplink[] = "eth0";
inline constexpr char kPodDevice[] = "ovn0";

class Scene {
 public:
  struct Options {
    // Pods and the outside have addresses, routes and a network stack that answers.  Without,
    // only taps are there, and no packet that a test did not send.
    bool live = false;
    bool offloads = false;
    // pod3's subnet is behind a device of this name without a link-layer header, and not behind
    // ovn0; the node's address there is Cast::tunnel.  Empty: none.  Not with `live`.
    std::string bare = {};
  };
  Scene(const std::string& name, Options options);

  const support::Namespace& node() const { return node_; }
  const support::Namespace& at(Place place) const;
  // The wire at a place; only of a scene that is not live.
  const support::Wire& tap(Place place) const { return *taps_[static_cast<std::size_t>(place)]; }

 private:
  void Connect();
  void AddressNode();
  void AddressOthers();
  void AddBare();

  Options options_;
  support::Namespace node_;
  std::vector<support::Namespace> others_;  // by Place
  std::array<std::unique_ptr<support::Wire>, kPlaces.size()> taps_;
};

// Link-layer addresses, the same in every scene.
std::string MacOf(Place place);
inline constexpr char kPodDeviceMac[] = "02:00:00:00:01:00";
inline constexpr char kUplinkMac[] = "02:00:00:00:02:00";
// What a frame from `place` to the node is addressed to.
std::string GatewayMacOf(Place place);

}  // namespace natrix::oracle
