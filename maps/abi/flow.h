/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"
#include "maps/abi/reason.h"

enum nx_l4 {
	NX_L4_ICMP = 1,
	NX_L4_TCP = 6,
	NX_L4_UDP = 17,
	NX_L4_GRE = 47,
	NX_L4_ESP = 50,
	NX_L4_AH = 51,
	NX_L4_ICMPV6 = 58,
	NX_L4_SCTP = 132,
	NX_L4_UDPLITE = 136,
} __attribute__((packed));

/* Where a flow stands, and how long it may be silent there:
 * X(enumerator, value, default seconds, text).
 *
 * The TCP states and all times are those of nf_conntrack
 * (net/netfilter/nf_conntrack_proto_{tcp,udp,icmp,sctp,generic}.c); the value
 * indexes nx_config.timeout.
 */
#define NX_STATES(X)                                          \
	X(NX_STATE_OTHER, 0, 600, "other")                    \
	X(NX_STATE_TCP_SYN_SENT, 1, 120, "SYN_SENT")          \
	X(NX_STATE_TCP_SYN_RECV, 2, 60, "SYN_RECV")           \
	X(NX_STATE_TCP_ESTABLISHED, 3, 432000, "ESTABLISHED") \
	X(NX_STATE_TCP_FIN_WAIT, 4, 120, "FIN_WAIT")          \
	X(NX_STATE_TCP_CLOSE_WAIT, 5, 60, "CLOSE_WAIT")       \
	X(NX_STATE_TCP_LAST_ACK, 6, 30, "LAST_ACK")           \
	X(NX_STATE_TCP_TIME_WAIT, 7, 120, "TIME_WAIT")        \
	X(NX_STATE_TCP_CLOSE, 8, 10, "CLOSE")                 \
	X(NX_STATE_TCP_SYN_SENT2, 9, 120, "SYN_SENT2")        \
	X(NX_STATE_TCP_UNREPLIED, 10, 300, "UNREPLIED")       \
	X(NX_STATE_UDP, 11, 30, "UDP")                        \
	X(NX_STATE_UDP_STREAM, 12, 120, "UDP_STREAM")         \
	X(NX_STATE_ICMP, 13, 30, "ICMP")                      \
	X(NX_STATE_SCTP, 14, 30, "SCTP")                      \
	X(NX_STATE_SCTP_ESTABLISHED, 15, 210, "SCTP_ESTABLISHED")

enum nx_state {
#define X(name, value, seconds, text) name = value,
	NX_STATES(X)
#undef X
	NX_STATE_COUNT
} __attribute__((packed));
NX_ABI_ASSERT(sizeof(enum nx_state) == 1, "nx_state is one byte in a flow");

/* One direction of one connection, as it is seen on the wire where it enters
 * the node (original and reply), or between ingress and egress (middle).
 *
 * Ports are those of TCP, UDP, UDP-Lite and SCTP.  An ICMP query has its
 * identifier as the asking side's port, and (request type << 8) as the
 * answering side's, so that a reply's tuple is the request's, swapped.  Other
 * protocols have 0.
 */
struct nx_tuple {
	struct nx_addr src;
	struct nx_addr dst;
	__be16 sport;
	__be16 dport;
	enum nx_l4 proto;
	__u8 pad[3]; /* always 0: a hash key has no compiler padding */
};
NX_ABI_SIZE(nx_tuple, 40);
NX_ABI_FIELD(nx_tuple, proto, 36);

/* Which of a flow's entries this is.
 *
 * With A the client, V the address it spoke to, B the one that V was
 * translated to and N the source it was given:
 *
 *   original   A -> V   becomes   N -> B
 *   reply      B -> N   becomes   V -> A
 *   middle     B -> A   becomes   V -> N   only if V != B and N != A
 *
 * Destinations are rewritten at ingress and sources at egress, with the
 * kernel's routing between, so egress sees A -> B and B -> A.  One of the
 * four tuples, or its swap, is always a key: see bpf/stage/flow.h.
 */
enum nx_role {
	NX_ROLE_ORIGINAL,
	NX_ROLE_REPLY,
	NX_ROLE_MIDDLE,
} __attribute__((packed));

/* Bits.  No bit field: the kernel refuses BTF of a struct that has both bit
 * fields and one-byte enums.
 */
enum nx_flow_flags {
	NX_FLOW_UNDECIDED =
		1, /* from ingress DNAT until egress looked at SNAT */
	NX_FLOW_FIN_SEEN = 2,	/* one side has begun to close (both halves) */
	NX_FLOW_RESET_LAST = 4, /* this direction's RST was the last segment */
	NX_FLOW_MASQUERADE = 8, /* while undecided: marked for it at ingress */
} __attribute__((packed));

/* Whose counters count a flow's packets: numbers of nx_subnet, 0 for none, as
 * the FORWARD chain would find them.  Written as one word.
 */
struct nx_flow_subnets {
	__u16 from;
	__u16 to;
	/* They were found under, plus 1.  0: not yet, or they are asked for each
	 * packet because nx_net.guarded is the key's destination.
	 */
	__u32 generation;
} __attribute__((aligned(8)));
NX_ABI_SIZE(nx_flow_subnets, 8);

/* What becomes of a packet with the key's tuple.  Maps `nx_flow` (hash: flows
 * seen in both directions) and `nx_embryo` (lru_hash: the others),
 * struct nx_tuple -> struct nx_flow; in nx_flow with the way the direction's
 * packets go (maps/abi/way.h).
 *
 * Writers: bpf/lib/flow_table.h (all inserts and deletes), bpf/stage/flow.h
 * (seen, state), bpf/lib/clock.h (expiry), natrixd (deletes UDP flows whose
 * endpoint is gone: userspace/daemon/udp_release.h).  Readers: every hook, `natrix
 * flows`.
 *
 * The partner of an original or reply entry is keyed by this translation,
 * swapped.  A half that lost its partner (LRU) is made whole from that.
 */
struct nx_flow {
	struct nx_addr src; /* the source the packet leaves with */
	struct nx_addr dst; /* the destination it leaves with */
	__be16 sport;
	__be16 dport;
	__u32 seen; /* jiffies, low 32 bits, of this direction's last packet */
	__u32 born; /* jiffies, low 32 bits, of the flow's first packet */
	enum nx_state state;
	enum nx_role role;
	enum nx_reason why; /* the rule that decided */
	enum nx_flow_flags flags;
	struct nx_flow_subnets subnets;
};
NX_ABI_SIZE(nx_flow, 56);
NX_ABI_FIELD(nx_flow, seen, 36);
NX_ABI_FIELD(nx_flow, state, 44);

/* What the clock re-examines: array `nx_clock`, a ring with one slot per
 * established flow, filled when it is established.  `born` tells a flow from a
 * later one with the same tuple.
 *
 * Writers: bpf/lib/clock.h; many may add, one timer takes.  A slot is there
 * when its `turn` is one more than the turn that is asked for, which is
 * written last.
 */
struct nx_clock_slot {
	__u64 turn;
	struct nx_tuple original;
	__u32 born;
	__u8 pad[4];
};
NX_ABI_SIZE(nx_clock_slot, 56);

/* Where the ring's ends are: array `nx_clock_ring`, one element.  Turns since
 * the beginning; turn % the ring's size is the slot.
 */
struct nx_clock_ring {
	__u64 head; /* the next to be looked at */
	__u64 tail; /* the next to be added */
};
NX_ABI_SIZE(nx_clock_ring, 16);

/* Ports of a fragmented datagram, learnt from its first fragment: map
 * `nx_frag`, lru_hash.  RFC 791 section 3.2, RFC 8200 section 4.5.
 */
struct nx_frag_key {
	struct nx_addr src;
	struct nx_addr dst;
	__be32 id; /* IPv4: the 16-bit identification, zero-extended */
	enum nx_l4 proto;
	__u8 pad[3];
};
NX_ABI_SIZE(nx_frag_key, 40);

struct nx_frag {
	__be16 sport;
	__be16 dport;
	__u32 seen; /* jiffies, low 32 bits */
	__u32 mark; /* that the first fragment left with */
};
NX_ABI_SIZE(nx_frag, 12);
