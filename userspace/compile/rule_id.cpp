// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/rule_id.h"

#include <fmt/format.h>
#include <nettle/sha2.h>

#include <array>

#include "maps/abi/set.h"

namespace natrix::compile {
namespace {

// As Go's encoding/json writes the rule: fields in the order of the struct, empty ones left out.
// The texts are addresses, so that nothing needs an escape.
std::string Json(const model::PolicyRule& rule) {
  std::string match;
  if (!rule.src_ips.empty()) match += fmt::format(R"("srcIPs":"{}")", rule.src_ips);
  if (!rule.dst_ips.empty())
    match += fmt::format(R"({}"dstIPs":"{}")", match.empty() ? "" : ",", rule.dst_ips);
  return fmt::format(R"({{"match":{{{}}},"action":"{}"}})", match,
                     rule.action == model::PolicyAction::kNat ? "nat" : "forward");
}

}  // namespace

std::string RuleId(const std::string& subnet, std::size_t index, const model::PolicyRule& rule) {
  const std::string text = fmt::format("{}{}{}", subnet, index, Json(rule));
  sha256_ctx hash;
  sha256_init(&hash);
  sha256_update(&hash, text.size(), reinterpret_cast<const std::uint8_t*>(text.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&hash, digest.size(), digest.data());
  std::string id;
  for (std::size_t i = 0; id.size() < NX_RULE_ID; ++i) id += fmt::format("{:02x}", digest[i]);
  return id;
}

}  // namespace natrix::compile
