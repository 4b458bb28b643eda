/* Namespaces in the members log: what is read of them, and who knows them.
 *
 * Whoever registered a namespace may turn to any node next. So he is answered when every member
 * that lives has told, with its heartbeat, that it has read the record:
 *
 *   record acknowledged ──▶ members read it, and say so at once ──all──▶ answered
 *                                                    └─ a node's timeout later ──▶ answered */
#include "api/pb/time.h"
#include "engine/cluster/cluster_private.h"

/* ---- what the log tells ---- */

bool pdi_namespace_is_told(const pd_cluster_t *cluster, const char *namespace_id)
{
    pdi_told_t *told;

    HASH_FIND(hh, cluster->told, namespace_id, strlen(namespace_id), told);
    return told != NULL;
}

/* False: it was known. */
static bool note_told(pd_cluster_t *cluster, const char *namespace_id)
{
    size_t size = strlen(namespace_id) + 1;
    pdi_told_t *told;

    if (pdi_namespace_is_told(cluster, namespace_id))
        return false;
    told = pd_calloc(1, sizeof(*told) + size);
    memcpy(told->id, namespace_id, size);
    HASH_ADD(hh, cluster->told, id, size - 1, told);
    return true;
}

void pdi_namespaces_forget_told(pd_cluster_t *cluster)
{
    pdi_told_t *told, *next;

    HASH_ITER (hh, cluster->told, told, next) {
        HASH_DEL(cluster->told, told);
        pd_free(told);
    }
}

void pdi_namespace_read(pd_cluster_t *cluster, const Perdure__V1__NamespaceRegistered *registered,
                        int64_t time_ms)
{
    Perdure__V1__NamespaceRow row;

    if (pd_pb_empty(registered->namespace_id) || pd_pb_empty(registered->name))
        return;
    cluster->namespace_read =
        note_told(cluster, registered->namespace_id) || cluster->namespace_read;
    pd_namespace_row(registered, time_ms * 1000000, &cluster->arena, &row);
    pd_namespaces_publish(cluster->options.namespaces, &row);
}

/* ---- who knows ---- */

void pdi_namespace_written(pd_cluster_t *cluster, pd_call_t *call, int64_t offset)
{
    pdi_registered_t *registered = PD_NEW(pdi_registered_t);

    registered->call = call;
    registered->offset = offset;
    registered->until_ns = pdi_cluster_now_ns(cluster) + cluster->options.dead_after_ns;
    STAILQ_INSERT_TAIL(&cluster->registered, registered, link);
    if (cluster->ended)
        pdi_namespaces_end(cluster);
}

static void answer_first(pd_cluster_t *cluster)
{
    pdi_registered_t *registered = STAILQ_FIRST(&cluster->registered);

    STAILQ_REMOVE_HEAD(&cluster->registered, link);
    pd_call_respond_data(registered->call, pd_alloc(0), 0);
    pd_free(registered);
}

/* What every member has read is below this offset, at least. */
static int64_t read_by_all(const pd_cluster_t *cluster, const pd_member_t *const *alive,
                           uint32_t count)
{
    int64_t offset = cluster->read_offset;

    for (uint32_t i = 0; i < count; i++) {
        bool tells = alive[i]->read_offset > 0 && strcmp(alive[i]->name, cluster->name) != 0;

        if (tells && alive[i]->read_offset < offset)
            offset = alive[i]->read_offset;
    }
    return offset;
}

void pdi_namespaces_judge(pd_cluster_t *cluster, const pd_member_t *const *alive, uint32_t count)
{
    int64_t read = read_by_all(cluster, alive, count), now_ns = pdi_cluster_now_ns(cluster);
    const pdi_registered_t *first;

    while ((first = STAILQ_FIRST(&cluster->registered)) &&
           (first->offset < read || now_ns >= first->until_ns))
        answer_first(cluster);
}

void pdi_namespaces_end(pd_cluster_t *cluster)
{
    while (!STAILQ_EMPTY(&cluster->registered))
        answer_first(cluster);
}
