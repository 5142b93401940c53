// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/mapping.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "userspace/base/suggest.h"
#include "userspace/config/keys_calico.h"
#include "userspace/config/keys_services.h"
#include "userspace/config/values.h"

namespace natrix::config {
namespace {

std::vector<std::string_view> NamesUnder(std::string_view path) {
  std::vector<std::string_view> names;
  for (const Key* key : KeysUnder(path)) names.push_back(key->name());
  return names;
}

// "an item of subnets": what the mapping at `path` is called in a message.
std::string Describe(std::string_view path) {
  if (path.empty()) return "the configuration";
  if (path.ends_with("[]"))
    return fmt::format("an item of \"{}\"", path.substr(0, path.size() - 2));
  return fmt::format("\"{}\"", path);
}

// Where else in the table a word of this name stands; nullptr when nowhere.
const Key* Elsewhere(std::string_view name) {
  for (const Key& key : Keys())
    if (key.name() == name) return &key;
  return nullptr;
}

}  // namespace

Mapping::Mapping(const Node& node, std::string path, Diagnostics& diagnostics)
    : node_(&node),
      path_(std::move(path)),
      words_(&KeysUnder(path_)),
      diagnostics_(&diagnostics),
      where_(node.entries.empty() ? node.where : node.entries.front().key_where) {}

std::optional<Mapping> Mapping::Open(const Node& node, std::string path, Diagnostics& diagnostics) {
  if (node.broken) return std::nullopt;
  if (node.kind != Node::Kind::kMap) {
    const std::vector<std::string_view> names = NamesUnder(path);
    diagnostics.Error(node.where, fmt::format("{} must be a mapping", Describe(path)),
                      node.IsNull()
                          ? "write its words below it, or leave it out"
                          : fmt::format("write its words below it, like `{}: ...`", names.front()));
    return std::nullopt;
  }
  Mapping mapping(node, std::move(path), diagnostics);
  for (const Entry& entry : node.entries)
    if (std::ranges::find(*mapping.words_, entry.key, &Key::name) == mapping.words_->end())
      mapping.ReportUnknown(entry);
  for (const Key* key : *mapping.words_)
    if (key->required && node.Find(key->name()) == nullptr) mapping.ReportMissing(*key);
  return mapping;
}

void Mapping::ReportUnknown(const Entry& entry) const {
  const std::vector<std::string_view> names = NamesUnder(path_);
  const ForeignField foreign =
      path_ == "subnets[]" ? ForeignSubnetField(entry.key) : ForeignField::kUnknown;
  std::string help;
  if (foreign == ForeignField::kWithoutEffect)
    help = "this field of Kube-OVN's Subnet decides nothing on a node: leave it out";
  else if (foreign == ForeignField::kUnsupported)
    help = "this field of Kube-OVN's Subnet is not supported";
  else if (path_.starts_with("services[]") && IsIdleServiceField(entry.key))
    help = "this field of Kubernetes decides nothing on a node: leave it out";
  else if (path_ == "calico.ipPools[]" && IsIdlePoolField(entry.key))
    help = "this field of Calico's IPPool decides nothing about a node's translation: leave it out";
  else if (const auto close = DidYouMean(entry.key, names))
    help = fmt::format("did you mean \"{}\"?", *close);
  else if (const Key* other = Elsewhere(entry.key))
    help = other->parent().empty()
               ? fmt::format("\"{}\" belongs at the top level", entry.key)
               : fmt::format("\"{}\" belongs under \"{}\"", entry.key, other->parent());
  else
    help = fmt::format("known here: {}", fmt::join(names, ", "));
  diagnostics_->Error(entry.key_where,
                      path_.empty()
                          ? fmt::format("unknown key \"{}\"", entry.key)
                          : fmt::format("unknown key \"{}\" in {}", entry.key, Describe(path_)),
                      std::move(help));
}

void Mapping::ReportMissing(const Key& key) const {
  diagnostics_->Error(where_, fmt::format("{} has no \"{}\"", Describe(path_), key.name()),
                      key.example.empty() ? fmt::format("add `{}:`", key.name())
                                          : fmt::format("add `{}: {}`, with your own value",
                                                        key.name(), key.example));
}

const Node* Mapping::Get(std::string_view name) const {
  const Entry* entry = node_->Find(name);
  return entry == nullptr ? nullptr : &entry->value;
}

const Key& Mapping::KeyOf(std::string_view name) const {
  return **std::ranges::find(*words_, name, &Key::name);
}

std::optional<Mapping> Mapping::Sub(std::string_view name) const {
  const Node* value = Get(name);
  if (value == nullptr) return std::nullopt;
  return Open(*value, KeyOf(name).path, *diagnostics_);
}

const std::vector<Node>& Mapping::Items(std::string_view name) const {
  static const std::vector<Node> kNone;
  const Node* value = Get(name);
  if (value == nullptr || value->broken) return kNone;
  if (value->kind == Node::Kind::kList) return value->items;
  const Key& key = KeyOf(name);
  if (value->IsNull())
    diagnostics_->Error(value->where, fmt::format("\"{}\" has no value", name),
                        fmt::format("write `{}: []` for none, or leave it out", name));
  else
    diagnostics_->Error(value->where, fmt::format("\"{}\" must be {}", name, TypeName(key.type)),
                        value->kind == Node::Kind::kScalar
                            ? fmt::format("write `{}: [{}]`", name, value->text)
                            : ShapeHelp(key));
  return kNone;
}

std::vector<Mapping> Mapping::SubList(std::string_view name) const {
  std::vector<Mapping> list;
  for (const Node& item : Items(name))
    if (auto mapping = Open(item, KeyOf(name).path + "[]", *diagnostics_))
      list.push_back(*std::move(mapping));
  return list;
}

}  // namespace natrix::config
