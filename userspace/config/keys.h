// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace natrix::config {

// What may stand as the value of a word.
enum class Type {
  kMap,        // words of its own
  kMaps,       // a list of those
  kName,       // a name as Kubernetes has them
  kBool,       // true or false
  kCount,      // a whole number
  kMark,       // bits of a packet mark, decimal or hexadecimal
  kDuration,   // 30s, 2m, 5d
  kChoice,     // one of a few words
  kCidrText,   // CIDRs of one string, separated by commas
  kAddress,    // of either family
  kAddresses,  // lists of what their names say
  kCidrs,
  kDevices,       // names or patterns of devices
  kDevice,        // a device, or what several names begin with
  kPorts,         // ports or ranges of them
  kPrefixText,    // addresses or CIDRs of one string
  kGatewayText,   // node or node:address of one string
  kServicePorts,  // members of an ipset hash:ip,port
  kLoopBacks,     // members of an ipset hash:ip,port,ip
  kSourceRanges,  // members of an ipset hash:ip,port,net
  kInterfaces,    // addresses with the length of their network
  kHostIp,        // an address of the node's, or all of a family
  kContainer,     // a container's name
  kListen,        // an address and a port to listen on
  kCidr,          // one
  kChoices,       // a list of a few words
  kAddressText,   // addresses of one string
  kPortRange,     // first:last, or first-last
  kInterface,     // a device, or with + what several names begin with
};

// One word of the configuration.
struct Key {
  std::string path;  // "subnets[].natOutgoing"
  Type type = Type::kMap;
  bool required = false;
  std::string fallback;     // its value when left out, as one would write it; empty: nothing
  std::string example;      // a value that differs from the fallback, as one would write it
  std::string text;         // what it means: sentences, in Markdown
  std::uint64_t least = 0;  // kCount
  std::uint64_t most = 0;
  std::vector<std::string_view> choices = {};  // kChoice, kChoices

  std::string_view name() const;    // "natOutgoing"
  std::string_view parent() const;  // "subnets[]"; "" at the top
};

// The one table of every word, parents before children.  Parser, docs/config.md and the JSON
// schema are made from it.
const std::vector<Key>& Keys();

// nullptr when there is none.
const Key* FindKey(std::string_view path);
// In the table's order.
const std::vector<const Key*>& KeysUnder(std::string_view parent);

// The word under `timeouts` for an nx_state: NX_STATE_TCP_SYN_SENT -> tcpSynSent.
std::string TimeoutKey(unsigned state);

// "a list of CIDRs": what the documentation and messages call a type.
std::string_view TypeName(Type type);

// Fields of Kube-OVN's Subnet that are no words here, which people copy along.
enum class ForeignField {
  kUnknown,        // Kube-OVN has no such field either
  kWithoutEffect,  // decides nothing about a node's translation: may be left out
  kUnsupported,    // does, and natrix cannot do it yet
};
ForeignField ForeignSubnetField(std::string_view name);

}  // namespace natrix::config
