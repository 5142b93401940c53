// SPDX-License-Identifier: Apache-2.0
//
// Devices without a link-layer header have programs of their own, loaded when the first one is
// there.
#include <gmock/gmock.h>

#include <csignal>
#include <set>

#include "tests/netns/node.h"

namespace natrix::netns {
namespace {

using support::milliseconds;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

class BareDevices : public NodeTest {
 protected:
  void AddTun(const std::string& name) {
    Ip("tuntap add dev " + name + " mode tun\nlink set " + name + " up");
  }
  Json Status(const std::string& device) {
    const Json status = NatrixJson({"status"});
    for (const Json& row : status.at("devices"))
      if (row.at("name") == device) return row;
    return {};
  }
  // "nx_out": what runs at a hook, by what `natrix status` says.
  std::string ProgramAt(const std::string& device, const std::string& hook) {
    const std::string id = Status(device).at(hook).dump();
    return id == "0" ? "" : Bpftool({"prog", "show", "id", id}).at("name").get<std::string>();
  }
  void ExpectPrograms(const std::string& device, const std::string& link,
                      const std::string& ingress, const std::string& egress) {
    SCOPED_TRACE(device);
    EXPECT_EQ(Status(device).at("link"), link);
    EXPECT_EQ(ProgramAt(device, "ingressProgram"), ingress);
    EXPECT_EQ(ProgramAt(device, "egressProgram"), egress);
  }
  std::string Pins() { return Tree(kPins); }
};

TEST_F(BareDevices, HaveTheirProgramsBesideTheOthers) {
  AddTun("pod1");
  WriteFile(
      "node:\n  name: node1\n  addresses: [172.18.0.3]\n  uplinks: [eth0, up0]\n"
      "  podDevices: [ovn0, \"pod*\"]\nsubnets:\n  - name: a\n    cidrs: [10.16.0.0/16]\n");

  auto daemon = Start();

  ExpectPrograms("eth0", "ethernet", "nx_uplink_in", "nx_out");
  ExpectPrograms("ovn0", "ethernet", "nx_pod_in", "nx_out");
  ExpectPrograms("pod1", "bare", "nx_bare_pod_in", "nx_bare_out");
  EXPECT_THAT(Natrix({"status"}).output, HasSubstr(" nx_bare_pod_in"));
  AddTun("up0");
  daemon.WaitForLine("attach device=up0 ");
  ExpectPrograms("up0", "bare", "nx_bare_up_in", "nx_bare_out");
}

TEST_F(BareDevices, ShareEveryMap) {
  auto daemon = Start();
  const auto maps = MapIds();
  ASSERT_THAT(Pins(), Not(HasSubstr("progs/nx_bare_")));

  AddTun("pod1");
  daemon.WaitForLine("attach device=pod1 ");

  EXPECT_EQ(MapIds(), maps);
  const Json program =
      Bpftool({"prog", "show", "pinned", std::string(kPins) + "/progs/nx_bare_out"});
  std::set<std::uint32_t> ids;
  for (const auto& [name, id] : maps) ids.insert(id);
  int constants = 0;
  for (const Json& id : program.at("map_ids")) constants += ids.contains(id) ? 0 : 1;
  EXPECT_LE(constants, 1) << program.dump();
}

TEST_F(BareDevices, ADeviceOfAnotherKindGetsTheOtherPrograms) {
  auto daemon = Start();
  Ip("link add pod1 index 4711 type veth peer name wire_pod1\nlink set pod1 up");
  daemon.WaitForLine("attach device=pod1 ifindex=4711 ");
  ExpectPrograms("pod1", "ethernet", "nx_pod_in", "nx_out");
  const std::size_t from = daemon.Output().size();

  // Both changes are there when natrixd next looks: by name and index nothing has changed.
  daemon.Signal(SIGSTOP);
  Ip("link del pod1\nlink add pod1 index 4711 type vxlan external gpe dstport 4790\n"
     "link set pod1 up");
  daemon.Signal(SIGCONT);
  daemon.WaitForLine("attach device=pod1 ifindex=4711 ", Scaled(milliseconds(10000)), from);

  ExpectPrograms("pod1", "bare", "nx_bare_pod_in", "nx_bare_out");
}

TEST_F(BareDevices, AreAdoptedByTheNextNatrixd) {
  AddTun("pod1");
  auto first = Start();
  const auto links = LinkIds();
  const std::string before = Status("pod1").at("egressProgram").dump();

  first.Kill();
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0", "pod1"));
  auto second = Start();

  EXPECT_EQ(LinkIds(), links);
  EXPECT_NE(Status("pod1").at("egressProgram").dump(), before) << "the programs are the old ones";
  ExpectPrograms("pod1", "bare", "nx_bare_pod_in", "nx_bare_out");

  // Of programs that nothing runs no pin stays.
  second.Kill();
  Ip("link del pod1");
  const auto third = Start();
  EXPECT_THAT(Pins(), Not(HasSubstr("progs/nx_bare_")));
  EXPECT_THAT(Attached(), UnorderedElementsAre("eth0", "ovn0"));
}

TEST_F(BareDevices, AreAttachedByClsactAndLeftAgain) {
  AddTun("pod1");
  const std::string before = Run({"tc", "qdisc"});
  auto daemon = Start({"--attach", "clsact"});
  ExpectPrograms("pod1", "bare", "nx_bare_pod_in", "nx_bare_out");
  daemon.Signal(SIGTERM);
  ASSERT_EQ(daemon.Wait(milliseconds(10000)), 0);

  EXPECT_EQ(Natrix({"detach"}).status, 0);

  EXPECT_EQ(Run({"tc", "qdisc"}), before);
  EXPECT_THAT(Tree("/sys/fs/bpf"), Not(HasSubstr("natrix")));
}

TEST_F(BareDevices, PinsAreRestored) {
  AddTun("pod1");
  auto daemon = Start();
  Run({"rm", std::string(kPins) + "/progs/nx_bare_out"});

  Reload(daemon);

  EXPECT_THAT(Pins(), HasSubstr("progs/nx_bare_out"));
}

TEST_F(BareDevices, HaveNoXdpEvenByForce) {
  AddTun("up0");
  WriteFile(
      "node:\n  name: node1\n  addresses: [172.18.0.3]\n  uplinks: [eth0, up0]\n"
      "  podDevices: [ovn0]\nsubnets:\n  - name: a\n    cidrs: [10.16.0.0/16]\n"
      "xdp: {mode: native, force: [up0]}\n");

  const auto daemon = Start();

  EXPECT_EQ(Status("up0").at("xdp").at("mode"), "refused");
  EXPECT_EQ(Status("up0").at("xdp").at("reason"), "no Ethernet device");
}

}  // namespace
}  // namespace natrix::netns
