// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/config/diagnostics.h"
#include "userspace/config/keys.h"
#include "userspace/config/yaml.h"
#include "userspace/model/config.h"

// One function per type of value.  Each returns what was written, or nullopt after it has reported
// why that is none; `key` says which word it belongs to.
namespace natrix::config {

std::optional<std::string> ReadName(const Node& node, const Key& key, Diagnostics& diagnostics);
std::optional<bool> ReadBool(const Node& node, const Key& key, Diagnostics& diagnostics);
std::optional<std::uint32_t> ReadCount(const Node& node, const Key& key, Diagnostics& diagnostics);
std::optional<std::uint16_t> ReadPort(const Node& node, const Key& key, Diagnostics& diagnostics);
std::optional<std::uint32_t> ReadMark(const Node& node, const Key& key, Diagnostics& diagnostics);
// Seconds.
std::optional<std::uint32_t> ReadDuration(const Node& node, const Key& key,
                                          Diagnostics& diagnostics);
// Index into key.choices.
std::optional<std::size_t> ReadChoice(const Node& node, const Key& key, Diagnostics& diagnostics);
std::optional<std::string> ReadDevice(const Node& node, const Key& key, Diagnostics& diagnostics);
std::optional<model::PortRange> ReadPorts(const Node& node, const Key& key,
                                          Diagnostics& diagnostics);
// "32768:65535", "32768-65535" or one port.
std::optional<model::PortRange> ReadPortRange(const Node& node, const Key& key,
                                              Diagnostics& diagnostics);
// "eth0", or "eth+" as iptables has it.
std::optional<std::string> ReadInterface(const Node& node, const Key& key,
                                         Diagnostics& diagnostics);
std::optional<model::Address> ReadAddress(const Node& node, const Key& key,
                                          Diagnostics& diagnostics);
std::optional<model::Prefix> ReadCidr(const Node& node, const Key& key, Diagnostics& diagnostics);
// The same, and /0, which is every address of the family.
std::optional<model::Prefix> ReadRange(const Node& node, const Key& key, Diagnostics& diagnostics);
// An address; says what to do about the "None" of a headless Service.
std::optional<model::Address> ReadClusterIp(const Node& node, const Key& key,
                                            Diagnostics& diagnostics);
// An address with the length of its network: "10.88.0.5/16".
std::optional<model::Prefix> ReadInterfaceAddress(const Node& node, const Key& key,
                                                  Diagnostics& diagnostics);
// An address of the node's own, 127.0.0.1 too; 0.0.0.0 and :: are all of the family.
std::optional<model::Address> ReadHostIp(const Node& node, const Key& key,
                                         Diagnostics& diagnostics);
// As Docker allows them.
std::optional<std::string> ReadContainer(const Node& node, const Key& key,
                                         Diagnostics& diagnostics);

// An address or a CIDR of a policy rule, where an ipset's leniency is Kube-OVN's: host bits are
// cut off, and /0 is every address of the family.
std::optional<model::Prefix> ReadPolicyPrefix(const Node& node, const Key& key,
                                              Diagnostics& diagnostics);
// "node1" or "node1:172.18.0.50".
std::optional<model::GatewayNode> ReadGatewayNode(const Node& node, const Key& key,
                                                  Diagnostics& diagnostics);
// "10.96.0.1,tcp:443", a member of an ipset hash:ip,port.
std::optional<model::ServicePort> ReadServicePort(const Node& node, const Key& key,
                                                  Diagnostics& diagnostics);
// "10.16.0.10,tcp:8080,10.16.0.10", a member of an ipset hash:ip,port,ip.
std::optional<model::LoopBack> ReadLoopBack(const Node& node, const Key& key,
                                            Diagnostics& diagnostics);
// "203.0.113.80,tcp:80,198.51.100.0/24", a member of an ipset hash:ip,port,net.  As there, host
// bits are cut off, and an address stands for itself.
std::optional<model::SourceRange> ReadSourceRange(const Node& node, const Key& key,
                                                  Diagnostics& diagnostics);

// "127.0.0.1:9188", "[::1]:9188"; ":9188" and "9188" are on IPv4's loopback address.
std::optional<model::Endpoint> ReadListen(const Node& node, const Key& key,
                                          Diagnostics& diagnostics);

// Characters [first, last) of a text, with their place as far as it can be known.
Node Slice(const Node& whole, std::size_t first, std::size_t last);
// The parts of one string between its commas, without spaces around them, each with its place.
// Empty after it has reported that this is no string.
std::vector<Node> SplitCommas(const Node& node, const Key& key, Diagnostics& diagnostics);

// Whether `node` is one value and not nothing, a list or a mapping; reports it otherwise.
bool IsScalar(const Node& node, const Key& key, Diagnostics& diagnostics);
// "write `uplinks: [eth0]`": the help where a word's value has the wrong shape.
std::string ShapeHelp(const Key& key);

}  // namespace natrix::config
