// SPDX-License-Identifier: Apache-2.0
//
// Processes of the node that call host ports of its containers.
#include <gmock/gmock.h>

#include "tests/netns/traffic_calls.h"

namespace natrix::netns {
namespace {

class HostPortCalls : public Calls {
 protected:
  void StartWith(const std::string& words) {
    node_.SetWords(words);
    node_.Start();
  }
  const char* loopback() const { return v6() ? "::1" : "127.0.0.1"; }
};
std::string Name(const testing::TestParamInfo<Family>& info) { return NameOf(info.param); }
INSTANTIATE_TEST_SUITE_P(Families, HostPortCalls, testing::ValuesIn(kFamilies), Name);

// No Service: host ports alone attach the hooks.
TEST_P(HostPortCalls, ReachTheContainerAtTheNodesAddressesAndLocalhost) {
  StartWith(R"(hostPorts:
- container: web
  addresses: [10.16.0.10/16, "fd00:10:16::10/64"]
  mappings:
  - {hostPort: 18080, containerPort: 8080}
  - {hostPort: 18053, containerPort: 5353, protocol: udp}
)");
  const UniqueFd http = HttpAt(Place::kPod1);
  const UniqueFd dns = DnsAt(Place::kPod1);

  Talks(any(), {cast().node, 18080}, http.get());
  Talks(any(), {cast().join, 18080}, http.get());
  const std::string listed = node_.Natrix({"services", "hostPorts/web"}).dump();
  EXPECT_THAT(listed, testing::HasSubstr("\"kind\":\"HostPort\""));
  EXPECT_THAT(listed, testing::HasSubstr("\"port\":18080"));
  const UniqueFd client = OpenUdp(node_.node(), any());
  Asks(client.get(), {cast().node, 18053}, dns.get());
  if (v6()) {  // the kernel routes nothing from ::1
    EXPECT_EQ(Call({loopback(), 18080}), ECONNREFUSED);
    return;
  }
  Talks(any(), {"127.0.0.1", 18080}, http.get());
  Talks(any(), {"127.1.2.3", 18080}, http.get());
  Talks(any(), {"0.0.0.0", 18080}, http.get());
}

TEST_P(HostPortCalls, AHostIpIsTheOnlyAddress) {
  StartWith(v6() ? R"(hostPorts:
- {container: web, addresses: ["fd00:10:16::10/64"], mappings: [{hostIP: "fd00:100:64::2", hostPort: 18080, containerPort: 8080}]}
)"
                 : R"(hostPorts:
- {container: web, addresses: [10.16.0.10/16], mappings: [{hostIP: 127.0.0.1, hostPort: 18080, containerPort: 8080}]}
)");
  const UniqueFd http = HttpAt(Place::kPod1);

  Talks(any(), {v6() ? cast().join : "127.0.0.1", 18080}, http.get());
  EXPECT_EQ(Call({cast().node, 18080}), ECONNREFUSED);
}

TEST_P(HostPortCalls, DockersProxyHasLocalhostWhereThereIsOne) {
  const std::string docker =
      "docker: {userlandProxy: PROXY, bridges: [{name: ovn0, subnets: [10.16.0.0/16, "
      "\"fd00:10:16::/64\"],\n  containers: [{name: web, addresses: [10.16.0.10, "
      "\"fd00:10:16::10\"], ports: [{hostPort: 18080, containerPort: 8080}]}]}]}\n";
  StartWith(With(docker, "PROXY", "true"));
  const UniqueFd http = HttpAt(Place::kPod1);

  Talks(any(), {cast().node, 18080}, http.get());
  EXPECT_EQ(Call({loopback(), 18080}), ECONNREFUSED) << "the proxy, if it listened";
  if (v6()) return;
  node_.SetWords(With(docker, "PROXY", "false"));
  Talks(any(), {"127.0.0.1", 18080}, http.get());
}

}  // namespace
}  // namespace natrix::netns
