/* namespace.h -- the namespaces this node knows. Partition 0's log is their source; everybody else
 * reads this registry. Entries are immutable once published and live as long as the registry.
 * Thread: any (a lock inside). Ownership: entries belong to the registry. */
#ifndef PD_ENGINE_NAMESPACE_H
#define PD_ENGINE_NAMESPACE_H

#include <perdure/v1/record.pb-c.h>
#include <perdure/v1/state.pb-c.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct pd_namespaces pd_namespaces_t;

typedef struct pd_namespace {
    const char *id; /* UUID */
    const char *name;
    int64_t retention_ns;
    const Perdure__V1__NamespaceRow *row;
} pd_namespace_t;

/* The row that the event makes. Texts are those of the event, lists are in the arena. */
void pd_namespace_row(const Perdure__V1__NamespaceRegistered *registered, int64_t time_ns,
                      pd_arena_t *arena, Perdure__V1__NamespaceRow *row);

pd_namespaces_t *pd_namespaces_new(void);
void pd_namespaces_free(pd_namespaces_t *namespaces);
/* Publishes a copy of the row; a namespace that is known already (same ID) is left alone. */
void pd_namespaces_publish(pd_namespaces_t *namespaces, const Perdure__V1__NamespaceRow *row);
/* NULL when unknown. */
const pd_namespace_t *pd_namespaces_by_name(pd_namespaces_t *namespaces, const char *name);
const pd_namespace_t *pd_namespaces_by_id(pd_namespaces_t *namespaces, const char *id);
/* In order of registration. Returns the count; fills at most `capacity` entries from `offset`. */
size_t pd_namespaces_list(pd_namespaces_t *namespaces, size_t offset, const pd_namespace_t **out,
                          size_t capacity);

#endif
