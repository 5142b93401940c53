// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/reference.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "userspace/config/keys.h"

namespace natrix::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBegin = "<!-- words: ";
constexpr std::string_view kEnd = "<!-- end -->";

std::string TypeCell(const Key& key) {
  std::string cell(TypeName(key.type));
  if (key.type == Type::kCount) cell += fmt::format(", {} to {}", key.least, key.most);
  if (key.type != Type::kChoice && key.type != Type::kChoices) return cell;
  cell.clear();
  for (const std::string_view choice : key.choices)
    cell += fmt::format("{}`{}`", cell.empty() ? "" : " or ", choice);
  if (key.type == Type::kChoices) cell.insert(0, "a list of ");
  return cell;
}

std::string DefaultCell(const Key& key) {
  if (key.required) return "required";
  if (key.type == Type::kMap) return "";
  return key.fallback.empty() ? "none" : fmt::format("`{}`", key.fallback);
}

std::string Table(std::string_view parent) {
  std::string table = "| word | type | default | meaning |\n|---|---|---|---|\n";
  for (const Key* key : KeysUnder(parent))
    table += fmt::format("| `{}` | {} | {} | {} |\n", key->name(), TypeCell(*key),
                         DefaultCell(*key), key->text);
  return table;
}

Json Object(std::string_view parent);

Json AddressSchema() {
  return {{"type", "string"}, {"anyOf", {{{"format", "ipv4"}}, {{"format", "ipv6"}}}}};
}
Json CidrSchema() { return {{"type", "string"}, {"pattern", "^[0-9a-fA-F:.]+/[0-9]{1,3}$"}}; }
Json Text(std::string_view pattern) { return {{"type", "string"}, {"pattern", pattern}}; }
Json Integer(std::uint64_t least, std::uint64_t most) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}};
}
Json ListOf(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json Either(Json a, Json b) { return {{"anyOf", Json::array({std::move(a), std::move(b)})}}; }

Json ValueSchema(const Key& key) {
  switch (key.type) {
    case Type::kMap:
      return Object(key.path);
    case Type::kMaps:
      return ListOf(Object(key.path + "[]"));
    case Type::kName:
      return Text("^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$");
    case Type::kBool:
      return {{"type", "boolean"}};
    case Type::kCount:
      return Integer(key.least, key.most);
    case Type::kMark:
      return Either(Integer(1, 0xffffffff), Text("^(0[xX][0-9a-fA-F]+|[1-9][0-9]*)$"));
    case Type::kDuration:
      return Text("^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$");
    case Type::kChoice:
      return {{"enum", key.choices}};
    case Type::kCidrText:
      return Text("^ *[0-9a-fA-F:.]+/[0-9]{1,3} *(, *[0-9a-fA-F:.]+/[0-9]{1,3} *)*$");
    case Type::kAddress:
      return AddressSchema();
    case Type::kAddresses:
      return ListOf(AddressSchema());
    case Type::kCidrs:
      return ListOf(CidrSchema());
    case Type::kDevices: {
      Json schema = ListOf(Text("^[^/:\\s]+$"));
      schema["minItems"] = 1;
      return schema;
    }
    case Type::kDevice:
      return Text("^[^/:\\s]+$");
    case Type::kPorts:
      return ListOf(Either(Integer(1, 65535), Text("^[0-9]{1,5}(-[0-9]{1,5})?$")));
    case Type::kPrefixText:
      return Text("^( *[0-9a-fA-F:.]+(/[0-9]{1,3})? *(, *[0-9a-fA-F:.]+(/[0-9]{1,3})? *)*)?$");
    case Type::kGatewayText:
      return Text("^ *[-a-z0-9.]+(:[0-9a-fA-F:.]+)? *(, *[-a-z0-9.]+(:[0-9a-fA-F:.]+)? *)*$");
    case Type::kServicePorts:
      return ListOf(Text("^[0-9a-fA-F:.]+,(tcp|udp|sctp):[0-9]{1,5}$"));
    case Type::kLoopBacks:
      return ListOf(Text("^[0-9a-fA-F:.]+,(tcp|udp|sctp):[0-9]{1,5},[0-9a-fA-F:.]+$"));
    case Type::kSourceRanges:
      return ListOf(
          Text("^[0-9a-fA-F:.]+,(tcp|udp|sctp):[0-9]{1,5},[0-9a-fA-F:.]+(/[0-9]{1,3})?$"));
    case Type::kInterfaces:
      return ListOf(CidrSchema());
    case Type::kHostIp:
      return AddressSchema();
    case Type::kContainer:
      return Text("^[a-zA-Z0-9][a-zA-Z0-9_.-]*$");
    case Type::kCidr:
      return CidrSchema();
    case Type::kChoices:
      return ListOf({{"enum", key.choices}});
    case Type::kAddressText:
      return Text("^ *[0-9a-fA-F:.]+ *(, *[0-9a-fA-F:.]+ *)*$");
    case Type::kPortRange:
      return Either(Integer(1, 65535), Text("^[0-9]{1,5}([-:][0-9]{1,5})?$"));
    case Type::kInterface:
      return Text("^[a-zA-Z0-9:._-]{1,15}$|^[a-zA-Z0-9:._-]{1,14}\\+$");
    case Type::kListen:
      return Either(Integer(1, 65535), Text("^(([0-9.]+|\\[[0-9a-fA-F:.]+\\])?:)?[0-9]{1,5}$"));
  }
  return {};
}

Json DefaultOf(const Key& key) {
  switch (key.type) {
    case Type::kBool:
      return key.fallback == "true";
    case Type::kCount:
    case Type::kMark:
      return std::stoul(key.fallback, nullptr, 0);
    case Type::kMaps:
    case Type::kAddresses:
    case Type::kCidrs:
    case Type::kDevices:
    case Type::kPorts:
    case Type::kServicePorts:
    case Type::kLoopBacks:
    case Type::kSourceRanges:
    case Type::kInterfaces:
    case Type::kChoices:
      return Json::array();
    default:
      return key.fallback;
  }
}

Json Object(std::string_view parent) {
  Json object = {{"type", "object"}, {"additionalProperties", false}};
  Json required = Json::array();
  for (const Key* key : KeysUnder(parent)) {
    Json value = {{"description", key->text}};
    value.update(ValueSchema(*key));
    if (!key->fallback.empty()) value["default"] = DefaultOf(*key);
    object["properties"][std::string(key->name())] = std::move(value);
    if (key->required) required.push_back(key->name());
  }
  if (!required.empty()) object["required"] = std::move(required);
  // The one rule between words that a schema can say.
  if (parent == "subnets[]")
    object["oneOf"] = {{{"required", {"cidrs"}}}, {{"required", {"cidrBlock"}}}};
  return object;
}

}  // namespace

std::string WithReferenceTables(std::string_view markdown) {
  std::string out;
  while (!markdown.empty()) {
    const std::size_t line_end = std::min(markdown.find('\n'), markdown.size() - 1) + 1;
    const std::string_view line = markdown.substr(0, line_end);
    markdown.remove_prefix(line_end);
    out += line;
    if (!line.starts_with(kBegin)) continue;
    std::string_view path = line.substr(kBegin.size());
    path = path.substr(0, path.find(" -->"));
    out += Table(path == "top" ? "" : path);
    markdown.remove_prefix(std::min(markdown.find(kEnd), markdown.size()));
  }
  return out;
}

std::string JsonSchema() {
  Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", "natrix"},
                 {"description", "Configuration of natrixd, see docs/config.md"}};
  schema.update(Object(""));
  return schema.dump(2) + "\n";
}

}  // namespace natrix::config
