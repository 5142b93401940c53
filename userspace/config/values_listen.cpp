// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "userspace/config/values.h"

namespace natrix::config {
namespace {

using model::Address;
using model::Endpoint;
using model::Family;

constexpr std::string_view kLoopback = "127.0.0.1";
constexpr std::string_view kHelp = "write 127.0.0.1:9188 or [::1]:9188";

// The text before and after the colon in front of the port; `host` is empty without one.
struct HostPort {
  std::string_view host;
  std::string_view port;
};

HostPort Split(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return {.host = "", .port = text};
  return {.host = text.substr(0, colon), .port = text.substr(colon + 1)};
}

std::optional<std::uint32_t> ParsePort(std::string_view text) {
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// What somebody meant by a host that is no address in the form asked for.
std::string HelpFor(const HostPort& parts) {
  if (parts.host == "localhost") return fmt::format("write {}:{}", kLoopback, parts.port);
  if (parts.host == "*") return fmt::format("write 0.0.0.0:{0} or [::]:{0}", parts.port);
  if (const auto bare = Address::Parse(parts.host); bare && bare->family() == Family::kIpv6)
    return fmt::format("an IPv6 address has brackets around it: write \"[{}]:{}\"", parts.host,
                       parts.port);
  return std::string(kHelp);
}

// "[::1]" or "127.0.0.1"; nullopt for anything else, brackets around IPv4 included.
std::optional<Address> ParseHost(std::string_view host) {
  if (host.empty()) return Address::Parse(kLoopback);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const auto address = Address::Parse(brackets ? host.substr(1, host.size() - 2) : host);
  if (!address || brackets != (address->family() == Family::kIpv6)) return std::nullopt;
  return address;
}

}  // namespace

std::optional<Endpoint> ReadListen(const Node& node, const Key& key, Diagnostics& diagnostics) {
  if (!IsScalar(node, key, diagnostics)) return std::nullopt;
  // An address without a port: its last group would be taken for one.
  const bool no_port = Address::Parse(node.text).has_value() || node.text.ends_with(']');
  const HostPort parts = Split(node.text);
  const auto refuse = [&](std::string_view message,
                          std::string_view help) -> std::optional<Endpoint> {
    diagnostics.Error(node.where, message, help);
    return std::nullopt;
  };
  if (no_port) return refuse(fmt::format("\"{}\" has no port", node.text), kHelp);
  const auto address = ParseHost(parts.host);
  const auto port = ParsePort(parts.port);
  if (!address || !port)
    return refuse(fmt::format("\"{}\" is not an address and port", node.text), HelpFor(parts));
  if (*port == 0 || *port > 65535)
    return refuse(fmt::format("there is no port {}", *port), "ports are from 1 to 65535");
  if (address->IsMulticast())
    return refuse(fmt::format("{} is a multicast address", address->ToString()),
                  "write an address of this node");
  return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

}  // namespace natrix::config
