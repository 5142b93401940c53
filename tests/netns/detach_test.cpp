// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <linux/pkt_cls.h>

#include <csignal>

#include "loader/probe.h"
#include "tests/netns/node.h"
#include "tests/support/network.h"
#include "tests/support/setup_error.h"

namespace natrix::netns {
namespace {

using support::milliseconds;
using testing::HasSubstr;
using testing::Not;

class Detach : public NodeTest {
 protected:
  // Stops natrixd so that nobody attaches again.
  void Stop(support::Process daemon) {
    daemon.Signal(SIGTERM);
    ASSERT_EQ(daemon.Wait(milliseconds(10000)), 0);
  }
  std::string Filters(const std::string& device) {
    return Run({"tc", "filter", "show", "dev", device, "ingress"}) +
           Run({"tc", "filter", "show", "dev", device, "egress"});
  }
};

// Somebody else's program, on eth0 in the ways somebody else may attach one.
class Foreign {
 public:
  explicit Foreign(const support::Namespace& node) {
    bpf_insn code[2]{};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    code[0].imm = TC_ACT_UNSPEC;
    code[1].code = BPF_JMP | BPF_EXIT;
    program_.Reset(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", code, 2, nullptr));
    if (!program_) support::ThrowErrno("load a foreign program");
    ifindex_ = static_cast<int>(support::IndexOf(node, "eth0"));
    const support::InNetwork here(node);
    libbpf_set_print(nullptr);  // an existing qdisc is no news
    if (loader::HasTcxLinks().value()) {
      link_.Reset(bpf_link_create(program_.get(), ifindex_, BPF_TCX_INGRESS, nullptr));
      if (!link_) support::ThrowErrno("attach a foreign tcx program");
    }
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex_, .attach_point = BPF_TC_EGRESS);
    if (const int err = bpf_tc_hook_create(&hook); err != 0 && err != -EEXIST)
      support::ThrowErrno("create a foreign qdisc");
    LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program_.get(), .handle = 1, .priority = 1);
    if (bpf_tc_attach(&hook, &opts) != 0) support::ThrowErrno("attach a foreign filter");
  }

  // The ids of programs on tcx ingress, in order.
  std::vector<std::uint32_t> TcxIngress(const support::Namespace& node) const {
    const support::InNetwork here(node);
    std::uint32_t ids[16] = {};
    LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = ids, .prog_cnt = 16);
    if (!link_ || bpf_prog_query_opts(ifindex_, BPF_TCX_INGRESS, &opts) != 0) return {};
    return {ids, ids + opts.prog_cnt};
  }
  bool has_link() const { return static_cast<bool>(link_); }

 private:
  UniqueFd program_;
  UniqueFd link_;
  int ifindex_ = 0;
};

TEST_F(Detach, RemovesEverythingAndIsIdempotent) {
  const std::string before = Run({"tc", "qdisc"});
  Stop(Start());

  const auto first = Natrix({"detach"});
  const auto second = Natrix({"detach"});

  EXPECT_EQ(first.status, 0);
  EXPECT_THAT(first.output, HasSubstr("removed "));
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(second.output, "nothing to remove\n");
  EXPECT_THAT(Tree("/sys/fs/bpf"), Not(HasSubstr("natrix")));
  EXPECT_EQ(Filters("eth0") + Filters("ovn0"), "");
  EXPECT_EQ(Run({"tc", "qdisc"}), before);
  EXPECT_THAT(Run({"bpftool", "net"}), Not(HasSubstr("nx_")));
  EXPECT_EQ(Natrix({"status"}).status, 3);
}

TEST_F(Detach, RemovesFiltersAndTheQdiscsThatWereMadeForThem) {
  const std::string before = Run({"tc", "qdisc"});
  Stop(Start({"--attach", "clsact"}));
  ASSERT_THAT(Filters("eth0"), HasSubstr("nx_out"));

  ASSERT_EQ(Natrix({"detach"}).status, 0);

  EXPECT_EQ(Filters("eth0") + Filters("ovn0"), "");
  EXPECT_EQ(Run({"tc", "qdisc"}), before);
}

TEST_F(Detach, FindsFiltersWhosePinsAreLost) {
  Stop(Start({"--attach", "clsact"}));
  Run({"umount", "/sys/fs/bpf"});
  Run({"mount", "-t", "bpf", "bpf", "/sys/fs/bpf"});
  ASSERT_THAT(Filters("eth0"), HasSubstr("nx_out"));

  ASSERT_EQ(Natrix({"detach"}).status, 0);

  EXPECT_EQ(Filters("eth0") + Filters("ovn0"), "");
}

TEST_F(Detach, IsRefusedWhileNatrixdRuns) {
  const auto daemon = Start();

  const auto detach = Natrix({"detach"});

  EXPECT_EQ(detach.status, 1);
  EXPECT_THAT(detach.errors, HasSubstr("natrixd (pid " + std::to_string(daemon.pid())));
  EXPECT_EQ(Attached().size(), 2U);
}

TEST_F(Detach, LeavesForeignProgramsAndTheirOrder) {
  const Foreign foreign(node());
  const std::string filters = Filters("eth0");
  const auto programs = foreign.TcxIngress(node());

  auto daemon = Start();
  EXPECT_THAT(Filters("eth0"), HasSubstr("foreign"));
  if (foreign.has_link()) {
    ASSERT_EQ(foreign.TcxIngress(node()).size(), 2U);
    EXPECT_EQ(foreign.TcxIngress(node()).front(), programs.front());
  }
  Stop(std::move(daemon));
  ASSERT_EQ(Natrix({"detach"}).status, 0);

  EXPECT_EQ(Filters("eth0"), filters);
  EXPECT_EQ(foreign.TcxIngress(node()), programs);
}

TEST_F(Detach, LeavesAQdiscThatHoldsForeignFilters) {
  Stop(Start({"--attach", "clsact"}));  // makes the qdisc
  const Foreign foreign(node());        // and somebody else uses it

  ASSERT_EQ(Natrix({"detach"}).status, 0);

  EXPECT_THAT(Filters("eth0"), AllOf(HasSubstr("foreign"), Not(HasSubstr("nx_"))));
}

}  // namespace
}  // namespace natrix::netns
