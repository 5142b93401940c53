/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/config.h"

/* The local detector: whether the packet is the cluster's own. */
static __always_inline bool is_clusters_own(struct __sk_buff *skb,
					    const struct nx_config *config,
					    __u32 from_cluster, __u32 side)
{
	__u32 ifindex = skb->ifindex;
	struct nx_device *device;

	if (config->detect == NX_DETECT_PREFIX)
		return from_cluster;
	if (config->detect != NX_DETECT_DEVICE)
		return false;
	device = bpf_map_lookup_elem(&nx_device, &ifindex);
	return device && device->cluster & NX_DEVICE_SIDE(side);
}
