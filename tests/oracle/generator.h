// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/oracle/dice.h"
#include "tests/oracle/exchange.h"
#include "tests/oracle/kube_proxy.h"
#include "userspace/model/config.h"

// Random configurations and exchanges for the suites kube-ovn-basic, kube-ovn, services, hostports,
// calico and, with kube-proxy's rules in both nodes, kube-ovn-services.  Left out, because the two
// are not meant to agree on it:
//   - sequence numbers outside the window, wrong checksums: conntrack's judgement, not NAT's;
//   - fragments out of order, and fragments with options: the kernel reassembles;
//   - TCP segments no stack sends, as data before the handshake's end, except at the beginning of
//   an
//     exchange: conntrack calls them invalid and lets them pass untranslated.  The suite
//     kube-ovn-wild has them;
//   - a process of the node that calls a floating IP: natrix translates that in its socket, which
//     what is sent here has none of (floating_calls_test.cpp).
namespace natrix::oracle {

// kBasic: subnets, services, other nodes and floating IPs.  kWhole: NAT policies, gateways with
// addresses, kube-proxy's IPVS sets and subnets that are none of the node's, too; of the settings
// that Kube-OVN has no counterpart of, policyOrder and dropOrphans, the defaults.
enum class Scope { kBasic, kWhole };
model::Config GenerateConfig(Dice& dice, Scope scope);
// What kWhole has beyond kBasic.
void AddPolicies(Dice& dice, model::Config& config);
void AddGateways(Dice& dice, model::Config& config);
void AddIpvs(Dice& dice, model::Config& config);
void AddForeignSubnets(Dice& dice, model::Config& config);
void AddNestedNodes(Dice& dice, model::Config& config);

// Who speaks to whom: the first packet's addresses.
struct Call {
  std::optional<Place> from;  // none: a process of the node
  std::string src;
  std::string dst;
  std::uint32_t mark = 0;  // of the node's socket
  // What must be called, where chance would hardly find it.
  std::optional<std::uint8_t> protocol;
  std::optional<std::uint16_t> dport;
  // Neither options nor a last hop nor more than a device carries: the kernel finds fault with
  // those after natrix has refused or dropped them.  Nor fragments: of what it refuses the kernel
  // quotes the whole datagram, natrix its first fragment, over IPv6 nothing.
  bool plain = false;
};
Call GenerateCall(Dice& dice, Family family, const model::Config& config, Scope scope);

// What kube-proxy would load beside it, for the suite kube-ovn-services; and calls of that.
std::vector<ServiceRule> GenerateServices(Dice& dice, Family family, const model::Config& config);
Call GenerateServiceCall(Dice& dice, Family family, const std::vector<ServiceRule>& rules);
// Services that kube-proxy does on the left and natrix on the right, or its sets of IPVS mode: the
// suite services.  Left out:
// Services with several endpoints to choose from, the node's own processes as clients, and other
// ports of SCTP's endpoints than the Service's.
model::Config GenerateProxied(Dice& dice);
Call GenerateProxiedCall(Dice& dice, Family family, const model::Config& config);
// The same, or nothing of it, with host ports of CNI's portmap and Docker's: the suite hostports.
// The node's own processes call none: what they send is translated in their sockets.  Docker has no
// filter beside Services: there iptables drops a first packet's repetition, which has no mark.
model::Config GenerateHostPorts(Dice& dice);
Call GenerateHostPortCall(Dice& dice, Family family, const model::Config& config);
// Calico's pools, floating IPs and metadata, which Felix' rules do on the left and natrix on the
// right: the suite calico, with calls that GenerateCall makes and some that are more to the point.
model::Config GenerateCalico(Dice& dice);
Call GenerateCalicoCall(Dice& dice, Family family, const model::Config& config);
// kube-proxy's sets of IPVS mode, all of them, and calls that meet them.  IPVS itself is not there.
void AddIpvsSets(Dice& dice, model::Config& config);
Call GenerateIpvsCall(Dice& dice, Family family, const model::Config& config);
// Where an address of a pod's is; else outside.
Place PlaceOf(Family family, const std::string& address);
// Addresses as GenerateCall chooses them.
std::string AnyOutsideHost(Dice& dice, Family family);
Call CallOfAnyPod(Dice& dice, Family family);

enum class Manners { kSane, kWild };

// Plays one exchange to its end or to the first disagreement; true when both agreed throughout.
bool PlayExchange(Dice& dice, Family family, Manners manners, const Call& call, Exchange& exchange);

}  // namespace natrix::oracle
