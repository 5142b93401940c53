/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"

/* How many subnets there can be: CIDRs of Subnets that the node has rules for,
 * a dual-stack Subnet being two.
 */
#define NX_MAX_SUBNETS 4096

/* NAT policy rules of one subnet, at most, and the words their bits fill. */
#define NX_POLICY_RULES 1024
#define NX_POLICY_WORDS (NX_POLICY_RULES / 64)
#define NX_MAX_POLICY_ENTRIES 262144

/* One CIDR of one Subnet: maps `nx_subnet_left` and `nx_subnet_right`, hashes,
 * number (__u32, from 1) -> struct nx_subnet.
 *
 * The number is nx_net.subnet, and the index of its counters in nx_gateway.  A
 * CIDR keeps its number as long as it is configured, over restarts too.
 * Writer: natrixd.  Reader: bpf/stage/snat.h, new flows only.
 */
struct nx_subnet {
	char name[64]; /* of the Subnet; cut when it is longer */
	struct nx_prefix cidr;
	struct nx_addr egress; /* R11: what pods leave with; all 0: none */
	__u16 rules;	       /* of the NAT policy, of this family */
	__u8 drop_orphans;     /* 1: TCP without SYN and flow may not leave */
	__u8 no_short_cut;     /* 1: fastPath: off (maps/abi/way.h) */
	/* Bit i % 64 of word i / 64: rule i translates.  Else it forwards. */
	__u64 nat[NX_POLICY_WORDS];
};
NX_ABI_SIZE(nx_subnet, 232);
NX_ABI_FIELD(nx_subnet, egress, 84);
NX_ABI_FIELD(nx_subnet, rules, 100);
NX_ABI_FIELD(nx_subnet, nat, 104);

/* Which rules of a subnet's NAT policy one side of a packet matches: maps
 * `nx_policy_left` and `nx_policy_right`, tries, struct nx_policy_key ->
 * struct nx_policy.
 *
 * The rule that decides is the lowest bit that the source's and the
 * destination's entry share; userspace numbers the rules in the order that the
 * configuration asks for.  A trie answers with its longest prefix only, so
 * each holds the bits of all around it; the one of length 32 (no bit of the
 * address) those of rules that do not ask for this side.
 */
enum nx_policy_side {
	NX_POLICY_SRC,
	NX_POLICY_DST,
};

struct nx_policy_key {
	__u32 length; /* 32 + bits of the 16-byte address */
	__u32 list;   /* subnet's number * 2 + enum nx_policy_side */
	struct nx_addr addr;
};
NX_ABI_SIZE(nx_policy_key, 24);

struct nx_policy {
	__u64 rule[NX_POLICY_WORDS]; /* bits as in nx_subnet.nat */
};
NX_ABI_SIZE(nx_policy, 128);

/* What Kube-OVN's "ovn-subnet-gateway" rules of the FORWARD chain count: map
 * `nx_gateway`, percpu_array, index nx_subnet number * 2 + direction.
 *
 * Forwarded packets only, before SNAT and after un-SNAT.  Bytes from the IP
 * header.  A GSO packet is one packet with its length, as netfilter counts it;
 * `wire_*` count the packets that it becomes.
 */
enum nx_direction {
	NX_EGRESS,  /* from the subnet: -s CIDR */
	NX_INGRESS, /* to it: -d CIDR */
};

struct nx_gateway {
	__u64 packets;
	__u64 bytes;
	__u64 wire_packets;
	__u64 wire_bytes;
};
NX_ABI_SIZE(nx_gateway, 32);
