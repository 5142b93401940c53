/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>

#include "bpf/lib/addr.h"

/* What a stage tells the hook.  Never a TC_ACT_* code: only bpf/hook/finish.h
 * knows those.
 */
enum nx_verdict {
	NX_CONTINUE,  /* ask the next stage */
	NX_PASS,      /* stop, let the packet through */
	NX_DROP,      /* stop, drop it; pkt->reason says why */
	NX_REFLECT,   /* stop, send it back out of the device it came from */
	NX_SEND,      /* stop, send it out of pkt->out */
	NX_SEND_PEER, /* the same, into the namespace behind pkt->out's veth */
};

enum nx_frag_kind {
	NX_WHOLE,
	NX_FRAG_FIRST, /* has the transport header */
	NX_FRAG_LATER, /* has not */
};

/* Why a malformed packet has no transport header that could be read.  It stays
 * untranslated, so it must not go where only a translated one may.
 */
enum nx_head {
	NX_HEAD_THERE,
	/* TCP's is cut short: iptables drops it when a rule looks at TCP, as
	 * mangle's OVN-POSTROUTING does at every segment of the subnets.
	 */
	NX_HEAD_CUT,
	/* It is spread over fragments (RFC 1858), which netfilter puts together
	 * first, or behind an extension header that is cut short.
	 */
	NX_HEAD_ELSEWHERE,
};

/* What nf_conntrack would say of the packet if no flow knew it. */
enum nx_opens {
	NX_OPENS_NOTHING, /* INVALID: rules of the nat table are not asked */
	NX_OPENS_FLOW,	  /* NEW */
	NX_OPENS_LATE,	  /* NEW, but a TCP segment without SYN */
};

/* One packet on its way through the stages; lives on the hook's stack. */
struct nx_pkt {
	/* Set by parse.  Of an ICMP error: the tuple of packets that travel
	 * the error's way, which is the quoted packet's, swapped.
	 */
	struct nx_tuple tuple;
	__u32 side;	/* copy of the configuration that judges it */
	__be32 frag_id; /* set by parse for fragments */
	union {
		__u32 learn; /* epoch that egress may learn the way under */
		__u32 out;   /* ifindex, with NX_SEND and NX_SEND_PEER */
	};
	__u16 l4;	   /* offset of the transport header */
	__u16 inner_l3;	   /* ICMP error: offset of the quoted IP header */
	__u16 inner_l4;	   /* ICMP error: offset of the quoted transport one */
	__u8 v6;	   /* 1: IPv6 */
	__u8 l4_proto;	   /* the packet's own protocol (tuple.proto: inner) */
	__u8 tcp_flags;	   /* low 6 bits of the TCP flags byte, else 0 */
	__u8 frag;	   /* enum nx_frag_kind */
	__u8 opens;	   /* enum nx_opens */
	__u8 error;	   /* 1: ICMP error, inner_* are set */
	__u8 ports_known;  /* 0: a later fragment whose first was not seen */
	__u8 ext_overflow; /* 1: IPv6 extension headers not walked to the end */
	__u8 head;	   /* enum nx_head */
	__u8 ttl;	   /* or hop limit */
	__u8 trailer;	   /* bytes behind the IP packet; 255: or more */
	enum nx_reason reason; /* set by whichever stage decides */
};

/* A function that the verifier proves once by itself, whatever its callers
 * know, instead of again on each path that leads to it: for everything that
 * is not on the way of an established packet.  Its pointers are never null;
 * the checks are what the verifier asks for.
 *
 * VERIFIER: before 6.3 memory passed to such a function is not taken as a map
 * helper's key or value ("R2 type=mem expected=fp", kernel 6.1), so they copy
 * what they look up to their own stack first.  Guarded by: loading on 6.1.
 */
#define NX_GLOBAL __attribute__((noinline))

/* Where a packet's IP header begins: behind Ethernet's, or, in the programs for
 * devices without a link-layer header (bpf/hook/natrix_bare.bpf.c), at once.
 */
#ifndef NX_L3
#define NX_L3 14
#endif

/* No transport header begins beyond this offset; a power of two less one. */
#define NX_L4_MAX 0x7ff

#define NX_TCP_FIN 0x01
#define NX_TCP_SYN 0x02
#define NX_TCP_RST 0x04
#define NX_TCP_ACK 0x10

static __always_inline enum nx_verdict nx_pass(struct nx_pkt *pkt,
					       enum nx_reason why)
{
	pkt->reason = why;
	return NX_PASS;
}

static __always_inline enum nx_verdict nx_drop(struct nx_pkt *pkt,
					       enum nx_reason why)
{
	pkt->reason = why;
	return NX_DROP;
}
