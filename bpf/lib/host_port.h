/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/choice.h"

/* What becomes of a call of a host port: chains CNI-DN-* and DOCKER
 * (facts/kube-proxy-calico.md 3.1, 3.2).
 */

/* fe80::/10, whose answers would not find the way back (Docker's ! -s). */
static __always_inline bool is_link_local6(const struct nx_addr *addr)
{
	return addr->byte[0] == 0xfe && (addr->byte[1] & 0xc0) == 0x80;
}

/* Whether the destination is a container's that publishes the port. */
static __always_inline bool is_published(const struct nx_pkt *pkt)
{
	struct nx_service_key key = { .addr = pkt->tuple.dst,
				      .port = pkt->tuple.dport,
				      .proto = pkt->tuple.proto };
	struct nx_service *service = service_at(pkt->side, &key);

	return service && service->kind == NX_SERVICE_PUBLISHED;
}

/* Whether the rule does not match what came in by this device: the container's
 * own bridge, or all of Docker's, are served by its userland proxy.
 */
static __always_inline bool host_port_skips(const struct nx_pkt *pkt,
					    const struct nx_service *service,
					    __u32 ifindex)
{
	struct nx_device *device;
	__u32 bridge;

	if (service->kind == NX_SERVICE_DOCKER && pkt->v6 &&
	    is_link_local6(&pkt->tuple.src))
		return true;
	if (!service->not_from)
		return false;
	device = bpf_map_lookup_elem(&nx_device, &ifindex);
	bridge = device ? device->bridge[pkt->side & 1] & NX_BRIDGE_NUMBER : 0;
	return bridge && (bridge == service->not_from ||
			  service->not_from == NX_NOT_FROM_BRIDGES);
}

/* Its container, and whether CNI-HOSTPORT-SETMARK is asked for: enum
 * nx_reason, NX_R_HOST_PORT when there is one.
 */
NX_GLOBAL int host_port_choose(const struct nx_pkt *pkt,
			       const struct nx_service *service, __u32 ifindex,
			       struct nx_choice *choice)
{
	struct nx_backend_key key = { .list = NX_BACKENDS_ALL };
	struct nx_backend *backend;
	struct nx_addr src;

	if (!pkt || !service || !choice ||
	    host_port_skips(pkt, service, ifindex))
		return NX_R_NOT_OURS;
	key.service = service->number;
	backend = backend_at(pkt->side, &key, 0);
	if (!backend)
		return NX_R_NOT_OURS;
	choice->to = *backend;
	choice->sticky = 0;
	if (pkt->tuple.proto == NX_L4_SCTP &&
	    choice->to.port != pkt->tuple.dport)
		return NX_R_SCTP_PORT;
	src = pkt->tuple.src;
	choice->masquerade = service->flags & NX_SERVICE_SOURCES &&
			     source_may_call(pkt->side, service->number, &src);
	return NX_R_HOST_PORT;
}
