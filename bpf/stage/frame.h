/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/frame.h"

/* Read the headers of a frame for this node, in the driver.
 *
 *   reads    the frame
 *   writes   every field of the struct nx_frame
 *   maps     none
 *   returns  NX_CONTINUE  it is filled
 *            NX_PASS      the stack has to look: anything but a whole TCP
 *                         segment or UDP datagram behind an IP header without
 *                         options, with a checksum of its own
 *            NX_DROP      what ip_rcv() and ipv6_rcv() throw away, whoever it
 *                         is for: version, header length, packet cut short
 */

static __always_inline enum nx_verdict
frame_tcp(struct nx_frame *f, const struct tcphdr *tcp, const void *end)
{
	__u32 room = f->length + NX_L3 - NX_FRAME_L4(f->v6);

	if ((void *)(tcp + 1) > end || tcp->doff < 5 || tcp->doff * 4 > room ||
	    frame_looks_unsummed(f, tcp->check))
		return NX_PASS;
	f->tuple.sport = tcp->source;
	f->tuple.dport = tcp->dest;
	f->tcp_flags = ((const __u8 *)tcp)[13] & 0x3f;
	return NX_CONTINUE;
}

static __always_inline enum nx_verdict
frame_udp(struct nx_frame *f, const struct udphdr *udp, const void *end)
{
	__u32 room = f->length + NX_L3 - NX_FRAME_L4(f->v6);

	if ((void *)(udp + 1) > end || bpf_ntohs(udp->len) < sizeof(*udp) ||
	    bpf_ntohs(udp->len) > room ||
	    (udp->check && frame_looks_unsummed(f, udp->check)))
		return NX_PASS;
	f->tuple.sport = udp->source;
	f->tuple.dport = udp->dest;
	f->tcp_flags = 0;
	return NX_CONTINUE;
}

static __always_inline enum nx_verdict frame_l4(struct nx_frame *f, void *data,
						const void *end)
{
	void *l4 = data + NX_FRAME_L4(f->v6);

	switch (f->tuple.proto) {
	case NX_L4_TCP:
		return frame_tcp(f, l4, end);
	case NX_L4_UDP:
		return frame_udp(f, l4, end);
	default:
		return NX_PASS;
	}
}

/* `room`: bytes behind the Ethernet header, in all buffers. */
static __always_inline enum nx_verdict
frame_ipv4(struct nx_frame *f, void *data, const void *end, __u32 room)
{
	struct iphdr *ip = data + NX_L3;

	if (room < sizeof(*ip))
		return NX_DROP;
	if ((void *)(ip + 1) > end)
		return NX_PASS;
	if (ip->version != 4 || ip->ihl < 5)
		return NX_DROP;
	f->length = bpf_ntohs(ip->tot_len);
	/* Generic XDP is given GSO packets, of more than 64 KB with 0 here. */
	if (!f->length)
		return NX_PASS;
	if (f->length < ip->ihl * 4 || f->length > room)
		return NX_DROP;
	if (ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
		return NX_PASS;
	addr_set_v4(&f->tuple.src, ip->saddr);
	addr_set_v4(&f->tuple.dst, ip->daddr);
	f->trailer = room - f->length;
	f->tuple.proto = ip->protocol;
	f->ttl = ip->ttl;
	f->v6 = 0;
	return frame_l4(f, data, end);
}

static __always_inline enum nx_verdict
frame_ipv6(struct nx_frame *f, void *data, const void *end, __u32 room)
{
	struct ipv6hdr *ip6 = data + NX_L3;

	if (room < sizeof(*ip6))
		return NX_DROP;
	if ((void *)(ip6 + 1) > end)
		return NX_PASS;
	if (ip6->version != 6)
		return NX_DROP;
	f->length = bpf_ntohs(ip6->payload_len) + sizeof(*ip6);
	if (f->length == sizeof(*ip6)) /* or a jumbogram */
		return NX_PASS;
	if (f->length > room)
		return NX_DROP;
	__builtin_memcpy(&f->tuple.src, &ip6->saddr, 16);
	__builtin_memcpy(&f->tuple.dst, &ip6->daddr, 16);
	f->trailer = room - f->length;
	f->tuple.proto = ip6->nexthdr;
	f->ttl = ip6->hop_limit;
	f->v6 = 1;
	return frame_l4(f, data, end);
}

static __always_inline enum nx_verdict stage_frame(struct xdp_md *ctx,
						   struct nx_frame *f)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 size = bpf_xdp_get_buff_len(ctx);

	if ((void *)(eth + 1) > end || size < sizeof(*eth))
		return NX_PASS;
	f->frags = size > ctx->data_end - ctx->data;
	__builtin_memset(f->tuple.pad, 0, sizeof(f->tuple.pad));
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return frame_ipv4(f, data, end, size - sizeof(*eth));
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return frame_ipv6(f, data, end, size - sizeof(*eth));
	return NX_PASS;
}
