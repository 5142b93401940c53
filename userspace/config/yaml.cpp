// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/yaml.h"

#include <fmt/format.h>
#include <libfyaml.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>

namespace natrix::config {
namespace {

struct DestroyDiag {
  void operator()(fy_diag* diag) const { fy_diag_destroy(diag); }
};
struct DestroyParser {
  void operator()(fy_parser* parser) const { fy_parser_destroy(parser); }
};
struct FreeEvent {
  fy_parser* parser = nullptr;
  void operator()(fy_event* event) const { fy_parser_event_free(parser, event); }
};
using Event = std::unique_ptr<fy_event, FreeEvent>;

// Builds the tree from libfyaml's events and not from its documents: those resolve aliases and
// stop at the first key written twice, and their depth is the stack's.
class Builder {
 public:
  Builder(const Source& source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics) {
    fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    // Some messages go round the collected ones, to stderr by default.
    diag_config.fp = nullptr;
    diag_config.output_fn = [](fy_diag*, void*, const char*, std::size_t) {};
    diag_.reset(fy_diag_create(&diag_config));
    fy_diag_set_collect_errors(diag_.get(), true);
    fy_parse_cfg config{};
    config.flags = static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_COLLECT_DIAG);
    config.diag = diag_.get();
    parser_.reset(fy_parser_create(&config));
    fy_parser_set_string(parser_.get(), source.text().data(), source.text().size());
  }

  std::optional<Node> Document();

 private:
  Event Next() { return Event(fy_parser_parse(parser_.get()), FreeEvent{parser_.get()}); }
  // What follows, as a value `depth` levels down; nullopt ends the parsing.
  std::optional<Node> Value(const Event& event, std::size_t depth);
  bool FillList(Node& list, std::size_t depth);
  bool FillMap(Node& map, std::size_t depth);
  std::optional<Entry> Key(const Event& event);
  std::optional<Node> Scalar(const fy_event& event);
  void RefuseDecoration(const fy_event& event);
  void ReportSyntax();
  Span SpanOf(fy_token* token) const;
  Span StartOf(const Event& event) const;

  const Source& source_;
  Diagnostics& diagnostics_;
  std::unique_ptr<fy_diag, DestroyDiag> diag_;
  std::unique_ptr<fy_parser, DestroyParser> parser_;
  std::size_t last_ = 0;  // end of what was read last: where a missing value is missing
};

std::optional<Node> Builder::Document() {
  std::optional<Node> root;
  while (const Event event = Next()) {
    switch (event->type) {
      case FYET_STREAM_START:
      case FYET_DOCUMENT_END:
        break;
      case FYET_DOCUMENT_START:
        if (!root) break;
        diagnostics_.Error(SpanOf(event->document_start.document_start),
                           "a second document starts here",
                           "one file holds one configuration: remove this line, or split the file");
        return std::nullopt;
      case FYET_STREAM_END:
        if (!root && !fy_diag_got_error(diag_.get()))
          diagnostics_.Error({0, 0}, "the file holds no configuration",
                             "start with `node:`; docs/examples/kube-ovn.yaml is a whole one");
        return root;
      default:
        root = Value(event, 1);
        if (!root) {
          ReportSyntax();
          return std::nullopt;
        }
    }
  }
  ReportSyntax();
  return std::nullopt;
}

std::optional<Node> Builder::Value(const Event& event, std::size_t depth) {
  if (!event) return std::nullopt;
  if (depth > kMaxDepth) {
    diagnostics_.Error(StartOf(event), fmt::format("nested more than {} levels deep", kMaxDepth));
    return std::nullopt;
  }
  RefuseDecoration(*event);
  Node node;
  node.where = StartOf(event);
  switch (event->type) {
    case FYET_SCALAR:
      return Scalar(*event);
    case FYET_SEQUENCE_START:
      node.kind = Node::Kind::kList;
      return FillList(node, depth) ? std::optional(std::move(node)) : std::nullopt;
    case FYET_MAPPING_START:
      node.kind = Node::Kind::kMap;
      return FillMap(node, depth) ? std::optional(std::move(node)) : std::nullopt;
    case FYET_ALIAS: {
      node.where = SpanOf(event->alias.anchor);
      node.broken = true;
      diagnostics_.Error(node.where, "an alias is not allowed here",
                         "write the value itself: a configuration has no anchors or aliases");
      return node;
    }
    default:
      return std::nullopt;
  }
}

bool Builder::FillList(Node& list, std::size_t depth) {
  for (Event event = Next(); event; event = Next()) {
    if (event->type == FYET_SEQUENCE_END) {
      list.where.end = std::max(last_, list.where.begin);
      return true;
    }
    std::optional<Node> item = Value(event, depth + 1);
    if (!item) return false;
    list.items.push_back(*std::move(item));
  }
  return false;
}

bool Builder::FillMap(Node& map, std::size_t depth) {
  std::unordered_map<std::string, Span> seen;
  for (Event event = Next(); event; event = Next()) {
    if (event->type == FYET_MAPPING_END) {
      map.where.end = std::max(last_, map.where.begin);
      return true;
    }
    std::optional<Entry> entry = Key(event);
    if (!entry) return false;
    std::optional<Node> value = Value(Next(), depth + 1);
    if (!value) return false;
    const auto [first, is_new] = seen.emplace(entry->key, entry->key_where);
    if (!is_new) {
      diagnostics_.Error(
          entry->key_where, fmt::format("key \"{}\" is written twice", entry->key),
          fmt::format("the first one is at {}", diagnostics_.PlaceOf(first->second)));
      continue;
    }
    entry->value = *std::move(value);
    if (entry->value.IsNull() && !entry->value.quoted && entry->value.text.empty())
      entry->value.where = entry->key_where;
    map.entries.push_back(*std::move(entry));
  }
  return false;
}

std::optional<Entry> Builder::Key(const Event& event) {
  if (event->type != FYET_SCALAR) {
    diagnostics_.Error(StartOf(event), "a key must be a plain word");
    return std::nullopt;
  }
  RefuseDecoration(*event);
  std::optional<Node> key = Scalar(*event);
  if (!key) return std::nullopt;
  return Entry{std::move(key->text), key->where, {}};
}

std::optional<Node> Builder::Scalar(const fy_event& event) {
  Node node;
  node.where = {last_, last_};
  if (event.scalar.value == nullptr) return node;
  std::size_t size = 0;
  const char* text = fy_token_get_text(event.scalar.value, &size);
  if (text == nullptr) return std::nullopt;
  node.text.assign(text, size);
  node.quoted = fy_token_scalar_style(event.scalar.value) != FYSS_PLAIN;
  node.where = SpanOf(event.scalar.value);
  // The token of a quoted scalar is what stands between the quotes.
  const std::string& all = source_.text();
  const auto is_quote = [&](std::size_t i) {
    return i < all.size() && (all[i] == '"' || all[i] == '\'');
  };
  if (node.quoted && node.where.begin > 0 && is_quote(node.where.begin - 1)) {
    --node.where.begin;
    if (is_quote(node.where.end)) ++node.where.end;
  }
  last_ = node.where.end;
  return node;
}

// Anchors are half of an alias, and a tag would have us read a value as something else than it
// looks like.
void Builder::RefuseDecoration(const fy_event& event) {
  fy_token* anchor = nullptr;
  fy_token* tag = nullptr;
  if (event.type == FYET_SCALAR) {
    anchor = event.scalar.anchor;
    tag = event.scalar.tag;
  } else if (event.type == FYET_SEQUENCE_START) {
    anchor = event.sequence_start.anchor;
    tag = event.sequence_start.tag;
  } else if (event.type == FYET_MAPPING_START) {
    anchor = event.mapping_start.anchor;
    tag = event.mapping_start.tag;
  }
  if (anchor != nullptr)
    diagnostics_.Error(SpanOf(anchor), "an anchor is not allowed here",
                       "remove it: a configuration has no anchors or aliases");
  if (tag != nullptr)
    diagnostics_.Error(SpanOf(tag), "a tag is not allowed here",
                       "remove it: every word has one type");
}

// libfyaml's words, where they speak of its inside and not of the file.
std::string SyntaxMessage(const char* message) {
  const std::string_view text = message == nullptr ? "this is not YAML" : message;
  if (text == "did not find expected node content") return "a value is missing before this";
  if (text == "could not find expected ':'") return "a key without its ':'";
  if (text.starts_with("invalid tab as indendation") ||
      text == "tab character may not be used as indentation")
    return "indentation is written with spaces, not with a tab";
  return std::string(text);
}

// Does nothing when the reason for the end was not libfyaml's.
void Builder::ReportSyntax() {
  const std::size_t before = diagnostics_.count();
  void* at = nullptr;
  while (const fy_diag_error* error = fy_diag_errors_iterate(diag_.get(), &at)) {
    if (error->type < FYET_ERROR) continue;
    // libfyaml counts lines and columns from 1 here, and columns in characters.
    const std::string_view line = source_.Line(error->line);
    std::size_t offset = 0;
    for (int column = 1; column < error->column && offset < line.size(); ++column) do
        ++offset;
      while (offset < line.size() && (static_cast<unsigned char>(line[offset]) & 0xc0) == 0x80);
    const std::size_t begin = source_.LineStart(error->line) + offset;
    diagnostics_.Error({begin, begin + 1}, SyntaxMessage(error->msg));
  }
  // It knows no words for some mistakes, a block scalar's header among them.
  if (diagnostics_.count() == before && fy_diag_got_error(diag_.get()))
    diagnostics_.Error({last_, last_}, "what follows here is not YAML");
}

Span Builder::SpanOf(fy_token* token) const {
  const fy_mark* begin = token == nullptr ? nullptr : fy_token_start_mark(token);
  const fy_mark* end = token == nullptr ? nullptr : fy_token_end_mark(token);
  if (begin == nullptr || end == nullptr) return {last_, last_};
  // An anchor's or alias's token is its name, without the sign before it.
  const std::size_t sign = begin->input_pos - 1;
  const bool signed_name =
      begin->input_pos > 0 && (source_.text()[sign] == '&' || source_.text()[sign] == '*');
  return {signed_name ? sign : begin->input_pos, end->input_pos};
}

Span Builder::StartOf(const Event& event) const {
  const fy_mark* begin = fy_event_start_mark(event.get());
  if (begin == nullptr) return {last_, last_};
  return {begin->input_pos, begin->input_pos + 1};
}

}  // namespace

bool Node::IsNull() const {
  if (kind != Kind::kScalar || quoted || broken) return false;
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

const Entry* Node::Find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &*found;
}

std::optional<Node> ParseYaml(const Source& source, Diagnostics& diagnostics) {
  return Builder(source, diagnostics).Document();
}

}  // namespace natrix::config
