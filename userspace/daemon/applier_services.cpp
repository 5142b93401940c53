// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "userspace/daemon/applier.h"

// Applier: the maps of Services, whose parts are found by their place.
namespace natrix::daemon {
namespace {

template <typename View, typename K, typename V>
Result<> ReadPairs(const View& view, compile::Pairs<K, V>& pairs) {
  return view.ForEach([&](const K& key, const V& value) { pairs.emplace_back(key, value); });
}

template <typename View, typename K, typename V>
Result<> WriteEdits(const View& view, const compile::Edits<K, V>& edits, ApplyReport& report) {
  if (!edits.erase.empty())
    if (auto done = view.EraseAll(edits.erase); !done) return done;
  if (!edits.write.empty())
    if (auto done = view.UpsertAll(edits.write); !done) return done;
  report.erased += edits.erase.size();
  report.written += edits.write.size();
  return {};
}

}  // namespace

Result<> Applier::ReadServices(std::uint32_t side) {
  compile::ServiceEntries read;
  if (auto done = ReadPairs(maps_.service[side], read.service); !done) return done;
  if (auto done = ReadPairs(maps_.backend[side], read.backend); !done) return done;
  if (auto done = ReadPairs(maps_.table[side], read.table); !done) return done;
  if (auto done = ReadPairs(maps_.source[side], read.source); !done) return done;
  auto services = std::make_shared<compile::Services>();
  services->rest = std::make_shared<const compile::ServiceEntries>(std::move(read));
  sides_[side].services = std::move(services);
  return {};
}

// No packet asks meanwhile: erasing first leaves room for what is new.
Result<> Applier::WriteServices(std::uint32_t side, const compile::Wanted& wanted,
                                ApplyReport& report) {
  std::shared_ptr<const compile::Services>& held = sides_[side].services;
  const compile::ServiceEdits edits = compile::Diff(*held, *wanted.services);
  if (auto done = WriteEdits(maps_.service[side], edits.service, report); !done) return done;
  if (auto done = WriteEdits(maps_.backend[side], edits.backend, report); !done) return done;
  if (auto done = WriteEdits(maps_.table[side], edits.table, report); !done) return done;
  if (auto done = WriteEdits(maps_.source[side], edits.source, report); !done) return done;
  held = wanted.services;
  return {};
}

// A number is given away again only when no other is left, and its name may then be the old one
// for a moment.
Result<> Applier::WriteServiceNames(const compile::Wanted& wanted, ApplyReport& report) {
  compile::Edits<std::uint32_t, nx_service_name> edits;
  if (named_) {
    edits = compile::DiffOfNames(*named_, *wanted.services);
  } else {
    compile::ServiceNames held;
    auto done = maps_.service_name.ForEach(
        [&](std::uint32_t number, const nx_service_name& name) { held.emplace(number, name); });
    if (!done) return done;
    edits = compile::Diff(held, compile::NamesOf(*wanted.services));
  }
  if (auto done = WriteEdits(maps_.service_name, edits, report); !done) return done;
  named_ = wanted.services;
  return {};
}

}  // namespace natrix::daemon
