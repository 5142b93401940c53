// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/config/diagnostics.h"
#include "userspace/config/keys.h"
#include "userspace/config/yaml.h"

namespace natrix::config {

// One YAML mapping read by the table: words it does not know, and required ones that are missing,
// are reported when it is opened.  Borrows node and diagnostics.
class Mapping {
 public:
  // `path` as in the table: "" for the whole file, "subnets[]" for one subnet.  nullopt after it
  // has reported that `node` is no mapping.
  static std::optional<Mapping> Open(const Node& node, std::string path, Diagnostics& diagnostics);

  // The value of a word; nullptr when it was not written.
  const Node* Get(std::string_view name) const;
  // The table's row of a word that this mapping may have.
  const Key& KeyOf(std::string_view name) const;
  // The mapping under a word; nullopt when it was not written, or is none.
  std::optional<Mapping> Sub(std::string_view name) const;
  // The items under a word; empty when it was not written, or is no list.
  const std::vector<Node>& Items(std::string_view name) const;
  // The mappings that are a word's items.
  std::vector<Mapping> SubList(std::string_view name) const;

  // Reads a word by `read`, one of values.h.  Returns where it was written, {0, 0} when it was
  // not; `into` changes only if it was, and is right.
  template <typename T, typename Read>
  Span Into(T& into, std::string_view name, Read read) const {
    const Node* value = Get(name);
    if (value == nullptr) return {};
    if (const auto result = read(*value, KeyOf(name), *diagnostics_))
      into = static_cast<T>(*result);
    return value->where;
  }

  // Reads each item of a list by `read` and appends what is right, and where it was written.
  template <typename T, typename Read>
  void IntoList(std::vector<T>& into, std::vector<Span>* places, std::string_view name,
                Read read) const {
    for (const Node& item : Items(name)) {
      const auto result = read(item, KeyOf(name), *diagnostics_);
      if (!result) continue;
      into.push_back(*result);
      if (places != nullptr) places->push_back(item.where);
    }
  }

  // Its first word: where a message about all of it points.
  Span where() const { return where_; }
  Diagnostics& diagnostics() const { return *diagnostics_; }

 private:
  Mapping(const Node& node, std::string path, Diagnostics& diagnostics);
  void ReportUnknown(const Entry& entry) const;
  void ReportMissing(const Key& key) const;

  const Node* node_;
  std::string path_;
  const std::vector<const Key*>* words_;
  Diagnostics* diagnostics_;
  Span where_;
};

}  // namespace natrix::config
