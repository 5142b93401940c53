/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/csum.h"
#include "bpf/lib/packet.h"

/* A frame as the driver has it, before there is an skb: a whole TCP segment or
 * UDP datagram behind an IP header without options, so that every header is at
 * a constant place.
 */
struct nx_frame {
	struct nx_tuple tuple;
	__u32 length;	/* of the IP packet, its header included */
	__u32 trailer;	/* bytes behind it */
	__u8 v6;	/* 1: IPv6 */
	__u8 tcp_flags; /* low 6 bits of the TCP flags byte, else 0 */
	__u8 ttl;	/* or hop limit */
	__u8 frags;	/* 1: it goes on in further buffers */
};

#define NX_FRAME_L4(v6) \
	(NX_L3 + ((v6) ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)))

/* The sum of addresses, protocol and length that a transport checksum covers
 * beside the segment.  Folded; never 0.
 */
static __always_inline __u16 frame_pseudo_sum(const struct nx_frame *f)
{
	__u64 sum = bpf_htons((__u16)(f->length + NX_L3 - NX_FRAME_L4(f->v6)));

	sum += bpf_htons(f->tuple.proto);
	for (int i = 0; i < 4; i++) {
		if (!f->v6 && i < 3)
			continue;
		sum += addr_word(&f->tuple.src, i);
		sum += addr_word(&f->tuple.dst, i);
	}
	return csum_fold(sum);
}

/* A device that is none (veth, virtio) may pass on what a sender left to the
 * next device to sum up (CHECKSUM_PARTIAL), which only an skb tells.  Its field
 * holds the pseudo header's sum.  So does one of 65536 right ones: the stack
 * knows.
 */
static __always_inline bool frame_looks_unsummed(const struct nx_frame *f,
						 __be16 check)
{
	return (check ? check : 0xffff) == frame_pseudo_sum(f);
}

/* Ports and checksum, which lies `at` a constant.  `delta`: of the addresses.
 * 0, or -1 and nothing is written.
 */
static __always_inline int frame_write_l4(const struct nx_frame *f, void *l4,
					  const void *end, __u32 at,
					  const struct nx_flow *to, __u64 delta)
{
	__be16 *check = l4 + at;
	bool udp = at == 6;

	if ((void *)(check + 1) > end)
		return -1;
	((__be16 *)l4)[0] = to->sport;
	((__be16 *)l4)[1] = to->dport;
	if (udp && !*check)
		return 0;
	*check = csum_apply(*check,
			    delta + csum_delta16(f->tuple.sport, to->sport) +
				    csum_delta16(f->tuple.dport, to->dport));
	if (udp && !*check)
		*check = 0xffff;
	return 0;
}

/* Addresses, hop limit and IPv4's own checksum.  0, or -1 and nothing is
 * written.
 */
static __always_inline int frame_write_ip(const struct nx_frame *f, void *l3,
					  const void *end,
					  const struct nx_flow *to, __u64 delta)
{
	if (f->v6) {
		struct ipv6hdr *ip6 = l3;

		if ((void *)(ip6 + 1) > end)
			return -1;
		__builtin_memcpy(&ip6->saddr, &to->src, 16);
		__builtin_memcpy(&ip6->daddr, &to->dst, 16);
		ip6->hop_limit = f->ttl - 1;
	} else {
		struct iphdr *ip = l3;
		__be16 *hop = (__be16 *)&ip->ttl, before;

		if ((void *)(ip + 1) > end)
			return -1;
		before = *hop;
		ip->saddr = addr_word(&to->src, 3);
		ip->daddr = addr_word(&to->dst, 3);
		ip->ttl = f->ttl - 1;
		ip->check = csum_apply(ip->check,
				       delta + csum_delta16(before, *hop));
	}
	return 0;
}

/* Both ends, hop limit and link-layer addresses.  0, or -1 and nothing is
 * written: where the transport header is there, the IP header before it is.
 */
static __always_inline int frame_rewrite(struct xdp_md *ctx,
					 const struct nx_frame *f,
					 const struct nx_flow *to,
					 const __u8 *macs)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *l4 = data + NX_FRAME_L4(f->v6);
	__u64 delta = csum_delta_addr(&f->tuple.src, &to->src) +
		      csum_delta_addr(&f->tuple.dst, &to->dst);

	if (f->tuple.proto == NX_L4_UDP ?
		    frame_write_l4(f, l4, end, 6, to, delta) :
		    frame_write_l4(f, l4, end, 16, to, delta))
		return -1;
	if (frame_write_ip(f, data + NX_L3, end, to, delta))
		return -1;
	__builtin_memcpy(data, macs, 2 * ETH_ALEN);
	return 0;
}
