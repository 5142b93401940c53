/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#include "bpf/lib/headers.h"
#include "bpf/lib/maps.h"
#include "bpf/lib/tcp.h"

/* Read the headers into pkt.
 *
 *   reads    the packet
 *   writes   every field of pkt but side
 *   maps     none
 *   returns  NX_CONTINUE  pkt->tuple is filled; ports may be unknown for a
 *                         later fragment (stage fragment)
 *            NX_PASS      not IP, VLAN-tagged, untracked, malformed
 *
 * VLAN: a frame with a VLAN identifier belongs to the VLAN device above this
 * one, which has hooks of its own.  At ingress the kernel has always moved the
 * tag out of the data (skb->vlan_present); at egress it may still be there.
 * Identifier 0 is a priority tag on untagged traffic.
 *
 * Malformed packets are passed on untouched: nf_conntrack calls them INVALID
 * and no rule translates them; the kernel's own receive path drops most.
 */

/* The quoted packet of an ICMP error: its tuple, swapped, into pkt->tuple.
 * Helpers instead of direct reads: errors are rare and may be non-linear.
 */
NX_GLOBAL int parse_error(struct __sk_buff *skb, struct nx_pkt *pkt, __u32 l4)
{
	struct nx_tuple inner = {};
	__u8 proto, frag = NX_WHOLE, overflow = 0;
	__u32 off = l4 + 8;
	__be32 id;
	__u8 head[8] = {};
	bool answer;

	if (!pkt)
		return -1;
	pkt->inner_l3 = off;
	if (pkt->v6) {
		struct ipv6hdr ip6;

		if (bpf_skb_load_bytes(skb, off, &ip6, sizeof(ip6)) ||
		    ip6.version != 6)
			return -1;
		__builtin_memcpy(&inner.src, &ip6.saddr, 16);
		__builtin_memcpy(&inner.dst, &ip6.daddr, 16);
		proto = ip6.nexthdr;
		off += sizeof(ip6);
		if (!skip_extensions(skb, &off, &proto, &frag, &id, &overflow))
			return -1;
		if (overflow) { /* it may have a flow */
			pkt->ext_overflow = 1;
			return -1;
		}
	} else {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, off, &ip, sizeof(ip)) ||
		    ip.version != 4 || ip.ihl < 5)
			return -1;
		addr_set_v4(&inner.src, ip.saddr);
		addr_set_v4(&inner.dst, ip.daddr);
		proto = ip.protocol;
		if (ip.frag_off & bpf_htons(0x1fff))
			frag = NX_FRAG_LATER;
		off += ip.ihl * 4;
	}
	if (frag == NX_FRAG_LATER || off > skb->len) /* its options are cut */
		return -1;
	inner.proto = proto;
	/* As little as 8 bytes are quoted (RFC 792), and fewer of a shorter
	 * packet: enough for a protocol that has no ports.
	 */
	if (has_ports(proto) &&
	    bpf_skb_load_bytes(skb, off, head, sizeof(head)))
		return -1;
	/* Protocols without ports have an all-zero pair, as their flows do. */
	if (!ports_from(&inner, head, proto, pkt->v6, &answer) &&
	    (proto == NX_L4_ICMP || proto == NX_L4_ICMPV6))
		return -1;
	pkt->inner_l4 = off;
	pkt->error = 1;
	tuple_swap(&pkt->tuple, &inner);
	return 0;
}

/* The transport header is not all there. */
static __always_inline enum nx_verdict parse_cut(struct nx_pkt *pkt)
{
	if (pkt->frag == NX_FRAG_FIRST)
		pkt->head = NX_HEAD_ELSEWHERE;
	else if (pkt->l4_proto == NX_L4_TCP)
		pkt->head = NX_HEAD_CUT;
	return nx_pass(pkt, NX_R_MALFORMED);
}

static __always_inline enum nx_verdict
parse_tcp(struct __sk_buff *skb, struct nx_pkt *pkt, __u32 off, __u32 end)
{
	struct tcphdr *tcp = NULL;

	/* The datagram's own end, not the frame's: padding is no header. */
	if (off + sizeof(*tcp) <= end)
		tcp = header_at(skb, off, sizeof(*tcp));
	if (!tcp)
		return parse_cut(pkt);
	/* A first fragment may end among the options. */
	if (tcp->doff < 5 ||
	    (pkt->frag == NX_WHOLE && off + tcp->doff * 4 > end))
		return nx_pass(pkt, NX_R_MALFORMED);
	pkt->tuple.sport = tcp->source;
	pkt->tuple.dport = tcp->dest;
	pkt->tcp_flags = ((__u8 *)tcp)[13] & 0x3f;
	pkt->opens = tcp_opens(pkt->tcp_flags);
	return NX_CONTINUE;
}

static __always_inline enum nx_verdict
parse_udp(struct __sk_buff *skb, struct nx_pkt *pkt, __u32 off, __u32 end)
{
	struct udphdr *udp = NULL;
	__u16 len;

	if (off + sizeof(*udp) <= end)
		udp = header_at(skb, off, sizeof(*udp));
	if (!udp)
		return parse_cut(pkt);
	/* UDP-Lite has its checksum coverage there (RFC 3828).  The length of
	 * a fragmented or segmented datagram is that of the whole one.
	 */
	len = bpf_ntohs(udp->len);
	if (pkt->l4_proto == NX_L4_UDP &&
	    (len < sizeof(*udp) ||
	     (pkt->frag == NX_WHOLE && !skb->gso_size && off + len > end)))
		return nx_pass(pkt, NX_R_MALFORMED);
	pkt->tuple.sport = udp->source;
	pkt->tuple.dport = udp->dest;
	pkt->opens = NX_OPENS_FLOW;
	return NX_CONTINUE;
}

static __always_inline enum nx_verdict
parse_sctp(struct __sk_buff *skb, struct nx_pkt *pkt, __u32 off, __u32 end)
{
	__be16 *ports = NULL;

	if (off + 12 <= end)
		ports = header_at(skb, off, 12);
	if (!ports)
		return parse_cut(pkt);
	pkt->tuple.sport = ports[0];
	pkt->tuple.dport = ports[1];
	pkt->opens = NX_OPENS_FLOW;
	return NX_CONTINUE;
}

static __always_inline enum nx_verdict
parse_icmp(struct __sk_buff *skb, struct nx_pkt *pkt, __u32 off, __u32 end)
{
	__u8 *icmp = NULL;
	bool answer;
	__u8 type;

	if (off + 8 <= end)
		icmp = header_at(skb, off, 8);
	if (!icmp)
		return parse_cut(pkt);
	type = icmp[0];
	/* RFC 4861, RFC 2710, RFC 3810: nf_conntrack leaves these untracked. */
	if (pkt->v6 && ((type >= ICMPV6_MGM_QUERY && type <= ICMPV6_REDIRECT) ||
			type == ICMPV6_MLD2_REPORT))
		return nx_pass(pkt, NX_R_UNTRACKED);
	if (icmp_is_error(type, pkt->v6)) {
		pkt->opens = NX_OPENS_NOTHING;
		if (parse_error(skb, pkt, off))
			return nx_pass(pkt, NX_R_ICMP_UNRELATED);
		return NX_CONTINUE;
	}
	if (!ports_from(&pkt->tuple, icmp, pkt->l4_proto, pkt->v6, &answer))
		return nx_pass(pkt, NX_R_INVALID);
	pkt->opens = answer ? NX_OPENS_NOTHING : NX_OPENS_FLOW;
	return NX_CONTINUE;
}

static __always_inline enum nx_verdict
parse_transport(struct __sk_buff *skb, struct nx_pkt *pkt, __u32 off, __u32 end)
{
	switch (pkt->l4_proto) {
	case NX_L4_TCP:
		return parse_tcp(skb, pkt, off, end);
	case NX_L4_UDP:
	case NX_L4_UDPLITE:
		return parse_udp(skb, pkt, off, end);
	case NX_L4_SCTP:
		return parse_sctp(skb, pkt, off, end);
	case NX_L4_ICMP:
	case NX_L4_ICMPV6:
		return parse_icmp(skb, pkt, off, end);
	default:
		pkt->opens = NX_OPENS_FLOW;
		return NX_CONTINUE;
	}
}

static __always_inline enum nx_verdict stage_parse(struct __sk_buff *skb,
						   struct nx_pkt *pkt)
{
	__u32 off = NX_L3, end;
	__u8 proto;

	if (skb->vlan_present && (skb->vlan_tci & 0x0fff))
		return nx_pass(pkt, NX_R_VLAN);

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = header_at(skb, NX_L3, sizeof(*ip));
		__u32 len;

		if (!ip || ip->version != 4 || ip->ihl < 5)
			return nx_pass(pkt, NX_R_MALFORMED);
		/* 0 on a packet of more than 64 KB (BIG TCP). */
		len = bpf_ntohs(ip->tot_len);
		if (!len && skb->gso_size)
			len = skb->len - NX_L3;
		if (len < ip->ihl * 4 || len > skb->len - NX_L3)
			return nx_pass(pkt, NX_R_MALFORMED);
		end = NX_L3 + len;
		addr_set_v4(&pkt->tuple.src, ip->saddr);
		addr_set_v4(&pkt->tuple.dst, ip->daddr);
		if (ip->frag_off & bpf_htons(0x1fff))
			pkt->frag = NX_FRAG_LATER;
		else if (ip->frag_off & bpf_htons(0x2000))
			pkt->frag = NX_FRAG_FIRST;
		pkt->frag_id = ip->id;
		proto = ip->protocol;
		pkt->ttl = ip->ttl;
		off += ip->ihl * 4;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = header_at(skb, NX_L3, sizeof(*ip6));
		__u32 len;

		if (!ip6 || ip6->version != 6)
			return nx_pass(pkt, NX_R_MALFORMED);
		len = bpf_ntohs(ip6->payload_len);
		if (!len && skb->gso_size)
			len = skb->len - NX_L3 - sizeof(*ip6);
		if (len > skb->len - NX_L3 - sizeof(*ip6))
			return nx_pass(pkt, NX_R_MALFORMED);
		end = NX_L3 + sizeof(*ip6) + len;
		__builtin_memcpy(&pkt->tuple.src, &ip6->saddr, 16);
		__builtin_memcpy(&pkt->tuple.dst, &ip6->daddr, 16);
		pkt->v6 = 1;
		pkt->ttl = ip6->hop_limit;
		proto = ip6->nexthdr;
		off += sizeof(*ip6);
		if (!skip_extensions(skb, &off, &proto, &pkt->frag,
				     &pkt->frag_id, &pkt->ext_overflow)) {
			pkt->head = NX_HEAD_ELSEWHERE;
			return nx_pass(pkt, NX_R_MALFORMED);
		}
		pkt->l4_proto = proto;
		if (off > end) {
			pkt->head = NX_HEAD_ELSEWHERE;
			return nx_pass(pkt, NX_R_MALFORMED);
		}
		if (off > NX_L4_MAX)
			pkt->ext_overflow = 1;
	} else if (skb->protocol == bpf_htons(ETH_P_8021Q) ||
		   skb->protocol == bpf_htons(ETH_P_8021AD)) {
		return nx_pass(pkt, NX_R_VLAN);
	} else {
		return nx_pass(pkt, NX_R_NOT_IP);
	}

	pkt->tuple.proto = proto;
	pkt->l4_proto = proto;
	pkt->l4 = off;
	pkt->ports_known = 1;
	pkt->trailer = skb->len - end < 255 ? skb->len - end : 255;
	if (pkt->ext_overflow)
		return NX_CONTINUE;
	if (pkt->frag == NX_FRAG_LATER) {
		pkt->ports_known = !has_ports(proto);
		return NX_CONTINUE;
	}
	return parse_transport(skb, pkt, off, end);
}
