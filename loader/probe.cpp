// SPDX-License-Identifier: Apache-2.0
#include "loader/probe.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "loader/attacher.h"
#include "userspace/base/unique_fd.h"

namespace natrix::loader {
namespace {

// r0 = TC_ACT_UNSPEC; exit
Result<UniqueFd> LoadPassProgram() {
  bpf_insn code[2]{};
  code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  code[0].dst_reg = BPF_REG_0;
  code[0].imm = TC_ACT_UNSPEC;
  code[1].code = BPF_JMP | BPF_EXIT;
  UniqueFd fd(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "nx_probe", "GPL", code, 2, nullptr));
  if (!fd) return Fail(errno, "load a program that does nothing");
  return fd;
}

}  // namespace

Result<bool> HasTcxLinks() {
  auto program = LoadPassProgram();
  if (!program) return Fail(std::move(program).error(), "probe for tcx");
  const UniqueFd link(
      bpf_link_create(program->get(), int{kLoopbackIndex}, BPF_TCX_INGRESS, nullptr));
  if (link) return true;
  // EINVAL: an attach type that this kernel does not know.
  if (errno == EINVAL || errno == EOPNOTSUPP) return false;
  return Fail(errno, "probe for tcx: link to lo");
}

}  // namespace natrix::loader
