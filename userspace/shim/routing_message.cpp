// SPDX-License-Identifier: Apache-2.0
#include "userspace/shim/routing_message.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>

namespace natrix::shim {
namespace {

using model::Address;

constexpr std::uint32_t kLoopback = 1;  // in every network namespace
// Of several IPv6 routes to one destination the least metric wins; the usual one is 1024.  Another
// owner's in the same table (Kube-OVN's has no source) would otherwise be taken for ours, or first.
constexpr std::uint32_t kMetric6 = 110;

unsigned char FamilyNumber(Family family) { return family == Family::kIpv4 ? AF_INET : AF_INET6; }

std::optional<Family> FamilyOf(unsigned char number) {
  if (number == AF_INET) return Family::kIpv4;
  if (number == AF_INET6) return Family::kIpv6;
  return std::nullopt;
}

Message RuleMessage(const Rule& rule, std::uint16_t type, std::uint16_t flags) {
  Message message;
  nlmsghdr* header = mnl_nlmsg_put_header(message.get());
  header->nlmsg_type = type;
  header->nlmsg_flags = flags;
  auto* body = static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(header, sizeof(fib_rule_hdr)));
  body->family = FamilyNumber(rule.family);
  body->action = FR_ACT_TO_TBL;
  body->table = RT_TABLE_UNSPEC;  // FRA_TABLE has it
  mnl_attr_put_u32(header, FRA_PRIORITY, rule.priority);
  mnl_attr_put_u32(header, FRA_FWMARK, rule.mark);
  mnl_attr_put_u32(header, FRA_FWMASK, rule.mark);
  mnl_attr_put_u32(header, FRA_TABLE, rule.table);
  mnl_attr_put_u8(header, FRA_PROTOCOL, kProtocol);
  return message;
}

void PutAddress(nlmsghdr* header, std::uint16_t type, const Address& address) {
  const __u8* bytes = address.bytes.byte;
  if (address.family() == Family::kIpv4)
    mnl_attr_put(header, type, 4, bytes + 12);
  else
    mnl_attr_put(header, type, 16, bytes);
}

Message RouteMessage(const Route& route, std::uint16_t type, std::uint16_t flags) {
  Message message;
  nlmsghdr* header = mnl_nlmsg_put_header(message.get());
  header->nlmsg_type = type;
  header->nlmsg_flags = flags;
  auto* body = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(rtmsg)));
  body->rtm_family = FamilyNumber(route.family);
  body->rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE has it
  body->rtm_protocol = kProtocol;
  body->rtm_scope = route.family == Family::kIpv4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  body->rtm_type = RTN_LOCAL;
  mnl_attr_put_u32(header, RTA_TABLE, route.table);
  mnl_attr_put_u32(header, RTA_OIF, kLoopback);
  if (route.source != Address{}) PutAddress(header, RTA_PREFSRC, route.source);
  if (route.family == Family::kIpv6) mnl_attr_put_u32(header, RTA_PRIORITY, kMetric6);
  return message;
}

// Calls visit(type, attr) for each attribute after a header of `size` bytes.
template <typename Visit>
void ForEachAttr(const nlmsghdr& message, std::size_t size, Visit visit) {
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
  for (const auto* attr = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, size));
       mnl_attr_ok(attr, static_cast<int>(end - reinterpret_cast<const char*>(attr)));
       attr = mnl_attr_next(attr))
    visit(mnl_attr_get_type(attr), attr);
}

}  // namespace

Message AddRule(const Rule& rule) {
  return RuleMessage(rule, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
}
Message RemoveRule(const Rule& rule) { return RuleMessage(rule, RTM_DELRULE, 0); }

Message AddRoute(const Route& route) {
  // IPv4: NLM_F_CREATE alone puts it before those of others with its metric.  IPv6: in place of
  // the one with its metric, which is ours.
  const std::uint16_t place = route.family == Family::kIpv4 ? 0 : NLM_F_REPLACE;
  return RouteMessage(route, RTM_NEWROUTE, NLM_F_CREATE | place);
}
Message RemoveRoute(const Route& route) { return RouteMessage(route, RTM_DELROUTE, 0); }

std::optional<Rule> ParseRule(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWRULE) return std::nullopt;
  const auto* body = static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(&message));
  const auto family = FamilyOf(body->family);
  if (!family || body->action != FR_ACT_TO_TBL || body->dst_len != 0 || body->src_len != 0 ||
      body->tos != 0 || (body->flags & FIB_RULE_INVERT) != 0)
    return std::nullopt;
  Rule rule{.family = *family};
  std::uint32_t mask = 0;
  std::uint8_t protocol = 0;
  bool selects_more = false;
  ForEachAttr(message, sizeof(fib_rule_hdr), [&](std::uint16_t type, const nlattr* attr) {
    switch (type) {
      case FRA_PRIORITY:
        rule.priority = mnl_attr_get_u32(attr);
        break;
      case FRA_FWMARK:
        rule.mark = mnl_attr_get_u32(attr);
        break;
      case FRA_FWMASK:
        mask = mnl_attr_get_u32(attr);
        break;
      case FRA_TABLE:
        rule.table = mnl_attr_get_u32(attr);
        break;
      case FRA_PROTOCOL:
        protocol = mnl_attr_get_u8(attr);
        break;
      case FRA_IIFNAME:
      case FRA_OIFNAME:
      case FRA_TUN_ID:
      case FRA_L3MDEV:
      case FRA_UID_RANGE:
      case FRA_IP_PROTO:
      case FRA_SPORT_RANGE:
      case FRA_DPORT_RANGE:
        selects_more = true;
        break;
      default:  // FRA_SUPPRESS_PREFIXLEN, which the kernel always tells
        break;
    }
  });
  const bool ours = protocol == kProtocol && rule.priority >= kFirstPriority &&
                    rule.priority <= kLastPriority && rule.mark != 0 && rule.mark == mask;
  if (!ours || selects_more) return std::nullopt;
  return rule;
}

std::optional<Route> ParseRoute(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE) return std::nullopt;
  const auto* body = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
  const auto family = FamilyOf(body->rtm_family);
  if (!family || body->rtm_protocol != kProtocol || body->rtm_type != RTN_LOCAL ||
      body->rtm_dst_len != 0 || body->rtm_src_len != 0 || (body->rtm_flags & RTM_F_CLONED) != 0)
    return std::nullopt;
  Route route{.family = *family};
  std::uint32_t device = 0;
  ForEachAttr(message, sizeof(rtmsg), [&](std::uint16_t type, const nlattr* attr) {
    const std::size_t size = mnl_attr_get_payload_len(attr);
    const void* payload = mnl_attr_get_payload(attr);
    if (type == RTA_TABLE) route.table = mnl_attr_get_u32(attr);
    if (type == RTA_OIF) device = mnl_attr_get_u32(attr);
    if (type != RTA_PREFSRC) return;
    __u8* bytes = route.source.bytes.byte;
    if (size == 16) std::memcpy(bytes, payload, size);
    if (size == 4) {
      bytes[10] = bytes[11] = 0xff;
      std::memcpy(bytes + 12, payload, size);
    }
  });
  if (device != kLoopback) return std::nullopt;
  return route;
}

}  // namespace natrix::shim
