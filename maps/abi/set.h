/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"

/* Which well-known sets hold an address: maps `nx_net_left` and `nx_net_right`,
 * tries, struct nx_prefix -> struct nx_net.
 *
 * A trie answers with its longest prefix only, so userspace gives a nested
 * prefix the membership of all prefixes around it, and one lookup answers
 * every set question about an address.  No entry: in no set.
 *
 * Writer: natrixd.  Readers: bpf/stage/{mark,dnat,snat}.h.
 */
struct nx_net {
	__u32 subnets : 1;		  /* ovn40subnets */
	__u32 subnets_nat : 1;		  /* ovn40subnets-nat */
	__u32 subnets_distributed_gw : 1; /* ovn40subnets-distributed-gw */
	__u32 services : 1;		  /* ovn40services */
	__u32 other_node : 1;		  /* ovn40other-node */
	__u32 floating_ip : 1;		  /* a key of nx_fip, external side */
	__u32 unused : 26;
};
NX_ABI_SIZE(nx_net, 4);

/* The named sets as users know them: X(enumerator, value, ipset name without
 * its ovn40/ovn60 prefix, ipset type).
 */
#define NX_SETS(X)                                                    \
	X(NX_SET_SUBNETS, 0, "subnets", "hash:net")                   \
	X(NX_SET_SUBNETS_NAT, 1, "subnets-nat", "hash:net")           \
	X(NX_SET_SUBNETS_DISTRIBUTED_GW, 2, "subnets-distributed-gw", \
	  "hash:net")                                                 \
	X(NX_SET_SERVICES, 3, "services", "hash:net")                 \
	X(NX_SET_OTHER_NODE, 4, "other-node", "hash:net")

enum nx_set_id {
#define X(name, value, ipset, type) name = value,
	NX_SETS(X)
#undef X
	NX_SET_COUNT
};

/* Members of the named sets, as written: map `nx_set`, lpm_trie.  `length`
 * counts the 32 bits of `set`, then those of the 16-byte address: an IPv4 /n
 * is 32 + 96 + n.  For looking, by `natrix sets` and bpftool: the datapath
 * asks nx_net_left or nx_net_right.
 */
struct nx_set_key {
	__u32 length;
	enum nx_set_id set;
	struct nx_addr addr;
};
NX_ABI_SIZE(nx_set_key, 24);

struct nx_set_member {
	__u32 length; /* the prefix length as the user wrote it */
};
NX_ABI_SIZE(nx_set_member, 4);

/* How many prefixes nx_net and nx_set hold each, and entries nx_fip. */
#define NX_MAX_PREFIXES 65536
#define NX_MAX_FIP 16384

/* Floating IPs (Calico's cali-fip-dnat and cali-fip-snat): maps `nx_fip_left`
 * and `nx_fip_right`, hashes.
 */
enum nx_fip_side {
	NX_FIP_EXTERNAL, /* external -> internal */
	NX_FIP_INTERNAL, /* internal -> external, for a pod that calls itself */
} __attribute__((packed));

struct nx_fip_key {
	struct nx_addr addr;
	enum nx_fip_side side;
	__u8 pad[3];
};
NX_ABI_SIZE(nx_fip_key, 20);

struct nx_fip {
	struct nx_addr addr;
};
NX_ABI_SIZE(nx_fip, 16);
