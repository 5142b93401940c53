// SPDX-License-Identifier: Apache-2.0
#include "userspace/compile/service_runs.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>

namespace natrix::compile {
namespace {

using model::Service;
using model::Shared;

// Parts in a run that is made anew.  Of ten thousand Services a change then copies some 150
// pointers to runs and one run: each is about as much.
constexpr std::size_t kRun = 64;

// A pointer says it at once, where the file's reader found that nothing changed.
bool Is(const Service* made_of, const Shared<Service>& wanted) {
  return made_of == &*wanted || *made_of == *wanted;
}

bool IsOf(const ServiceRun& run, const ServiceList& wanted, std::size_t from) {
  if (run.made_of.size() > wanted.size() - from) return false;
  for (std::size_t i = 0; i < run.made_of.size(); ++i)
    if (!Is(run.made_of[i], wanted[from + i])) return false;
  return true;
}

// Finds what was made of the Service of that name: at the place where it is looked for, or else
// by its name, of which an index is made when it is first needed.
class Before {
 public:
  // Of runs [first, last), whose first part has that place: the others are found already.
  Before(const RunList& runs, std::size_t first, std::size_t last, std::size_t place)
      : place_(place) {
    for (std::size_t i = first; i < last; ++i)
      for (const PartPointer& part : runs[i]->parts) parts_.push_back(&part);
  }

  const PartPointer* Find(const Service& service, std::size_t place) {
    if (const std::size_t at = place - place_; at < parts_.size())
      if (const Service& there = *(*parts_[at])->service;
          there.name == service.name && there.name_space == service.name_space)
        return parts_[at];
    if (index_.empty())
      for (const PartPointer* part : parts_) index_.emplace(NameOf((*part)->service), part);
    const auto found = index_.find(NameOf(service));
    return found == index_.end() ? nullptr : found->second;
  }

 private:
  static std::string NameOf(const Service& service) {
    return service.name_space + "/" + service.name;
  }

  const std::size_t place_;
  std::vector<const PartPointer*> parts_;
  std::unordered_map<std::string, const PartPointer*> index_;
};

// Runs [first, last) of before are to become the Services [begin, end); all others are shared.
struct Middle {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t parts = 0;  // of these runs

  Middle(const RunList& before, const ServiceList& wanted, bool reuse)
      : last(before.size()), end(wanted.size()) {
    while (reuse && first < last && IsOf(*before[first], wanted, begin))
      begin += before[first++]->parts.size();
    while (reuse && first < last && before[last - 1]->parts.size() <= end - begin &&
           IsOf(*before[last - 1], wanted, end - before[last - 1]->parts.size()))
      end -= before[--last]->parts.size();
    for (std::size_t i = first; i < last; ++i) parts += before[i]->parts.size();
  }
  bool in_step() const { return parts == end - begin; }

  // Where Services come and go all the time, runs would become ever shorter and more.
  void JoinNext(const RunList& before) {
    if (begin == end || end - begin >= kRun / 2 || last == before.size()) return;
    end += before[last]->parts.size();
    parts += before[last++]->parts.size();
  }
};

class Drafter {
 public:
  Drafter(const RunList& before, const ServiceList& wanted, bool reuse)
      : before_(before), wanted_(wanted), reuse_(reuse) {}

  Draft Make() {
    Middle middle(before_, wanted_, reuse_);
    if (!middle.in_step()) middle.JoinNext(before_);
    Before known(before_, middle.first, middle.last, middle.begin);
    for (std::size_t i = 0; i < middle.first; ++i) Share(before_[i]);
    if (middle.in_step())
      StepByStep(middle, known);
    else
      Anew(middle, known);
    for (std::size_t i = middle.last; i < before_.size(); ++i) Share(before_[i]);
    return std::move(draft_);
  }

 private:
  void Share(const RunPointer& run) {
    draft_.stretches.push_back({.run = run, .size = run->parts.size()});
  }

  void StepByStep(const Middle& middle, Before& known) {
    std::size_t from = middle.begin;
    for (std::size_t i = middle.first; i < middle.last; ++i) {
      const std::size_t size = before_[i]->parts.size();
      if (reuse_ && IsOf(*before_[i], wanted_, from))
        Share(before_[i]);
      else
        Fill(from, from + size, known);
      from += size;
    }
  }

  // In runs of nearly one length, so that each has room before it is split.
  void Anew(const Middle& middle, Before& known) {
    const std::size_t all = middle.end - middle.begin, runs = (all + kRun - 1) / kRun;
    for (std::size_t i = 0; i < runs; ++i)
      Fill(middle.begin + all * i / runs, middle.begin + all * (i + 1) / runs, known);
  }

  void Fill(std::size_t from, std::size_t to, Before& known) {
    draft_.stretches.push_back({.run = nullptr, .size = to - from});
    for (std::size_t i = from; i < to; ++i) {
      const PartPointer* had = known.Find(wanted_[i], i);
      Draft::Place& place = draft_.places.emplace_back();
      place.service = i;
      place.had = had == nullptr ? nullptr : had->get();
      if (reuse_ && had != nullptr && Is(&*(*had)->service, wanted_[i])) place.part = *had;
    }
  }

  const RunList& before_;
  const ServiceList& wanted_;
  const bool reuse_;
  Draft draft_;
};

}  // namespace

Draft DraftOf(const RunList& before, const ServiceList& wanted, bool reuse) {
  return Drafter(before, wanted, reuse).Make();
}

RunList Draft::Runs() const {
  RunList runs;
  runs.reserve(stretches.size());
  auto place = places.begin();
  for (const Stretch& stretch : stretches) {
    if (stretch.run) {
      runs.push_back(stretch.run);
      continue;
    }
    auto run = std::make_shared<ServiceRun>();
    for (std::size_t i = 0; i < stretch.size; ++i, ++place) {
      run->parts.push_back(place->part);
      run->made_of.push_back(&*place->part->service);
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

ChangedParts::ChangedParts(const RunList& before, const RunList& after) {
  // What both begin and end with they share; a run that moved between is in both lists, and falls
  // out again.
  const auto front = std::ranges::mismatch(before, after);
  auto old_end = before.end(), new_end = after.end();
  while (old_end != front.in1 && new_end != front.in2 && *std::prev(old_end) == *std::prev(new_end))
    --old_end, --new_end;
  const bool in_step = old_end - front.in1 == new_end - front.in2;
  std::vector<const ServicePart*> old, now;
  const auto gather = [](const RunPointer& run, std::vector<const ServicePart*>& parts) {
    for (const PartPointer& part : run->parts) parts.push_back(part.get());
  };
  for (auto one = front.in1, other = front.in2; one != old_end; ++one) {
    if (in_step && *one == *other++) continue;
    gather(*one, old);
  }
  for (auto one = front.in2, other = front.in1; one != new_end; ++one) {
    if (in_step && *one == *other++) continue;
    gather(*one, now);
  }
  std::ranges::sort(old);
  std::ranges::sort(now);
  std::ranges::set_difference(old, now, std::back_inserter(gone));
  std::ranges::set_difference(now, old, std::back_inserter(come));
}

}  // namespace natrix::compile
