/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stddef.h>

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/icmp.h"
#include "bpf/lib/packet.h"

/* What stage parse reads headers with. */

/* Pointer to `len` (a constant) bytes at `off`, made linear if they are not,
 * or null when the packet ends before them.
 */
static __always_inline void *header_at(struct __sk_buff *skb, __u32 off,
				       __u32 len)
{
	void *p = (void *)(long)skb->data + off;

	if (p + len <= (void *)(long)skb->data_end)
		return p;
	if (off + len > skb->len || bpf_skb_pull_data(skb, off + len))
		return NULL;
	p = (void *)(long)skb->data + off;
	return p + len <= (void *)(long)skb->data_end ? p : NULL;
}

/* The packet's own destination, also an ICMP error's.  Not 0: it has none. */
static __always_inline long load_destination(struct __sk_buff *skb, bool v6,
					     struct nx_addr *dst)
{
	if (v6)
		return bpf_skb_load_bytes(
			skb, NX_L3 + offsetof(struct ipv6hdr, daddr), dst, 16);
	addr_set_v4(dst, 0);
	return bpf_skb_load_bytes(skb, NX_L3 + offsetof(struct iphdr, daddr),
				  &dst->byte[12], 4);
}

/* Both of its own addresses, zeroed by the caller.  Not 0: it has none. */
static __always_inline long load_ends(struct __sk_buff *skb, bool v6,
				      struct nx_addr *src, struct nx_addr *dst)
{
	__be32 v4[2] = {};

	if (v6)
		return bpf_skb_load_bytes(
			       skb, NX_L3 + offsetof(struct ipv6hdr, saddr),
			       src, 16) ||
		       load_destination(skb, v6, dst);
	if (bpf_skb_load_bytes(skb, NX_L3 + offsetof(struct iphdr, saddr), v4,
			       sizeof(v4)))
		return -1;
	addr_set_v4(src, v4[0]);
	addr_set_v4(dst, v4[1]);
	return 0;
}

/* Requests of ICMP that nf_conntrack tracks, and the request that an answer
 * answers.  Returns the request type, or -1 when `type` is neither.
 */
static __always_inline int icmp_query(__u8 type, bool v6, bool *answer)
{
	*answer = false;
	if (v6) {
		switch (type) {
		case ICMPV6_ECHO_REPLY:
		case ICMPV6_NI_REPLY:
			*answer = true;
			return type - 1;
		case ICMPV6_ECHO_REQUEST:
		case ICMPV6_NI_QUERY:
			return type;
		}
		return -1;
	}
	switch (type) {
	case ICMP_ECHOREPLY:
		*answer = true;
		return ICMP_ECHO;
	case ICMP_TIMESTAMPREPLY:
	case ICMP_INFO_REPLY:
	case ICMP_ADDRESSREPLY:
		*answer = true;
		return type - 1;
	case ICMP_ECHO:
	case ICMP_TIMESTAMP:
	case ICMP_INFO_REQUEST:
	case ICMP_ADDRESS:
		return type;
	}
	return -1;
}

static __always_inline bool icmp_is_error(__u8 type, bool v6)
{
	if (v6)
		return type >= 1 && type <= 4;
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH ||
	       type == ICMP_REDIRECT || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

/* Ports of the first 8 bytes of a transport header into `t`.  An ICMP answer
 * gets the request's tuple swapped, see struct nx_tuple.  False: the protocol
 * has no such header or the type is no query.
 */
static __always_inline bool ports_from(struct nx_tuple *t, const __u8 *l4,
				       __u8 proto, bool v6, bool *answer)
{
	int query;

	*answer = false;
	switch (proto) {
	case NX_L4_TCP:
	case NX_L4_UDP:
	case NX_L4_UDPLITE:
	case NX_L4_SCTP:
		t->sport = *(const __be16 *)l4;
		t->dport = *(const __be16 *)(l4 + 2);
		return true;
	case NX_L4_ICMP:
	case NX_L4_ICMPV6:
		query = icmp_query(l4[0], v6, answer);
		if (query < 0 || (proto == NX_L4_ICMPV6) != v6)
			return false;
		t->sport = *(const __be16 *)(l4 + 4);
		t->dport = bpf_htons((__u16)query << 8);
		if (*answer) {
			t->dport = t->sport;
			t->sport = bpf_htons((__u16)query << 8);
		}
		return true;
	}
	return false;
}

static __always_inline bool has_ports(__u8 proto)
{
	return proto == NX_L4_TCP || proto == NX_L4_UDP ||
	       proto == NX_L4_UDPLITE || proto == NX_L4_SCTP ||
	       proto == NX_L4_ICMP || proto == NX_L4_ICMPV6;
}

#define NX_EXT_MAX 8

/* Walks IPv6 extension headers (RFC 8200 section 4).  *off moves to the
 * transport header, *proto becomes its protocol.  Returns false when a header
 * is cut short; sets *overflow when there are more than NX_EXT_MAX.
 */
static __always_inline bool skip_extensions(struct __sk_buff *skb, __u32 *off,
					    __u8 *proto, __u8 *frag,
					    __be32 *frag_id, __u8 *overflow)
{
	struct {
		__u8 next;
		__u8 len;
		__be16 frag_off;
		__be32 id;
	} ext;

	for (int i = 0; i < NX_EXT_MAX; i++) {
		__u32 len;

		switch (*proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case NX_L4_AH:
		case IPPROTO_FRAGMENT:
			break;
		default:
			return true;
		}
		if (bpf_skb_load_bytes(skb, *off, &ext, sizeof(ext)))
			return false;
		len = (ext.len + 1) * 8;
		if (*proto == NX_L4_AH) /* RFC 4302 section 2.2 */
			len = (ext.len + 2) * 4;
		if (*proto == IPPROTO_FRAGMENT) {
			len = 8;
			*frag_id = ext.id;
			if (ext.frag_off & bpf_htons(0xfff8))
				*frag = NX_FRAG_LATER;
			else if (ext.frag_off & bpf_htons(1))
				*frag = NX_FRAG_FIRST;
		}
		*off += len;
		*proto = ext.next;
		if (*frag == NX_FRAG_LATER)
			return true; /* what follows is payload */
	}
	*overflow = 1;
	return true;
}
