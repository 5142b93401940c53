// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/lib/maps.h"

#include <linux/pkt_cls.h>

SEC("tc")
int nx_pod_in(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int nx_uplink_in(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int nx_out(struct __sk_buff *skb)
{
	__u32 zero = 0;

	bpf_map_lookup_elem(&nx_generation, &zero);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int nx_clock_start(struct __sk_buff *skb)
{
	return 0;
}

SEC("tc")
int nx_jiffies(struct __sk_buff *skb)
{
	return (int)bpf_jiffies64();
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
