// SPDX-License-Identifier: Apache-2.0
#include "loader/tc_filter.h"

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "userspace/base/netlink.h"

namespace natrix::loader {
namespace {

// The attribute of that type, or null.
const nlattr* FindAttr(const nlattr* begin, const nlattr* end, std::uint16_t type) {
  for (const nlattr* attr = begin;
       mnl_attr_ok(attr, static_cast<int>(reinterpret_cast<const char*>(end) -
                                          reinterpret_cast<const char*>(attr)));
       attr = mnl_attr_next(attr))
    if (mnl_attr_get_type(attr) == type) return attr;
  return nullptr;
}
const nlattr* FindTop(const nlmsghdr& message, std::uint16_t type) {
  const auto* begin =
      static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, sizeof(tcmsg)));
  return FindAttr(begin, static_cast<const nlattr*>(mnl_nlmsg_get_payload_tail(&message)), type);
}
const nlattr* FindNested(const nlattr* nest, std::uint16_t type) {
  const auto* begin = static_cast<const nlattr*>(mnl_attr_get_payload(nest));
  const auto* end = reinterpret_cast<const nlattr*>(reinterpret_cast<const char*>(begin) +
                                                    mnl_attr_get_payload_len(nest));
  return FindAttr(begin, end, type);
}

TcFilter ParseFilter(const nlmsghdr& message) {
  const auto* tcm = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(&message));
  TcFilter filter{.priority = tcm->tcm_info >> 16, .handle = tcm->tcm_handle};
  if (const nlattr* kind = FindTop(message, TCA_KIND)) filter.kind = mnl_attr_get_str(kind);
  const nlattr* options = FindTop(message, TCA_OPTIONS);
  if (options == nullptr || filter.kind != "bpf") return filter;
  if (const nlattr* name = FindNested(options, TCA_BPF_NAME)) filter.name = mnl_attr_get_str(name);
  if (const nlattr* id = FindNested(options, TCA_BPF_ID)) filter.prog_id = mnl_attr_get_u32(id);
  return filter;
}

}  // namespace

const char* HookName(Hook hook) { return hook == Hook::kIngress ? "ingress" : "egress"; }

Result<std::vector<TcFilter>> ListFilters(std::uint32_t ifindex, Hook hook) {
  auto socket = Netlink::Open();
  if (!socket) return std::unexpected(std::move(socket).error());
  const std::uint32_t minor = hook == Hook::kIngress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS;
  tcmsg request{};
  request.tcm_family = AF_UNSPEC;
  request.tcm_ifindex = static_cast<int>(ifindex);
  request.tcm_parent = TC_H_MAKE(TC_H_CLSACT, minor);
  std::vector<TcFilter> filters;
  auto done = socket->Dump(
      RTM_GETTFILTER, request,
      [&](const nlmsghdr& message) {
        // A filter with handle 0 stands for the whole priority, not for a filter.
        TcFilter filter = ParseFilter(message);
        if (filter.handle != 0) filters.push_back(std::move(filter));
      },
      [&] { filters.clear(); });
  // No such device, or no such qdisc any more: it has no filter.
  if (!done && (done.error().code().value() == ENODEV || done.error().code().value() == EINVAL))
    return filters;
  if (!done) return Fail(std::move(done).error(), "list tc filters");
  return filters;
}

Result<std::string> HookQdisc(std::uint32_t ifindex) {
  auto socket = Netlink::Open();
  if (!socket) return std::unexpected(std::move(socket).error());
  tcmsg request{};
  request.tcm_family = AF_UNSPEC;
  request.tcm_ifindex = static_cast<int>(ifindex);
  request.tcm_parent = TC_H_INGRESS;
  std::string found;
  auto done = socket->Get(RTM_GETQDISC, request, [&](const nlmsghdr& message) {
    if (const nlattr* kind = FindTop(message, TCA_KIND)) found = mnl_attr_get_str(kind);
  });
  if (!done && done.error().code().value() == ENOENT) return std::string();
  if (!done) return Fail(std::move(done).error(), "look for a qdisc");
  return found;
}

Result<std::vector<std::uint32_t>> ListClsactDevices() {
  auto socket = Netlink::Open();
  if (!socket) return std::unexpected(std::move(socket).error());
  tcmsg request{};
  request.tcm_family = AF_UNSPEC;
  std::vector<std::uint32_t> devices;
  auto done = socket->Dump(
      RTM_GETQDISC, request,
      [&](const nlmsghdr& message) {
        const auto* tcm = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(&message));
        const nlattr* kind = FindTop(message, TCA_KIND);
        if (kind != nullptr && std::string_view(mnl_attr_get_str(kind)) == "clsact")
          devices.push_back(static_cast<std::uint32_t>(tcm->tcm_ifindex));
      },
      [&] { devices.clear(); });
  if (!done) return Fail(std::move(done).error(), "list qdiscs");
  return devices;
}

}  // namespace natrix::loader
