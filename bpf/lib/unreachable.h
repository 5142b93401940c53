/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/config.h"
#include "bpf/lib/csum.h"
#include "bpf/lib/icmp.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/source.h"

/* Makes a packet the ICMP error about itself: port unreachable, as the REJECT
 * target writes it.  Without a limit to the rate: an error is no larger than
 * what it is about, by more than its headers.
 */
#define NX_ICMP_PORT 3		/* RFC 792: port unreachable */
#define NX_ICMPV6_UNREACHABLE 1 /* RFC 4443 section 3.1 */
#define NX_ICMPV6_PORT 4

/* Of an ICMP error, both families. */
struct nx_icmp_error {
	__u8 type;
	__u8 code;
	__u16 check;
	__u32 unused;
};

/* What is quoted of the transport: its header, TCP's with its options, without
 * data.
 */
#define NX_TCP_LEAST 20
#define NX_QUOTE_MOST 60

/* The transport header's length, of protocols without a known one the 8 bytes
 * that an error must have (RFC 792); 0: impossible.  `header` has its first
 * NX_TCP_LEAST bytes, as far as they are there.
 */
static __always_inline __u32 quoted_length(const __u32 *header, __u8 proto)
{
	__u32 length;

	switch (proto) {
	case NX_L4_TCP:
		length = (((const __u8 *)header)[12] >> 4) * 4;
		return length < NX_TCP_LEAST ? 0 : length;
	case NX_L4_SCTP:
		return 12;
	default:
		return 8;
	}
}

/* The sum of the quoted header as its receiver will see it.  The device
 * completes a CHECKSUM_PARTIAL field p to the complement of the sum with p in
 * it: the sum with that is then the complement of p.  (An SCTP one would be
 * completed by a CRC; that error arrives with a wrong sum.  So does the one
 * about an echo request whose sequence number happens to be p, one in 65536.)
 */
static __always_inline __u64 quoted_sum(const __u32 *header, __u16 length,
					const struct nx_pkt *pkt)
{
	const __u16 *words = (const __u16 *)header;
	__u64 pseudo = bpf_htons(pkt->l4_proto) + bpf_htons(length), sum = 0;
	__u16 check;

	for (int i = 0; i < NX_QUOTE_MOST / 4; i++)
		sum += header[i];
	switch (pkt->l4_proto) {
	case NX_L4_TCP:
		check = words[8];
		break;
	case NX_L4_UDP:
	case NX_L4_UDPLITE:
		check = words[3];
		break;
	default:
		return sum;
	}
	/* A v4-mapped address is 0xffff more than an IPv4 one, which is 0. */
	for (int i = 0; i < 4; i++)
		pseudo += (__u64)addr_word(&pkt->tuple.src, i) +
			  addr_word(&pkt->tuple.dst, i);
	return csum_fold(pseudo) == check ? (__u16)~check : sum;
}

static __always_inline int unreachable_write4(struct __sk_buff *skb,
					      const struct nx_pkt *pkt,
					      const struct nx_addr *from,
					      __u64 quoted, __u8 tos)
{
	struct {
		struct iphdr ip;
		struct nx_icmp_error icmp;
	} out = {};
	__u32 length = skb->len - NX_L3;
	__u64 sum = 0;

	out.ip.version = 4;
	out.ip.ihl = 5;
	out.ip.tos = (tos & 0x1e) | 0xc0; /* internetwork control */
	out.ip.tot_len = bpf_htons(length);
	out.ip.id = bpf_get_prandom_u32();
	out.ip.ttl = 64;
	out.ip.protocol = NX_L4_ICMP;
	out.ip.saddr = addr_word(from, 3);
	out.ip.daddr = addr_word(&pkt->tuple.src, 3);
	for (__u32 i = 0; i < sizeof(out.ip) / 4; i++)
		sum += ((__u32 *)&out.ip)[i];
	out.ip.check = (__u16)~csum_fold(sum);
	out.icmp.type = ICMP_DEST_UNREACH;
	out.icmp.code = NX_ICMP_PORT;
	/* The quoted IP header sums to nothing. */
	out.icmp.check = (__u16)~csum_fold(quoted + *(__u16 *)&out.icmp.type);
	bpf_csum_update(skb, csum_fold((__u64) * (__u16 *)&out.icmp.type +
				       out.icmp.check));
	return bpf_skb_store_bytes(skb, NX_L3, &out, sizeof(out), 0);
}

static __always_inline int unreachable_write6(struct __sk_buff *skb,
					      const struct nx_pkt *pkt,
					      const struct nx_addr *from,
					      __u64 quoted)
{
	struct {
		struct ipv6hdr ip;
		struct nx_icmp_error icmp;
	} out = {};
	__u32 length = skb->len - NX_L3 - sizeof(out.ip);
	__u64 sum = quoted + bpf_htons(length) + bpf_htons(NX_L4_ICMPV6);

	out.ip.version = 6;
	out.ip.payload_len = bpf_htons(length);
	out.ip.nexthdr = NX_L4_ICMPV6;
	out.ip.hop_limit = 64;
	__builtin_memcpy(&out.ip.saddr, from, 16);
	__builtin_memcpy(&out.ip.daddr, &pkt->tuple.src, 16);
	out.icmp.type = NX_ICMPV6_UNREACHABLE;
	out.icmp.code = NX_ICMPV6_PORT;
	sum += *(__u16 *)&out.icmp;
	for (int i = 0; i < 4; i++)
		sum += (__u64)addr_word(&pkt->tuple.src, i) +
		       addr_word(from, i);
	out.icmp.check = (__u16)~csum_fold(sum);
	sum = 0;
	for (__u32 i = 0; i < sizeof(out) / 4; i++)
		sum += ((__u32 *)&out)[i];
	bpf_csum_update(skb, csum_fold(sum));
	return bpf_skb_store_bytes(skb, NX_L3, &out, sizeof(out), 0);
}

/* Who reports it: the address that was called if it is the node's, else the one
 * that the node speaks to the sender from (icmp_send(), net/ipv4/icmp.c;
 * icmp6_send(), net/ipv6/icmp.c).
 */
static __always_inline void
reporter(struct __sk_buff *skb, const struct nx_pkt *pkt, struct nx_addr *from)
{
	*from = pkt->tuple.dst;
	if (!bpf_map_lookup_elem(&nx_local, from))
		node_source(skb, pkt, from);
}

/* 0: done.  Negative: no error can be made of it. */
NX_GLOBAL int unreachable_write(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	__u32 header[NX_QUOTE_MOST / 4] = {}, l4, room, length;
	struct nx_addr from;
	__u8 macs[12], tos = 0;
	__u64 quoted;

	if (!pkt || pkt->frag == NX_FRAG_LATER)
		return -1;
	l4 = pkt->l4 & NX_L4_MAX;
	room = pkt->v6 ? sizeof(struct ipv6hdr) + sizeof(struct nx_icmp_error) :
			 sizeof(struct iphdr) + sizeof(struct nx_icmp_error);
	if ((pkt->v6 && l4 != NX_L3 + sizeof(struct ipv6hdr)) ||
	    bpf_skb_load_bytes(skb, l4, header, 8) ||
	    bpf_skb_load_bytes(skb, NX_L3 + 1, &tos, 1) ||
	    (NX_L3 && bpf_skb_load_bytes(skb, 0, macs, sizeof(macs))))
		return -1;
	if (pkt->l4_proto == NX_L4_TCP &&
	    bpf_skb_load_bytes(skb, l4, header, NX_TCP_LEAST))
		return -1;
	length = quoted_length(header, pkt->l4_proto);
	barrier_var(length);
	if (length < 8 || length > NX_QUOTE_MOST)
		return -1;
	__builtin_memset(header, 0, sizeof(header));
	if (bpf_skb_load_bytes(skb, l4, header, length))
		return -1;
	quoted = quoted_sum(header, skb->len - l4, pkt);
	if (pkt->v6) {
		__u32 ip[10];

		if (bpf_skb_load_bytes(skb, NX_L3, ip, sizeof(ip)))
			return -1;
		for (int i = 0; i < 10; i++)
			quoted += ip[i];
	}
	reporter(skb, pkt, &from);
	if (bpf_skb_change_tail(skb, l4 + length, 0) ||
	    bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, 0))
		return -1;
	if (NX_L3 && (bpf_skb_store_bytes(skb, 0, macs + 6, 6, 0) ||
		      bpf_skb_store_bytes(skb, 6, macs, 6, 0)))
		return -1;
	return pkt->v6 ? unreachable_write6(skb, pkt, &from, quoted) :
			 unreachable_write4(skb, pkt, &from, quoted, tos);
}
