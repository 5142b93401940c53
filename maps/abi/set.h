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
 * Writer: natrixd.  Readers: the stages, for packets without a flow.
 */
struct nx_net {
	__u32 subnets : 1;		  /* ovn40subnets */
	__u32 subnets_nat : 1;		  /* ovn40subnets-nat */
	__u32 subnets_distributed_gw : 1; /* ovn40subnets-distributed-gw */
	__u32 services : 1;		  /* ovn40services */
	__u32 other_node : 1;		  /* ovn40other-node */
	__u32 floating_ip : 1;		  /* a key of nx_fip, external side */
	__u32 subnets_nat_policy : 1;	  /* ovn40subnets-nat-policy */
	__u32 cluster : 1; /* clusterCIDR of kube-proxy's detector */
	__u32 bridged : 1; /* in a Docker bridge's subnet: nx_device.bridge */
	__u32 ip_masq : 1; /* a container's own address, with CNI's ipMasq */
	__u32 network : 7; /* number of a bridge's subnets, or of a container's
			    * network; 0: none
			    */
	__u32 masq_ipam_pools : 1;  /* cali40masq-ipam-pools */
	__u32 network_ip_pools : 1; /* cali40network-ip-pools */
	__u32 all_hosts_net : 1;    /* cali40all-hosts-net, if it is asked */
	__u32 guarded : 1;  /* a container's: only its bridge may send to it */
	__u32 metadata : 1; /* 169.254.169.254, if Calico has its DNAT */
	__u32 unused : 10;
	__u32 subnet; /* key of nx_subnet; 0: in no subnet of the node's */
};
NX_ABI_SIZE(nx_net, 8);

/* The named sets as users know them: X(enumerator, value, ipset name without
 * its ovn40/ovn60 prefix, ipset type).
 */
#define NX_SETS(X)                                                        \
	X(NX_SET_SUBNETS, 0, "subnets", "hash:net")                       \
	X(NX_SET_SUBNETS_NAT, 1, "subnets-nat", "hash:net")               \
	X(NX_SET_SUBNETS_DISTRIBUTED_GW, 2, "subnets-distributed-gw",     \
	  "hash:net")                                                     \
	X(NX_SET_SERVICES, 3, "services", "hash:net")                     \
	X(NX_SET_OTHER_NODE, 4, "other-node", "hash:net")                 \
	X(NX_SET_SUBNETS_NAT_POLICY, 5, "subnets-nat-policy", "hash:net") \
	X(NX_SET_LOCAL_POD_IP_NAT, 6, "local-pod-ip-nat", "hash:ip")

/* Sets of a NAT policy rule, one of each side: ovn40natpr-<rule>-src, -dst. */
#define NX_RULE_SETS(X)                         \
	X(NX_SET_RULE_SRC, 7, "natpr-", "-src") \
	X(NX_SET_RULE_DST, 8, "natpr-", "-dst")

/* Calico's: X(enumerator, value, ipset name without its cali40/cali60 prefix).
 * All are hash:net.  all-ipam-pools is what network-ip-pools was called before
 * pools of load balancers' addresses were left out of it.
 */
#define NX_CALI_SETS(X)                                \
	X(NX_SET_CALI_MASQ, 9, "masq-ipam-pools")      \
	X(NX_SET_CALI_ALL, 10, "all-ipam-pools")       \
	X(NX_SET_CALI_NETWORK, 11, "network-ip-pools") \
	X(NX_SET_CALI_HOSTS, 12, "all-hosts-net")

enum nx_set_id {
#define X(name, value, ipset, type) name = value,
	NX_SETS(X)
#undef X
#define X(name, value, before, after) name = value,
	NX_RULE_SETS(X)
#undef X
#define X(name, value, ipset) name = value,
		NX_CALI_SETS(X)
#undef X
			NX_SET_COUNT
};

/* Characters of a rule's ID (Kube-OVN's NatPolicyRuleIDLength). */
#define NX_RULE_ID 12

/* Members of the named sets, as written: map `nx_set`, lpm_trie.  `length`
 * counts the bits of `set` and `rule`, then those of the 16-byte address: an
 * IPv4 /n is NX_SET_KEY_BITS + 96 + n.  For looking, by `natrix sets` and
 * bpftool: the datapath asks nx_net_left or nx_net_right.
 */
struct nx_set_key {
	__u32 length;
	enum nx_set_id set;
	char rule[NX_RULE_ID]; /* of a rule's set, else all 0 */
	struct nx_addr addr;
};
NX_ABI_SIZE(nx_set_key, 36);
#define NX_SET_KEY_BITS (32 + 8 * NX_RULE_ID)

struct nx_set_member {
	__u32 length; /* the prefix length as the user wrote it */
};
NX_ABI_SIZE(nx_set_member, 4);

/* How many prefixes nx_net and nx_set hold, and entries nx_fip: two of a
 * floating IP, one of the metadata service.
 */
#define NX_MAX_PREFIXES 65536
#define NX_MAX_SET_MEMBERS 262144
#define NX_MAX_FIP 16385

/* Floating IPs (Calico's cali-fip-dnat and cali-fip-snat), and where OpenStack's
 * metadata is (cali-PREROUTING): maps `nx_fip_left` and `nx_fip_right`, hashes.
 */
enum nx_fip_side {
	NX_FIP_EXTERNAL, /* external -> internal */
	NX_FIP_INTERNAL, /* internal -> external, for a pod that calls itself */
	NX_FIP_METADATA, /* 169.254.169.254, TCP port 80 -> who serves it */
} __attribute__((packed));

struct nx_fip_key {
	struct nx_addr addr;
	enum nx_fip_side side;
	__u8 pad[3];
};
NX_ABI_SIZE(nx_fip_key, 20);

struct nx_fip {
	struct nx_addr addr;
	__be16 port; /* 0: the one that was called */
	__u8 pad[2];
};
NX_ABI_SIZE(nx_fip, 20);
