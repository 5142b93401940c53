// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "userspace/config/values.h"

namespace natrix::config {
namespace {

using model::Address;
using model::Prefix;

constexpr std::string_view kServicePortHelp =
    "write it as `ipset save` does: 10.96.0.1,tcp:443 or fd00:10:96::a,udp:53";

std::optional<nx_l4> ProtocolOf(std::string_view name) {
  if (name == "tcp") return NX_L4_TCP;
  if (name == "udp") return NX_L4_UDP;
  if (name == "sctp") return NX_L4_SCTP;
  return std::nullopt;
}

std::optional<model::ServicePort> ServicePortIn(std::string_view text) {
  const std::size_t comma = text.find(',');
  const std::size_t colon = comma == text.npos ? comma : text.find(':', comma);
  if (colon == text.npos) return std::nullopt;
  const auto address = Address::Parse(text.substr(0, comma));
  const auto protocol = ProtocolOf(text.substr(comma + 1, colon - comma - 1));
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (!address || !protocol || error != std::errc() || last != end || port == 0)
    return std::nullopt;
  return model::ServicePort{*address, *protocol, port};
}

// What stands before the last comma and behind it.
std::pair<std::string_view, std::string_view> AtLastComma(std::string_view text) {
  const std::size_t comma = std::min(text.rfind(','), text.size());
  return {text.substr(0, comma), text.substr(std::min(comma + 1, text.size()))};
}

// The first item of a list in quotes.
std::string_view FirstOf(std::string_view list) {
  const std::size_t begin = list.find('"') + 1;
  return list.substr(begin, list.find('"', begin) - begin);
}

}  // namespace

std::optional<Prefix> ReadPolicyPrefix(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  if (const auto address = Address::Parse(node.text)) return Prefix::Of(*address);
  if (const auto prefix = Prefix::Parse(node.text)) return prefix->WithoutHostBits();
  diagnostics.Error(node.where, fmt::format("\"{}\" is neither an address nor a CIDR", node.text),
                    fmt::format("write them one after another: `{}: {}`", key.name(), key.example));
  return std::nullopt;
}

std::optional<model::GatewayNode> ReadGatewayNode(const Node& node, const Key& key,
                                                  Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  // The first colon: an IPv6 address has more of them.
  const std::size_t end = node.text.size();
  const std::size_t colon = std::min(node.text.find(':'), end);
  const auto name = ReadName(Slice(node, 0, colon), key, diagnostics);
  if (!name) return std::nullopt;
  model::GatewayNode gateway{.name = *name, .egress = std::nullopt};
  if (colon == end) return gateway;
  gateway.egress = ReadAddress(Slice(node, colon + 1, end), key, diagnostics);
  if (!gateway.egress) return std::nullopt;
  return gateway;
}

std::optional<model::ServicePort> ReadServicePort(const Node& node, const Key& key,
                                                  Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const auto service = ServicePortIn(node.text);
  if (!service)
    diagnostics.Error(node.where, fmt::format("\"{}\" is no service port", node.text),
                      std::string(kServicePortHelp));
  return service;
}

std::optional<model::LoopBack> ReadLoopBack(const Node& node, const Key& key,
                                            Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const auto [called, from] = AtLastComma(node.text);
  const auto endpoint = ServicePortIn(called);
  const auto source = Address::Parse(from);
  if (endpoint && source && source->family() == endpoint->address.family())
    return model::LoopBack{*endpoint, *source};
  diagnostics.Error(node.where,
                    fmt::format("\"{}\" is no endpoint with a source of its family", node.text),
                    fmt::format("write it as `ipset save` does: {}", FirstOf(key.example)));
  return std::nullopt;
}

std::optional<model::SourceRange> ReadSourceRange(const Node& node, const Key& key,
                                                  Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  const auto [called, source] = AtLastComma(node.text);
  const auto port = ServicePortIn(called);
  std::optional<Prefix> prefix;
  if (const auto address = Address::Parse(source))
    prefix = Prefix::Of(*address);
  else if (const auto cidr = Prefix::Parse(source))
    prefix = cidr->WithoutHostBits();
  if (port && prefix && prefix->family() == port->address.family())
    return model::SourceRange{*port, *prefix};
  diagnostics.Error(node.where,
                    fmt::format("\"{}\" is no service port with a CIDR of its family", node.text),
                    fmt::format("write it as `ipset save` does: {}", FirstOf(key.example)));
  return std::nullopt;
}

}  // namespace natrix::config
