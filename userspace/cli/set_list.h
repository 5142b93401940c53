// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "maps/abi/ports.h"
#include "maps/abi/set.h"
#include "userspace/base/result.h"
#include "userspace/cli/pinned_maps.h"
#include "userspace/model/address.h"

namespace natrix::cli {

// A set by its ipset name, and where its members are.
struct SetName {
  // What is a member.
  enum class Kind {
    kPrefix,   // hash:net, hash:ip: in nx_set
    kService,  // hash:ip,port: in nx_ports
    kPort,     // bitmap:port: in nx_ports
    kAddress,  // hash:ip: in nx_ports, of any port
    kLoop,     // hash:ip,port,ip: in nx_loop
    kRange,    // hash:ip,port,net or hash:ip,port,ip: in nx_range
  };
  std::string text;  // ovn40subnets, ovn60natpr-418e79269dc5-src, KUBE-6-CLUSTER-IP
  std::string type;
  model::Family family = model::Family::kIpv4;
  Kind kind = Kind::kPrefix;
  nx_set_id id = NX_SET_SUBNETS;  // kPrefix
  std::string rule;               // of a NAT policy rule's set
  nx_l4 protocol = NX_L4_TCP;     // kPort
  nx_port_sets bit{};             // kService, kPort, kAddress
  nx_range_set range{};           // kRange
};

// As much of it as the set's kind has.
struct Member {
  model::Prefix prefix;
  nx_l4 protocol = NX_L4_TCP;
  std::uint16_t port = 0;  // host byte order
  model::Prefix source{};

  friend auto operator<=>(const Member&, const Member&) = default;
};

struct NamedSet {
  SetName name;
  std::vector<Member> members;  // sorted
};

// nullopt when no set can have this name.  One of a rule, or of IPVS mode, need not be there.
std::optional<SetName> ParseSetName(std::string_view text);

// The sets there are: Kube-OVN's own, those of rules that have members, Calico's if it is
// configured, those of kube-proxy in IPVS mode if it runs so.  By family, then in this order.
Result<std::vector<NamedSet>> ReadSets(PinnedMaps& pins);

// As ipset writes it, but for a prefix length, which is always there: 10.16.0.0/16, 10.16.0.1/32,
// 10.96.0.1,tcp:443, 30080, 10.16.0.1,tcp:8080,10.16.0.1, 10.96.0.1,tcp:443,10.16.0.0/16.
std::string ToText(const SetName& set, const Member& member);

// What `ipset test` takes for a set of this kind: an address, "10.96.0.1,443", "30080",
// "10.16.0.1,8080,10.16.0.1".
std::optional<Member> ParseMember(const SetName& set, std::string_view text);

// Asks the kernel's own tables: what they answer is what is loaded.
Result<bool> IsMember(PinnedMaps& pins, const SetName& set, const Member& member);

}  // namespace natrix::cli
