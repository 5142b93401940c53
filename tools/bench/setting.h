// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "tools/bench/stream.h"
#include "userspace/model/config.h"

// Configurations that lanes are compared under, and who is who in them (see Wires).
namespace natrix::bench {

struct Names {
  std::string pods;       // senders behind ovn0, of subnet ovn-default; the lowest address
  std::string pods_net;   // where they are
  std::string strangers;  // senders behind ovn0 that no rule is about
  std::string strangers_net;
  std::string outside;  // behind the uplink: addresses for benchmarks (RFC 2544, RFC 5180)
  std::string outside_net;
  std::string remote;  // pods of other nodes, callers of the local pod
  std::string remote_net;
  std::string endpoints_net;  // of Services, at other nodes
  std::string pod;            // in a namespace of its own
  std::string node;           // what masquerade writes
  std::string services_net;
};
const Names& NamesOf(Family family);

// docs/examples/kube-ovn.yaml.
model::Config KubeOvnConfig();
// `count` Services, number 1 to count, each with as many endpoints at other nodes, of both
// families.
model::Config ServicesConfig(std::uint32_t count, std::uint32_t endpoints);
// The same configuration with one family's Services only.
model::Config OnlyServicesOf(const model::Config& config, Family family);
// Kube-OVN's with one NAT policy of each family with `count` destinations: a large ipset.
model::Config PrefixesConfig(std::uint32_t count);
// Kube-OVN's with `count` NAT policies of each family, up to 1,000 on a subnet; the first subnet is
// that of Names::pods.  None is about where the streams go.
model::Config PoliciesConfig(std::uint32_t count);
// Kube-OVN's with `count` Subnets more, natOutgoing, of both families.
model::Config SubnetsConfig(std::uint32_t count);
// PrefixesConfig of one family.
model::Config BigSetConfig(std::uint32_t count, Family family);
// A node without anything to do.
model::Config EmptyConfig();
// One Service, number 1, whose endpoint is the local pod.
model::Config PodServiceConfig();
// Of ServicesConfig's endpoints, counted from 1 through all Services.
std::string EndpointAddress(Family family, std::uint32_t number);
// ClusterIP of a Service by its number, and the port of all of them.
std::string ServiceAddress(Family family, std::uint32_t number);
inline constexpr std::uint16_t kServicePort = 80;

}  // namespace natrix::bench
