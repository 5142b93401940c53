/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/addr.h"
#include "bpf/lib/config.h"

/* Lookups in the maps of Services, under one copy of the configuration. */

static __always_inline struct nx_service *
service_at(__u32 side, const struct nx_service_key *key)
{
	return side & 1 ? bpf_map_lookup_elem(&nx_service_right, key) :
			  bpf_map_lookup_elem(&nx_service_left, key);
}

/* Of the key's list; its block is found from the index. */
static __always_inline struct nx_backend *
backend_at(__u32 side, struct nx_backend_key *key, __u32 index)
{
	struct nx_backend_block *block;

	key->block = index / NX_BACKEND_BLOCK;
	block = side & 1 ? bpf_map_lookup_elem(&nx_backend_right, key) :
			   bpf_map_lookup_elem(&nx_backend_left, key);
	return block ? &block->at[index % NX_BACKEND_BLOCK] : NULL;
}

static __always_inline struct nx_table *table_at(__u32 side,
						 const struct nx_table_key *key)
{
	return side & 1 ? bpf_map_lookup_elem(&nx_table_right, key) :
			  bpf_map_lookup_elem(&nx_table_left, key);
}

static __always_inline bool backend_eq(const struct nx_backend *a,
				       const struct nx_backend *b)
{
	return addr_eq(&a->addr, &b->addr) && a->port == b->port;
}

/* Whether a source may call a load balancer's address of the Service port. */
static __always_inline bool source_may_call(__u32 side, __u32 number,
					    const struct nx_addr *src)
{
	struct nx_source_key key = { .length = 32 + 128,
				     .service = number,
				     .addr = *src };

	return side & 1 ? !!bpf_map_lookup_elem(&nx_source_right, &key) :
			  !!bpf_map_lookup_elem(&nx_source_left, &key);
}

/* The Service that has the tuple's destination port as NodePort at all of the
 * node's addresses.
 */
static __always_inline struct nx_service *
node_port_of(__u32 side, const struct nx_tuple *t, bool v6)
{
	struct nx_service_key key = { .port = t->dport, .proto = t->proto };

	if (!v6)
		addr_set_v4(&key.addr, 0);
	return service_at(side, &key);
}

/* The Service that is called with the tuple's destination: at the address
 * itself (KUBE-SERVICES' rules), or as a NodePort (its last one); or the host
 * port, whose chains come after that and are for the node's own addresses.
 */
static __always_inline struct nx_service *
service_of(__u32 side, const struct nx_config *config, const struct nx_tuple *t,
	   bool v6)
{
	struct nx_service_key key = { .addr = t->dst,
				      .port = t->dport,
				      .proto = t->proto };
	struct nx_service *service;

	if (is_any(&key.addr, v6))
		return NULL;
	service = service_at(side, &key);
	if (service ? !(service->flags & NX_SERVICE_HOST_PORT) :
		      !config->node_ports)
		return service;
	if (is_loopback(&key.addr, v6) ||
	    !bpf_map_lookup_elem(&nx_local, &key.addr))
		return NULL;
	return service ? service : node_port_of(side, t, v6);
}

/* The search for an endpoint in a list. */
struct nx_backend_search {
	struct nx_backend_key key;
	struct nx_backend wanted;
	__u32 side;
	__u32 index; /* where it was found */
	bool found;
};

static long backend_step(__u32 index, void *context)
{
	struct nx_backend_search *search = context;
	struct nx_backend_key key = search->key;
	struct nx_backend *backend;

	backend = backend_at(search->side, &key, index);
	if (!backend || !backend_eq(backend, &search->wanted))
		return 0;
	search->index = index;
	search->found = true;
	return 1;
}

/* Whether an endpoint is still one of a list's `count`, and where: into *index,
 * which says where to look first.
 */
static __always_inline bool backend_listed(__u32 side,
					   struct nx_backend_key *key,
					   __u32 *index, __u32 count,
					   const struct nx_backend *wanted)
{
	struct nx_backend_search search = { .key = *key,
					    .wanted = *wanted,
					    .side = side };
	struct nx_backend *backend = backend_at(side, key, *index);

	if (backend && backend_eq(backend, wanted))
		return true;
	bpf_loop(count, backend_step, &search, 0);
	*index = search.index;
	return search.found;
}
