// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/oracle/services_fixture.h"

namespace natrix::oracle {

inline constexpr std::uint16_t kHostPort = 18080;
inline constexpr std::uint16_t kSecondPort = 18090;
inline constexpr std::uint16_t kContainerPort = 8080;
inline constexpr std::uint32_t kHostPortMark = 0x2000;

// Two nodes with CNI's portmap, or Docker, beside kube-proxy: pod1 and pod2 are containers of one
// network, 10.16.0.0/16 and fd00:10:16::/64, pod3 is of another.
class HostPortOracle : public ServiceOracle {
 protected:
  // pod1's, of both families.
  static model::HostPorts Container(std::vector<model::PortMapping> mappings);
  static model::HostPorts Container() { return Container({{{}, kHostPort, kContainerPort}}); }
  static model::PortMapping At(const std::string& host_ip, std::uint16_t port = kHostPort);
  // The configuration with this container, and no other, in force.
  void Map(model::HostPorts ports);
  // With the bridge that the pods are on as Docker's, and pod1 publishing these.
  void Publish(bool userland_proxy, std::vector<model::PortMapping> ports);
  void Publish(bool userland_proxy) { Publish(userland_proxy, {{{}, kHostPort, kContainerPort}}); }

  // The same with the uplink as a second bridge of Docker's, and on it another node's address as a
  // container that publishes kSecondPort.
  void PublishOnTwo(bool userland_proxy);
  // Changes what Docker is asked for.
  void Ask(const std::function<void(model::Docker&)>& change) {
    change(config_.docker);
    nodes_.Apply(config_);
  }

  // Each from a port of its own, so that none is another one's flow.
  PacketSpec Fresh(PacketSpec call) {
    call.sport = next_port_++;
    return call;
  }
  PacketSpec To(const std::string& src, const std::string& dst, std::uint16_t port = kHostPort) {
    return Fresh(Call(src, dst, port));
  }
  Arrival AtPod1(const std::string& src) const { return {Place::kPod1, src, cast().pod1}; }
  // Masqueraded by the bridge's device, for the mark.
  Arrival Marked() const { return {Place::kPod1, cast().join, cast().pod1, false, kHostPortMark}; }
  // It comes in for the node itself, where nobody listens: both say so.
  void IsTheNodes(Place from, const PacketSpec& call);

 private:
  std::uint16_t next_port_ = 40000;
};

}  // namespace natrix::oracle
