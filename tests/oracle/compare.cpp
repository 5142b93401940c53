// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/compare.h"

#include <fmt/core.h>

#include <algorithm>

#include "tests/support/checksum.h"

namespace natrix::oracle {
namespace {

using support::Checksum;
using support::Checksums;
using support::Dissect;
using support::Layers;
using support::RewriteField;
using support::VerifyChecksums;
using support::Word;

// A 16-bit field that may have been chosen at random, and the packet it belongs to.
struct Field {
  std::size_t at;
  std::size_t packet;
  bool outer_source;  // the source of the packet itself: the only place where a new one appears
  bool echo;
};

void AddFields(const Layers& layers, bool outer, std::vector<Field>& fields) {
  if (layers.sport_at) fields.push_back({*layers.sport_at, layers.ip, outer, false});
  if (layers.dport_at) fields.push_back({*layers.dport_at, layers.ip, false, false});
  // A reply's identifier is the asking side's: not a source.
  const bool source = outer && !layers.echo_reply;
  if (layers.echo_id_at) fields.push_back({*layers.echo_id_at, layers.ip, source, true});
}

std::vector<Field> FieldsOf(const Bytes& frame) {
  std::vector<Field> fields;
  const std::optional<Layers> layers = Dissect(frame);
  if (!layers) return fields;
  AddFields(*layers, true, fields);
  if (!layers->inner) return fields;
  if (const std::optional<Layers> inner = Dissect(frame, *layers->inner))
    AddFields(*inner, false, fields);
  return fields;
}

int ClassOf(std::uint16_t port) { return port < 512 ? 0 : port < 1024 ? 1 : 2; }

bool WasSent(const std::vector<Bytes>& sent, std::uint16_t value) {
  return std::ranges::any_of(sent, [&](const Bytes& frame) { return SourcePort(frame) == value; });
}

bool SourceWasSent(const std::vector<Bytes>& sent, const std::string& src) {
  return std::ranges::any_of(sent, [&](const Bytes& frame) {
    const std::optional<Layers> layers = Dissect(frame);
    return layers && layers->src == src;
  });
}

// One left and one right frame, being compared.
class Pair {
 public:
  Pair(const Seen& left, const Seen& right, const Sent& sent, const Aliases& aliases)
      : left_(left.frame), right_(right.frame), sent_(sent), aliases_(aliases) {
    if (left.place != right.place) {
      trouble_ = "places";
    } else if (left.mark != right.mark) {
      trouble_ = "marks";
    } else {
      Compare();
    }
  }

  const std::string& trouble() const { return trouble_; }
  const Aliases& found() const { return found_; }

 private:
  void Compare() {
    const bool refusals = IsRefusal(left_, sent_.left) && IsRefusal(right_, sent_.right);
    if (refusals ? RightIsBad() : !CompareChecksums()) return;
    MergeFields();
    if (!trouble_.empty()) return;
    if (refusals)
      ShortenRefusals();
    else
      HideWhatTheKernelMakesUp();
    if (left_.size() != right_.size()) {
      trouble_ = fmt::format("lengths {} and {}", left_.size(), right_.size());
      return;
    }
    const auto [l, r] = std::ranges::mismatch(left_, right_);
    if (l != left_.end())
      trouble_ = fmt::format("byte {}: {:#04x} and {:#04x}", l - left_.begin(), *l, *r);
  }

  bool RightIsBad() {
    const Checksums left = VerifyChecksums(left_);
    const Checksums right = VerifyChecksums(right_);
    if (right.AnyBad() && !left.AnyBad())
      trouble_ = "checksums: " + ToString(left) + " and " + ToString(right);
    return !trouble_.empty();
  }

  bool CompareChecksums() {
    const Checksums left = VerifyChecksums(left_);
    const Checksums right = VerifyChecksums(right_);
    if (!RightIsBad() && left != right)
      trouble_ = "states of checksums: " + ToString(left) + " and " + ToString(right);
    return trouble_.empty();
  }

  // Whether `l` and `r` may be two random choices for one flow's new source.
  bool MayDiffer(const Field& field, std::uint16_t l, std::uint16_t r) const {
    const std::optional<Layers> layers = Dissect(left_);
    if (!field.outer_source || !layers) return false;
    if (layers->protocol == support::kSctp) return true;
    if (!field.echo && ClassOf(l) != ClassOf(r)) return false;
    if (!SourceWasSent(sent_.left, layers->src)) return true;  // the address was translated
    const bool left_kept = WasSent(sent_.left, l);
    const bool right_kept = WasSent(sent_.right, r);
    // Among few ports chance finds the old one now and then.
    return ClassOf(l) < 2 ? !left_kept || !right_kept : !left_kept && !right_kept;
  }

  // Makes right's frame speak of left's ports.
  void MergeFields() {
    const std::vector<Field> fields = FieldsOf(left_);
    const std::vector<Field> others = FieldsOf(right_);
    if (fields.size() != others.size()) {
      trouble_ = "kinds of packets";
      return;
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::uint16_t l = Word(left_, fields[i].at);
      const std::uint16_t r = Word(right_, others[i].at);
      const bool known = aliases_.contains({l, r}) || found_.contains({l, r});
      if (l == r && !known) continue;
      if (!known && !MayDiffer(fields[i], l, r)) {
        trouble_ = fmt::format("ports {} and {}", l, r);
        return;
      }
      found_.insert({l, r});
      RewriteField(right_, others[i].packet, others[i].at, l);
    }
  }

  void HideWhatTheKernelMakesUp() {
    const std::optional<Layers> l = Dissect(left_);
    const std::optional<Layers> r = Dissect(right_);
    if (!l || !r || l->v6 != r->v6) return;
    for (auto* side : {&left_, &right_}) {
      const Layers& layers = side == &left_ ? *l : *r;
      HideIdentification(*side, layers);
      // Rewriting a CRC by difference is not done, and it was verified above.
      if (layers.protocol == support::kSctp && layers.checksum_at)
        support::PutLong(*side, *layers.checksum_at, 0);
      if (layers.inner) HideInQuotation(*side, layers);
    }
  }

  // The quoted checksum of SCTP cannot be mended by difference, nor need the quoted identification
  // of a fragment be one that was sent; the outer checksum, verified above, covers both.
  static void HideInQuotation(Bytes& frame, const Layers& layers) {
    const std::optional<Layers> inner = Dissect(frame, *layers.inner);
    if (!inner) return;
    const bool made_up = inner->v6 && inner->fragment;
    if (made_up) support::PutLong(frame, inner->l4 - 4, 0);
    const bool sctp = inner->protocol == support::kSctp;
    if (sctp && inner->checksum_at) support::PutLong(frame, *inner->checksum_at, 0);
    if (made_up || sctp) support::PutWord(frame, layers.l4 + 2, 0);
  }

  // Port unreachable, about a packet of this very step: the node itself refuses it.
  static bool IsRefusal(const Bytes& frame, const std::vector<Bytes>& sent) {
    const std::optional<Layers> error = Dissect(frame);
    const std::optional<Layers> quoted =
        error && error->inner ? Dissect(frame, *error->inner) : std::nullopt;
    if (!quoted || frame[error->l4] != (error->v6 ? 1 : 3) ||
        frame[error->l4 + 1] != (error->v6 ? 4 : 3))
      return false;
    return std::ranges::any_of(sent, [&](const Bytes& one) {
      const std::optional<Layers> s = Dissect(one);
      return s && s->src == quoted->src && s->dst == quoted->dst && s->protocol == quoted->protocol;
    });
  }

  // How much is quoted is their own affair, and whether the hop was counted before.  What is left
  // is both headers, the quoted one up to its ports, under checksums that were right.
  void ShortenRefusals() {
    for (Bytes* frame : {&left_, &right_}) {
      const Layers error = *Dissect(*frame);
      const Layers quoted = *Dissect(*frame, *error.inner);
      frame->resize(std::min(frame->size(), quoted.l4 + 4));
      const std::size_t hops = quoted.ip + (quoted.v6 ? 7 : 8);
      (*frame)[hops] = 0;
      support::PutWord(*frame, error.ip + (error.v6 ? 4 : 2), 0);
      support::PutWord(*frame, error.l4 + 2, 0);
      if (error.v6) {
        HideFlowLabel(*frame, error);
        continue;
      }
      for (const std::size_t at : {error.ip + 4, error.ip + 10, quoted.ip + 10})
        support::PutWord(*frame, at, 0);
    }
  }

  // An ICMP error or an echo reply of the node's may by chance have the identification of the
  // packet that it is about.
  static bool IsOneKind(const Layers& a, const Layers& b) {
    return a.protocol == b.protocol && a.echo_reply == b.echo_reply &&
           a.inner.has_value() == b.inner.has_value();
  }

  // Tests send none: one that is there is the kernel's own.
  static void HideFlowLabel(Bytes& frame, const Layers& layers) {
    support::PutWord(frame, layers.ip, Word(frame, layers.ip) & 0xfff0);
    support::PutWord(frame, layers.ip + 2, 0);
  }

  void HideIdentification(Bytes& frame, const Layers& layers) const {
    if (layers.v6) {
      // Refragmenting makes a new one.  Its header is the last extension header.
      if (layers.fragment) support::PutLong(frame, layers.l4 - 4, 0);
      HideFlowLabel(frame, layers);
      return;
    }
    const bool forwarded = std::ranges::any_of(sent_.left, [&](const Bytes& sent) {
      const std::optional<Layers> s = Dissect(sent);
      return s && IsOneKind(*s, layers) && s->fragment_id == layers.fragment_id;
    });
    if (forwarded) return;
    support::PutWord(frame, layers.ip + 4, 0);
    support::PutWord(frame, layers.ip + 10, 0);
  }

  Bytes left_;
  Bytes right_;
  const Sent& sent_;
  const Aliases& aliases_;
  Aliases found_;
  std::string trouble_;
};

}  // namespace

std::uint16_t SourcePort(const Bytes& frame) {
  for (const Field& field : FieldsOf(frame))
    if (field.outer_source) return Word(frame, field.at);
  return 0;
}

std::string Describe(const Seen& seen) {
  const std::string mark = seen.mark ? fmt::format("{:#x}", *seen.mark) : std::string("?");
  return fmt::format("{} sees {} mark {}", NameOf(seen.place), support::Describe(seen.frame), mark);
}

std::string Describe(const std::vector<Seen>& seen) {
  std::string text;
  for (const Seen& one : seen) text += (text.empty() ? "" : "; ") + Describe(one);
  return text.empty() ? "nothing" : text;
}

std::optional<std::string> Difference(const std::vector<Seen>& left, const std::vector<Seen>& right,
                                      const Sent& sent, Aliases& aliases) {
  if (left.size() != right.size())
    return fmt::format("{} and {} packets arrive", left.size(), right.size());
  std::vector<bool> taken(right.size());
  for (const Seen& one : left) {
    std::string nearest;
    bool matched = false;
    for (std::size_t i = 0; i < right.size() && !matched; ++i) {
      if (taken[i]) continue;
      const Pair pair(one, right[i], sent, aliases);
      if (nearest.empty()) nearest = pair.trouble();
      if (!pair.trouble().empty()) continue;
      taken[i] = matched = true;
      aliases.insert(pair.found().begin(), pair.found().end());
    }
    if (!matched) return nearest;
  }
  return std::nullopt;
}

}  // namespace natrix::oracle
