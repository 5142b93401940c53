/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/flow.h"

/* The short cut: what egress saw of a packet that the kernel routed, so that
 * ingress can send the flow's later ones there itself.
 */

/* Whether a way that was learnt may still be taken: map `nx_epoch`, array of
 * one.
 *
 * A way is good as long as the number is the one under which its packet was
 * routed.  Writer: natrixd, a new number with every change of the node's
 * routes, rules, links, addresses or neighbours' link-layer addresses; and
 * `until`, again and again: nobody takes a short cut when nobody watches.
 */
#define NX_EPOCH_BUSY 0xffffffff /* in a way: somebody is writing it */

struct nx_epoch {
	__u32 number; /* never 0, never smaller: ways outlive natrixd */
	__u32 until;  /* jiffies, low 32 bits; nearer than `refresh` */
	/* Jiffies.  A way that was learnt longer ago is asked of the kernel
	 * again, by one packet: so the neighbour's entry stays in use, and the
	 * kernel finds out when it is dead.
	 */
	__u32 refresh;
	__u32 enabled; /* 0: fastPath is off */
};
NX_ABI_SIZE(nx_epoch, 16);

/* Why a packet of an established flow went through the stack:
 * X(enumerator, value, text).  Values index `nx_detour`: append.
 */
#define NX_DETOURS(X)                                                          \
	X(NX_DETOUR_LEARN, 0, "the way was not known: to this node, or first") \
	X(NX_DETOUR_EPOCH, 1, "the node's routes changed since")               \
	X(NX_DETOUR_REFRESH, 2, "known for long: the kernel is asked again")   \
	X(NX_DETOUR_UNWATCHED, 3, "natrixd is not there to watch the routes")  \
	X(NX_DETOUR_OFF, 4, "fastPath is off for its subnet or device")        \
	X(NX_DETOUR_DEVICE, 5, "the device has to be asked by the stack")      \
	X(NX_DETOUR_CONTROL, 6, "TCP SYN, FIN or RST")                         \
	X(NX_DETOUR_HEADERS, 7,                                                \
	  "fragment, IP options or extensions, trailing bytes")                \
	X(NX_DETOUR_TTL, 8, "its hop limit ends here")                         \
	X(NX_DETOUR_MTU, 9, "longer than the way's MTU")                       \
	X(NX_DETOUR_PROTOCOL, 10, "neither TCP nor UDP")                       \
	X(NX_DETOUR_OTHER, 11, "came by another device, or marked otherwise")  \
	X(NX_DETOUR_FRAME, 12, "its frame is not addressed to this node")

enum nx_detour {
#define X(name, value, text) name = value,
	NX_DETOURS(X)
#undef X
	NX_DETOUR_COUNT,
	NX_DETOUR_NONE = NX_DETOUR_COUNT, /* it took the short cut */
} __attribute__((packed));

/* Packets that took none: map `nx_detour`, percpu_array, index enum nx_detour.
 * Writer: bpf/stage/short_cut.h, each CPU its own copy.
 */
struct nx_detours {
	__u64 packets;
};
NX_ABI_SIZE(nx_detours, 8);

/* Where packets of one direction of a flow go.
 *
 * Writer: bpf/stage/learn.h; natrixd never.  Readers: bpf/stage/short_cut.h,
 * bpf/stage/driver_cut.h.
 * `epoch` is NX_EPOCH_BUSY while one CPU writes, and written last, so that a
 * reader who sees the same one before and after read what belongs together
 * (on x86; another architecture would need its own barriers there).
 */
struct nx_way {
	__u32 epoch;	/* of the packet that taught it; 0: nothing learnt */
	__u32 learnt;	/* jiffies, low 32 bits */
	__u32 out;	/* ifindex it left by; 0: there is none, see `why` */
	__u32 in;	/* ifindex it came by: rules may ask for it */
	__u32 mark;	/* it came with: so may they for this */
	__u32 priority; /* skb->priority it left with */
	__u8 dst[6];	/* link-layer addresses it left with */
	__u8 src[6];
	__u16 mtu; /* of device and routes, from the IP header */
	__u8 ways; /* of `out` then: NX_DEVICE_PEER, NX_DEVICE_XDP_* */
	enum nx_detour why;
};
NX_ABI_SIZE(nx_way, 40);
NX_ABI_FIELD(nx_way, dst, 24);

/* Value of map `nx_flow`. */
struct nx_established {
	struct nx_flow flow;
	struct nx_way way;
};
NX_ABI_SIZE(nx_established, 96);
NX_ABI_FIELD(nx_established, way, 56);
