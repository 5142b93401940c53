// SPDX-License-Identifier: Apache-2.0
#include "userspace/model/address.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace natrix::model {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

Address Addr(const char* text) { return Address::Parse(text).value(); }
Prefix Net(const char* text) { return Prefix::Parse(text).value(); }

TEST(Address, Ipv4IsHeldV4Mapped) {
  const Address address = Addr("10.16.0.10");

  EXPECT_THAT(address.bytes.byte,
              ElementsAre(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 16, 0, 10));
  EXPECT_EQ(address.family(), Family::kIpv4);
}

TEST(Address, Ipv6IsHeldAsOnTheWire) {
  const Address address = Addr("fd00:10:16::a");

  EXPECT_THAT(address.bytes.byte,
              ElementsAre(0xfd, 0, 0, 0x10, 0, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa));
  EXPECT_EQ(address.family(), Family::kIpv6);
}

TEST(Address, IsWrittenInItsShortestForm) {
  EXPECT_EQ(Addr("10.16.0.10").ToString(), "10.16.0.10");
  EXPECT_EQ(Addr("FD00:0:0:0:0:0:0:1").ToString(), "fd00::1");
  EXPECT_EQ(Addr("::").ToString(), "::");
}

class NoAddress : public testing::TestWithParam<std::string> {};

TEST_P(NoAddress, IsRefused) { EXPECT_EQ(Address::Parse(GetParam()), std::nullopt); }

INSTANTIATE_TEST_SUITE_P(Address, NoAddress,
                         testing::Values("", "10.16.0", "10.16.0.256", "010.16.0.1", "10.16.0.1 ",
                                         " 10.16.0.1", "10.16.0.1/32", "fd00::1%eth0", "fd00:::1",
                                         "fd00", "node1", "::ffff:10.16.0.1", "::ffff:a10:1",
                                         std::string("10.16.0.1\0x", 11), std::string(60, '1')));

TEST(Prefix, IsReadInBothFamilies) {
  EXPECT_EQ(Net("10.16.0.0/16").length, 16);
  EXPECT_EQ(Net("fd00:10:16::/112").length, 112);
  EXPECT_EQ(Net("0.0.0.0/0").ToString(), "0.0.0.0/0");
  EXPECT_EQ(Net("::1/128").ToString(), "::1/128");
}

class NoPrefix : public testing::TestWithParam<std::string> {};

TEST_P(NoPrefix, IsRefused) { EXPECT_EQ(Prefix::Parse(GetParam()), std::nullopt); }

INSTANTIATE_TEST_SUITE_P(Prefix, NoPrefix,
                         testing::Values("10.16.0.0", "10.16.0.0/", "10.16.0.0/33", "10.16.0.0/-1",
                                         "10.16.0.0/+8", "10.16.0.0/08", "10.16.0.0/8x", "/8",
                                         "fd00::/129", "10.16.0.0/99999999999", "10.16.0.0/8/8"));

TEST(Prefix, KnowsItsHostBits) {
  EXPECT_FALSE(Net("10.16.0.0/16").HasHostBits());
  EXPECT_TRUE(Net("10.16.0.1/16").HasHostBits());
  EXPECT_EQ(Net("10.23.255.1/12").WithoutHostBits(), Net("10.16.0.0/12"));
  EXPECT_TRUE(Net("fd00::1/127").HasHostBits());
  EXPECT_EQ(Net("fd00::ffff/113").WithoutHostBits(), Net("fd00::8000/113"));
  EXPECT_FALSE(Net("fd00::1/128").HasHostBits());
}

TEST(Prefix, ContainsWhatItCovers) {
  EXPECT_TRUE(Net("10.16.0.0/16").Contains(Addr("10.16.255.255")));
  EXPECT_FALSE(Net("10.16.0.0/16").Contains(Addr("10.17.0.0")));
  EXPECT_TRUE(Net("10.16.0.0/16").Contains(Net("10.16.3.0/24")));
  EXPECT_TRUE(Net("10.16.0.0/16").Contains(Net("10.16.0.0/16")));
  EXPECT_FALSE(Net("10.16.0.0/16").Contains(Net("10.16.0.0/15")));
  EXPECT_TRUE(Net("fd00::/8").Contains(Addr("fdff::1")));
}

TEST(Prefix, NeverContainsTheOtherFamily) {
  EXPECT_FALSE(Net("::/0").Contains(Addr("10.16.0.1")));
  EXPECT_FALSE(Net("0.0.0.0/0").Contains(Addr("::1")));
  EXPECT_FALSE(Net("::/0").Contains(Net("0.0.0.0/0")));
}

TEST(Prefix, CountsBitsOfTheSixteenByteFormInMaps) {
  EXPECT_EQ(Net("10.16.0.0/16").ToAbi().length, 96u + 16u);
  EXPECT_EQ(Net("fd00::/112").ToAbi().length, 112u);
  EXPECT_THAT(Net("10.16.3.4/16").ToAbi().addr.byte,
              ElementsAreArray(Addr("10.16.0.0").bytes.byte));
}

TEST(Prefix, SortsBeforeThoseItContains) {
  std::vector<Prefix> list = {Net("10.16.1.0/24"), Net("10.17.0.0/16"), Net("10.16.0.0/16"),
                              Net("10.16.0.0/24")};

  std::ranges::sort(list);

  EXPECT_THAT(list, ElementsAre(Net("10.16.0.0/16"), Net("10.16.0.0/24"), Net("10.16.1.0/24"),
                                Net("10.17.0.0/16")));
}

TEST(Prefix, ComesBackFromTheMaps) {
  for (const char* text : {"10.16.0.0/16", "0.0.0.0/0", "172.18.0.4/32", "::/0", "fd00:10:16::/112",
                           "2001:db8::8/128"})
    EXPECT_EQ(Prefix::FromAbi(Prefix::Parse(text)->ToAbi()).ToString(), text);
}

TEST(Address, MulticastIsToldInBothFamilies) {
  for (const char* text : {"224.0.0.1", "239.255.255.255", "ff02::1"})
    EXPECT_TRUE(Address::Parse(text)->IsMulticast()) << text;
  for (const char* text : {"223.255.255.255", "240.0.0.1", "fe80::1", "10.0.0.1"})
    EXPECT_FALSE(Address::Parse(text)->IsMulticast()) << text;
}

TEST(Address, LoopbackAndUnspecifiedAreToldInBothFamilies) {
  for (const char* text : {"127.0.0.1", "127.255.0.9", "::1"})
    EXPECT_TRUE(Addr(text).IsLoopback()) << text;
  for (const char* text : {"126.255.255.255", "10.0.0.127", "::2", "fe80::1", "7f00::1"})
    EXPECT_FALSE(Addr(text).IsLoopback()) << text;
  for (const char* text : {"0.0.0.0", "::"}) EXPECT_TRUE(Addr(text).IsUnspecified()) << text;
  for (const char* text : {"0.0.0.1", "10.0.0.0", "::1", "fd00::"})
    EXPECT_FALSE(Addr(text).IsUnspecified()) << text;
}

TEST(Endpoint, IsWrittenWithBracketsAroundIpv6) {
  EXPECT_EQ((Endpoint{*Address::Parse("127.0.0.1"), 9188}).ToString(), "127.0.0.1:9188");
  EXPECT_EQ((Endpoint{*Address::Parse("::1"), 1}).ToString(), "[::1]:1");
}

}  // namespace
}  // namespace natrix::model
