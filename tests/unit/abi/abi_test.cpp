// SPDX-License-Identifier: Apache-2.0
#include <bpf/btf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>

#include "maps/abi/names.h"
#include "tests/unit/golden.h"

namespace natrix::test {
namespace {

struct FreeBtf {
  void operator()(btf* b) const { btf__free(b); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

std::string NameOf(const btf* b, __u32 offset) { return btf__name_by_offset(b, offset); }

// "struct nx_addr", "__be16", "__u8[3]"
std::string TypeText(const btf* b, __u32 id) {
  const btf_type* type = btf__type_by_id(b, id);
  const std::string name = NameOf(b, type->name_off);
  switch (btf_kind(type)) {
    case BTF_KIND_STRUCT:
      return "struct " + name;
    case BTF_KIND_ENUM:
      return "enum " + name;
    case BTF_KIND_ARRAY:
      return fmt::format("{}[{}]", TypeText(b, btf_array(type)->type), btf_array(type)->nelems);
    default:
      return name;
  }
}

std::string StructText(const btf* b, const btf_type* type) {
  std::string text = fmt::format("struct {}: {} bytes\n", NameOf(b, type->name_off), type->size);
  for (__u32 i = 0; i < btf_vlen(type); ++i) {
    const btf_member& member = btf_members(type)[i];
    const __u32 bits = btf_member_bitfield_size(type, i);
    const __u32 at = btf_member_bit_offset(type, i);
    text +=
        fmt::format("  {:>4}  {} {}\n",
                    bits == 0 ? fmt::format("{}", at / 8) : fmt::format("{}.{}", at / 8, at % 8),
                    TypeText(b, member.type),
                    NameOf(b, member.name_off) + (bits == 0 ? "" : fmt::format(" : {}", bits)));
  }
  return text;
}

std::string EnumText(const btf* b, const btf_type* type) {
  std::string text = fmt::format("enum {}: {} bytes\n", NameOf(b, type->name_off), type->size);
  for (__u32 i = 0; i < btf_vlen(type); ++i)
    text +=
        fmt::format("  {:>4}  {}\n", btf_enum(type)[i].val, NameOf(b, btf_enum(type)[i].name_off));
  return text;
}

// Every struct and enum whose name begins with nx_, by name.
std::map<std::string, std::string> Contract(const btf* b) {
  std::map<std::string, std::string> types;
  for (__u32 id = 1; id < btf__type_cnt(b); ++id) {
    const btf_type* type = btf__type_by_id(b, id);
    const std::string name = NameOf(b, type->name_off);
    if (!name.starts_with("nx_")) continue;
    if (btf_is_struct(type)) types[name] = StructText(b, type);
    if (btf_is_enum(type)) types[name] = EnumText(b, type);
  }
  return types;
}

Btf Witness() {
  Btf b(btf__parse(NATRIX_ABI_WITNESS, nullptr));
  EXPECT_TRUE(b) << "no BTF in " << NATRIX_ABI_WITNESS;
  return b;
}

TEST(Abi, LayoutIsTheReviewedOne) {
  const Btf b = Witness();
  ASSERT_TRUE(b);
  std::string text = fmt::format("NX_LAYOUT {}\n", NX_LAYOUT);
  for (const auto& [name, description] : Contract(b.get())) text += "\n" + description;

  ExpectGolden("tests/golden/abi.txt", text);
}

TEST(Abi, WitnessHasEveryTypeOfTheContract) {
  const Btf b = Witness();
  ASSERT_TRUE(b);
  const auto known = Contract(b.get());
  std::set<std::string> missing;

  for (const auto& file : std::filesystem::directory_iterator(NATRIX_SOURCE_DIR "/maps/abi")) {
    const std::string text = ReadSource("maps/abi/" + file.path().filename().string());
    static const std::regex kDefinition(R"(\n(?:struct|enum) (nx_\w+) \{)");
    for (std::sregex_iterator it(text.begin(), text.end(), kDefinition), end; it != end; ++it)
      if (!known.contains((*it)[1])) missing.insert((*it)[1]);
  }

  EXPECT_THAT(missing, testing::IsEmpty()) << "add them to abi_witness.bpf.c";
}

// Names that bpftool prints whole (BPF_OBJ_NAME_LEN is 16, with its NUL).
TEST(Abi, ProgramNamesAreNotCutShort) {
  for (const std::string name :
       {NX_PROG_POD_INGRESS, NX_PROG_UPLINK_INGRESS, NX_PROG_EGRESS, NX_PROG_CLOCK_START,
        NX_PROG_JIFFIES, NX_PROG_LOOPBACK_INGRESS, NX_PROG_CONNECT4, NX_PROG_CONNECT6,
        NX_PROG_SENDMSG4, NX_PROG_SENDMSG6, NX_PROG_RECVMSG4, NX_PROG_RECVMSG6, NX_PROG_PEERNAME4,
        NX_PROG_PEERNAME6, NX_PROG_BARE_POD_INGRESS, NX_PROG_BARE_UPLINK_INGRESS,
        NX_PROG_BARE_EGRESS})
    EXPECT_LT(name.size(), 16u) << name;
}

}  // namespace
}  // namespace natrix::test
