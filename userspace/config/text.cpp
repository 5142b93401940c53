// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/text.h"

#include <fmt/format.h>

#include <string_view>

namespace natrix::config {
namespace {

// Bytes of the UTF-8 sequence at `at` (RFC 3629, table of section 4); 0 when it is not valid.
std::size_t SequenceLength(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool overlong = lead == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = lead == 0xed && byte(1) > 0x9f;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool overlong = lead == 0xf0 && byte(1) < 0x90;
    const bool beyond = lead == 0xf4 && byte(1) > 0x8f;
    return continues(1) && continues(2) && continues(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f;
}

}  // namespace

bool CheckText(const Source& source, Diagnostics& diagnostics) {
  const std::string_view text = source.text();
  if (text.size() > kMaxBytes) {
    diagnostics.Error(
        {0, 0}, fmt::format("the file is longer than {} bytes", kMaxBytes),
        "is it the right file? 10,000 Services with 10 endpoints each are a quarter of that");
    return false;
  }
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceLength(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0) {
      diagnostics.Error({i, i + 1}, fmt::format("byte 0x{:02x} is not UTF-8 text", byte),
                        "save the file as UTF-8, or is it the right file?");
      return false;
    }
    if (IsControl(text[i])) {
      diagnostics.Error({i, i + 1},
                        fmt::format("control character 0x{:02x}: this is no text", byte),
                        "is it the right file?");
      return false;
    }
    if (text[i] == '%' && (i == 0 || text[i - 1] == '\n')) {
      diagnostics.Error({i, i + 1}, "a YAML directive is not allowed here", "remove this line");
      return false;
    }
    i += length;
  }
  return true;
}

}  // namespace natrix::config
