/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/rewrite_error.h"

/* One address and port of a packet replaced, every checksum kept right.
 *
 * Who has computed the transport checksum is skb->ip_summed:
 *
 *   NONE, UNNECESSARY  it is in the packet: update it
 *   PARTIAL            the device (or the receiver, on veth) will; the field
 *                      holds the pseudo header's sum, uninverted: apply the
 *                      address change only
 *   COMPLETE           in the packet, and skb->csum holds the sum over all
 *                      bytes: update both
 *
 * From 6.2 on ip_summed is read through bpf_cast_to_kern_ctx and everything is
 * direct packet writes; on older kernels bpf_l4_csum_replace knows it.
 */

struct sk_buff___nx {
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *obj) __ksym __weak;

#define NX_CSUM_PARTIAL 3
#define NX_CSUM_COMPLETE 2
#define NX_CSUM_UNKNOWN 4

static __always_inline __u32 ip_summed_of(struct __sk_buff *skb)
{
	struct sk_buff___nx *kskb;

	if (!bpf_ksym_exists(bpf_cast_to_kern_ctx))
		return NX_CSUM_UNKNOWN;
	kskb = bpf_cast_to_kern_ctx(skb);
	return BPF_CORE_READ_BITFIELD(kskb, ip_summed);
}

/* The IP header's address and, for IPv4, its checksum.  0 or -1. */
static __always_inline int write_addr(struct __sk_buff *skb, bool v6,
				      enum nx_end end, const struct nx_addr *to,
				      __u64 delta)
{
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;

	if (v6) {
		struct ipv6hdr *ip6 = data + NX_L3;

		if ((void *)(ip6 + 1) > data_end)
			return -1;
		__builtin_memcpy(end == NX_SRC ? &ip6->saddr : &ip6->daddr, to,
				 16);
	} else {
		struct iphdr *ip = data + NX_L3;

		if ((void *)(ip + 1) > data_end)
			return -1;
		if (end == NX_SRC)
			ip->saddr = addr_word(to, 3);
		else
			ip->daddr = addr_word(to, 3);
		ip->check = csum_apply(ip->check, delta);
	}
	return 0;
}

/* VERIFIER: parse lets no offset above NX_L4_MAX through, but the bound is
 * lost in memory, and with a 16-bit offset the packet range is not learnt
 * ("invalid access to packet", clang 14 and 19, kernel 6.18).  The mask
 * restates the bound and never changes the value.  Guarded by: loading.
 */
static __always_inline __u32 l4_offset(const struct nx_pkt *pkt)
{
	return pkt->l4 & NX_L4_MAX;
}

/* Checksum and port of a transport header whose checksum lies at `at` and
 * port at `port`: constants at every call, so that the verifier sees plain
 * bounds.  `summed` is known.
 */
static __always_inline int write_l4_at(struct __sk_buff *skb,
				       const struct nx_pkt *pkt, __u32 port,
				       __u32 at, bool pseudo, bool udp,
				       __be16 from_port, __be16 to_port,
				       __u64 addr_delta, __u32 summed)
{
	__u64 delta = csum_delta16(from_port, to_port);
	__u8 *head = (void *)(long)skb->data + l4_offset(pkt);
	__be16 *check = (__be16 *)(head + at);

	if ((void *)(head + (at > 6 ? at + 2 : 8)) >
	    (void *)(long)skb->data_end)
		return -1;
	*(__be16 *)(head + port) = to_port;
	if (summed == NX_CSUM_PARTIAL) {
		if (pseudo)
			*check = csum_apply_partial(*check, addr_delta);
		return 0;
	}
	if (udp && !*check) {
		/* No checksum (RFC 768): none to update, but skb->csum sees
		 * the port, and on IPv6 the address.
		 */
		if (summed == NX_CSUM_COMPLETE)
			bpf_csum_update(
				skb,
				csum_fold(delta + (pkt->v6 ? addr_delta : 0)));
		return 0;
	}
	*check = csum_apply(*check, delta + (pseudo ? addr_delta : 0));
	if (udp && !*check)
		*check = 0xffff;
	/* The transport bytes together changed by minus the pseudo header's
	 * change.  On IPv6 the address bytes add it back; IPv4's header sums
	 * to a constant.
	 */
	if (summed == NX_CSUM_COMPLETE && !pkt->v6 && pseudo)
		bpf_csum_update(skb, (__u16)~csum_fold(addr_delta));
	return 0;
}

/* ICMPv6: the identifier may stay (the side whose "port" is the type), the
 * checksum covers the pseudo header and never does.
 */
static __always_inline int write_l4_icmp6(struct __sk_buff *skb,
					  const struct nx_pkt *pkt, __be16 from,
					  __be16 to, __u64 addr_delta,
					  __u32 summed)
{
	__u8 *head = (void *)(long)skb->data + l4_offset(pkt);

	if (from != to)
		return write_l4_at(skb, pkt, 4, 2, true, false, from, to,
				   addr_delta, summed);
	if ((void *)(head + 8) > (void *)(long)skb->data_end)
		return -1;
	if (summed == NX_CSUM_PARTIAL)
		*(__be16 *)(head + 2) =
			csum_apply_partial(*(__be16 *)(head + 2), addr_delta);
	else
		*(__be16 *)(head + 2) =
			csum_apply(*(__be16 *)(head + 2), addr_delta);
	return 0;
}

/* The transport part with direct writes. */
static __always_inline int write_l4(struct __sk_buff *skb,
				    const struct nx_pkt *pkt, enum nx_end end,
				    __be16 from, __be16 to, __u64 addr_delta,
				    __u32 summed)
{
	__u32 port = end == NX_SRC ? 0 : 2;

	switch (pkt->l4_proto) {
	case NX_L4_TCP:
		return write_l4_at(skb, pkt, port, 16, true, false, from, to,
				   addr_delta, summed);
	case NX_L4_UDP:
	case NX_L4_UDPLITE:
		return write_l4_at(skb, pkt, port, 6, true, true, from, to,
				   addr_delta, summed);
	case NX_L4_ICMP:
		/* Query and answer: the identifier is the changing "port". */
		return from == to ? 0 :
				    write_l4_at(skb, pkt, 4, 2, false, false,
						from, to, addr_delta, summed);
	case NX_L4_ICMPV6:
		return write_l4_icmp6(skb, pkt, from, to, addr_delta, summed);
	}
	/* SCTP and others keep their ports and have no pseudo header.  On IPv6
	 * nothing cancels the address change out of skb->csum.
	 */
	if (pkt->v6 && summed == NX_CSUM_COMPLETE)
		bpf_csum_update(skb, csum_fold(addr_delta));
	return 0;
}

/* The transport part where ip_summed cannot be read (before 6.2). */
NX_GLOBAL int write_l4_helpers(struct __sk_buff *skb, const struct nx_pkt *pkt,
			       __u32 end, const struct nx_addr *to,
			       __be16 to_port)
{
	__u32 at = 0, mangled, delta, store_flags = 0;
	__be16 from_port, check = 0;
	bool pseudo;

	if (!pkt || !to)
		return -1;
	from_port = end == NX_SRC ? pkt->tuple.sport : pkt->tuple.dport;
	delta = csum_fold(csum_delta_addr(
		end == NX_SRC ? &pkt->tuple.src : &pkt->tuple.dst, to));
	if (!l4_check_at(pkt->l4_proto, &at, &pseudo)) {
		if (pkt->v6)
			bpf_csum_update(skb, delta);
		return 0;
	}
	mangled = pkt->l4_proto == NX_L4_UDP || pkt->l4_proto == NX_L4_UDPLITE ?
			  BPF_F_MARK_MANGLED_0 :
			  0;
	if (pseudo && bpf_l4_csum_replace(skb, pkt->l4 + at, 0, delta,
					  BPF_F_PSEUDO_HDR | mangled))
		return -1;
	/* With size 0 the helper takes the change out of skb->csum for both
	 * families; on IPv6 the address bytes put it back.
	 */
	if (pseudo && pkt->v6)
		bpf_csum_update(skb, delta);
	if (from_port == to_port)
		return 0;
	/* A checksum that covers the port takes its change out of skb->csum; a
	 * UDP packet without one leaves that to the store.
	 */
	if (mangled &&
	    (bpf_skb_load_bytes(skb, pkt->l4 + at, &check, 2) || !check))
		store_flags = BPF_F_RECOMPUTE_CSUM;
	if (bpf_l4_csum_replace(skb, pkt->l4 + at, from_port, to_port,
				2 | mangled))
		return -1;
	return bpf_skb_store_bytes(skb, pkt->l4 + port_at(pkt->l4_proto, end),
				   &to_port, 2, store_flags);
}

/* Gives the packet a new source or destination.  A later fragment has only
 * its address to change; its checksum went with the first one.
 */
static __always_inline int rewrite(struct __sk_buff *skb,
				   const struct nx_pkt *pkt, enum nx_end end,
				   const struct nx_addr *to, __be16 to_port)
{
	const struct nx_addr *from = end == NX_SRC ? &pkt->tuple.src :
						     &pkt->tuple.dst;
	__be16 from_port = end == NX_SRC ? pkt->tuple.sport : pkt->tuple.dport;
	__u64 delta;
	__u32 summed;

	if (pkt->error)
		return rewrite_error(skb, pkt, end, to, to_port);

	delta = csum_delta_addr(from, to);
	summed = ip_summed_of(skb);
	if (pkt->frag == NX_FRAG_LATER) {
		if (pkt->v6) /* helper ignores all but CHECKSUM_COMPLETE */
			bpf_csum_update(skb, csum_fold(delta));
	} else if (summed == NX_CSUM_UNKNOWN) {
		if (write_l4_helpers(skb, pkt, end, to, to_port))
			return -1;
	} else if (write_l4(skb, pkt, end, from_port, to_port, delta, summed)) {
		return -1;
	}
	return write_addr(skb, pkt->v6, end, to, delta);
}

/* The same, as a call: for all but established packets. */
NX_GLOBAL int rewrite_new(struct __sk_buff *skb, const struct nx_pkt *pkt,
			  __u32 end, const struct nx_addr *to, __be16 to_port)
{
	if (!pkt || !to)
		return -1;
	return rewrite(skb, pkt, end == NX_SRC ? NX_SRC : NX_DST, to, to_port);
}
