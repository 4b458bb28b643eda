#include "engine/namespace.h"

#include <pthread.h>
#include <string.h>

#include "api/pb/pb.h"
#include "api/pb/time.h"
#include "base/assert.h"
#include "base/memory.h"

/* Few and append-only: readers take a lock for a few compares. A cluster with thousands of
 * namespaces would want a hash here. */
struct pd_namespaces {
    pthread_rwlock_t lock;
    pd_namespace_t **items;
    size_t count;
    size_t capacity;
};

void pd_namespace_row(const Perdure__V1__NamespaceRegistered *registered, int64_t time_ns,
                      pd_arena_t *arena, Perdure__V1__NamespaceRow *row)
{
    perdure__v1__namespace_row__init(row);
    row->namespace_id = registered->namespace_id;
    row->name = registered->name;
    row->description = registered->description;
    row->owner_email = registered->owner_email;
    row->retention_ns = pd_pb_duration_ns(registered->retention);
    row->is_global = registered->is_global;
    row->registered_time_ns = time_ns;
    row->n_data = registered->n_data;
    row->data = pd_arena_calloc(arena, registered->n_data + 1, sizeof(row->data[0]));
    for (size_t i = 0; i < registered->n_data; i++) {
        row->data[i] = PD_PB_NEW(arena, Perdure__V1__NamespaceRow__DataEntry,
                                 perdure__v1__namespace_row__data_entry);
        row->data[i]->key = registered->data[i]->key;
        row->data[i]->value = registered->data[i]->value;
    }
}

pd_namespaces_t *pd_namespaces_new(void)
{
    pd_namespaces_t *namespaces = PD_NEW(pd_namespaces_t);

    PD_ASSERT(pthread_rwlock_init(&namespaces->lock, NULL) == 0);
    return namespaces;
}

void pd_namespaces_free(pd_namespaces_t *namespaces)
{
    if (!namespaces)
        return;
    for (size_t i = 0; i < namespaces->count; i++) {
        protobuf_c_message_free_unpacked((ProtobufCMessage *)&namespaces->items[i]->row->base,
                                         NULL);
        pd_free(namespaces->items[i]);
    }
    pd_free(namespaces->items);
    pthread_rwlock_destroy(&namespaces->lock);
    pd_free(namespaces);
}

static const pd_namespace_t *find(const pd_namespaces_t *namespaces, const char *name,
                                  const char *id)
{
    for (size_t i = 0; i < namespaces->count; i++) {
        const pd_namespace_t *ns = namespaces->items[i];

        if ((name && strcmp(ns->name, name) == 0) || (id && strcmp(ns->id, id) == 0))
            return ns;
    }
    return NULL;
}

static Perdure__V1__NamespaceRow *copy_row(const Perdure__V1__NamespaceRow *row)
{
    size_t size = perdure__v1__namespace_row__get_packed_size(row);
    uint8_t *bytes = pd_alloc(size);
    Perdure__V1__NamespaceRow *copy;

    perdure__v1__namespace_row__pack(row, bytes);
    copy = perdure__v1__namespace_row__unpack(NULL, size, bytes);
    pd_free(bytes);
    PD_ASSERT(copy);
    return copy;
}

void pd_namespaces_publish(pd_namespaces_t *namespaces, const Perdure__V1__NamespaceRow *row)
{
    PD_ASSERT(pthread_rwlock_wrlock(&namespaces->lock) == 0);
    if (!find(namespaces, NULL, row->namespace_id)) {
        pd_namespace_t *ns = PD_NEW(pd_namespace_t);
        Perdure__V1__NamespaceRow *copy = copy_row(row);

        ns->row = copy;
        ns->id = copy->namespace_id;
        ns->name = copy->name;
        ns->retention_ns = copy->retention_ns;
        if (namespaces->count == namespaces->capacity) {
            namespaces->capacity = namespaces->capacity ? namespaces->capacity * 2 : 8;
            namespaces->items =
                pd_realloc(namespaces->items, namespaces->capacity * sizeof(namespaces->items[0]));
        }
        namespaces->items[namespaces->count++] = ns;
    }
    pthread_rwlock_unlock(&namespaces->lock);
}

static const pd_namespace_t *look_up(pd_namespaces_t *namespaces, const char *name, const char *id)
{
    const pd_namespace_t *ns;

    PD_ASSERT(pthread_rwlock_rdlock(&namespaces->lock) == 0);
    ns = find(namespaces, name, id);
    pthread_rwlock_unlock(&namespaces->lock);
    return ns;
}

const pd_namespace_t *pd_namespaces_by_name(pd_namespaces_t *namespaces, const char *name)
{
    return look_up(namespaces, name, NULL);
}

const pd_namespace_t *pd_namespaces_by_id(pd_namespaces_t *namespaces, const char *id)
{
    return look_up(namespaces, NULL, id);
}

size_t pd_namespaces_list(pd_namespaces_t *namespaces, size_t offset, const pd_namespace_t **out,
                          size_t capacity)
{
    size_t count, total;

    PD_ASSERT(pthread_rwlock_rdlock(&namespaces->lock) == 0);
    total = namespaces->count;
    for (count = 0; count < capacity && offset + count < total; count++)
        out[count] = namespaces->items[offset + count];
    pthread_rwlock_unlock(&namespaces->lock);
    return total;
}
