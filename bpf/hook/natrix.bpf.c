// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/hook/egress.h"
#include "bpf/hook/finish.h"
#include "bpf/hook/ingress.h"
#include "bpf/lib/clock.h"

/* The programs of the datapath.  Names: maps/abi/names.h. */

SEC("tc")
int nx_pod_in(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};

	return finish(skb, &pkt, ingress(skb, &pkt, true));
}

SEC("tc")
int nx_uplink_in(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};

	return finish(skb, &pkt, ingress(skb, &pkt, false));
}

SEC("tc")
int nx_out(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};
	int action = finish(skb, &pkt, egress(skb, &pkt));

	/* Said once: an encapsulated packet passes another egress hook. */
	skb->tc_index = 0;
	return action;
}

/* Run by the loader with BPF_PROG_TEST_RUN. */
SEC("tc")
int nx_clock_start(struct __sk_buff *skb)
{
	return clock_start();
}

SEC("tc")
int nx_jiffies(struct __sk_buff *skb)
{
	return (int)now_jiffies();
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
