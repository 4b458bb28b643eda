/* Reading the members log, from its beginning and then along its tail. */
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "engine/cluster/cluster_private.h"

#define READ_AGAIN_NS ((int64_t)100 * 1000000)
#define NODE_PREFIX "node/"

static void read_on(pd_cluster_t *cluster);

/* ---- heartbeats ---- */

/* Another process runs under this node's name, and began later. Who leaves anyway has nothing more
 * to wait for, and no tombstone to write. */
static void superseded(pd_cluster_t *cluster, const Perdure__V1__Heartbeat *heartbeat)
{
    PD_DIAG(PD_DIAG_ERROR, "superseded",
            "node=%s address=%s: another process has joined under the same name; this one stops. "
            "Names must be unique in a cluster",
            cluster->name, pd_pb_str(heartbeat->address));
    if (cluster->state == PD_CLUSTER_LEAVING)
        cluster->name_lost = true;
    else
        pdi_cluster_set_state(cluster, PD_CLUSTER_SUPERSEDED);
}

static void own_heartbeat(pd_cluster_t *cluster, const Perdure__V1__Heartbeat *heartbeat)
{
    int order = strcmp(heartbeat->incarnation, cluster->incarnation);

    if (cluster->state == PD_CLUSTER_LOADING)
        return;
    if (order == 0)
        cluster->judged_ns = heartbeat->time_ns;
    else if (order > 0 && cluster->state != PD_CLUSTER_SUPERSEDED && !cluster->name_lost)
        superseded(cluster, heartbeat);
}

static void add_heartbeat(pd_cluster_t *cluster, const Perdure__V1__Heartbeat *heartbeat,
                          int64_t offset)
{
    pd_status_t status =
        pd_members_heartbeat(cluster->members, heartbeat, pdi_cluster_now_ns(cluster));

    if (status == PD_INVALID || status == PD_LIMIT) {
        PD_DIAG(PD_DIAG_WARN, "heartbeat ignored", "offset=%lld status=%s", (long long)offset,
                pd_status_name(status));
        return;
    }
    if (status == PD_OK && strcmp(heartbeat->node, cluster->name) == 0)
        own_heartbeat(cluster, heartbeat);
}

static void add_tombstone(pd_cluster_t *cluster, pd_bytes_t key)
{
    char name[PD_MEMBER_NAME_SIZE_MAX + 1];
    size_t prefix_size = strlen(NODE_PREFIX), size = key.size - prefix_size;

    if (key.size <= prefix_size || size > PD_MEMBER_NAME_SIZE_MAX ||
        memcmp(key.data, NODE_PREFIX, prefix_size) != 0)
        return;
    memcpy(name, key.data + prefix_size, size);
    name[size] = '\0';
    pd_members_left(cluster->members, name);
}

static void add_record(pd_cluster_t *cluster, const pd_log_record_t *stored)
{
    const Perdure__V1__Member *member;
    ProtobufCMessage *message;
    pd_error_t error;

    if (!stored->value.data) {
        add_tombstone(cluster, stored->key);
        return;
    }
    pd_arena_reset(&cluster->arena);
    if (pd_record_decode(cluster->options.codec, &cluster->arena, stored->value, &message,
                         &error) != PD_OK) {
        PD_DIAG(PD_DIAG_WARN, "unreadable member record", "offset=%lld error=\"%s\"",
                (long long)stored->offset, error.text);
        return;
    }
    member = (const Perdure__V1__Member *)message;
    if (member->body_case == PERDURE__V1__MEMBER__BODY_HEARTBEAT)
        add_heartbeat(cluster, member->heartbeat, stored->offset);
    else if (member->body_case == PERDURE__V1__MEMBER__BODY_NAMESPACE)
        pdi_namespace_read(cluster, member->namespace_, stored->time_ms);
}

/* ---- the log ---- */

/* Lives of one name are numbered. The number comes first, so that later ones are greater as texts;
 * what follows tells two apart that began at the same time. */
static void choose_incarnation(pd_cluster_t *cluster)
{
    const pd_member_t *before = pd_members_find(cluster->members, cluster->name);
    unsigned long long number = before ? strtoull(before->incarnation, NULL, 10) : 0;

    snprintf(cluster->incarnation, sizeof(cluster->incarnation), "%010llu-%016llx",
             (number + 1) % 10000000000ull, (unsigned long long)pd_random_u64(&cluster->random));
}

static void loaded(pd_cluster_t *cluster)
{
    choose_incarnation(cluster);
    cluster->loaded_ns = cluster->judged_ns = pdi_cluster_now_ns(cluster);
    PD_DIAG(PD_DIAG_INFO, "joining the cluster", "node=%s incarnation=%s address=%s", cluster->name,
            cluster->incarnation, cluster->address);
    pdi_cluster_set_state(cluster, PD_CLUSTER_JOINING);
    pdi_beat_start(cluster);
}

static void on_read_timer(pd_timer_t *timer)
{
    read_on(PD_CONTAINER_OF(timer, pd_cluster_t, read_timer));
}

static void on_read(pd_log_read_t *read)
{
    pd_cluster_t *cluster = PD_CONTAINER_OF(read, pd_cluster_t, read);

    if (!cluster->reader) /* closed meanwhile */
        return;
    if (read->status != PD_OK) {
        if (read->status == PD_NOT_FOUND) /* compacted away: from what is left */
            cluster->read_offset = PD_LOG_FIRST;
        PD_DIAG(PD_DIAG_WARN, "members log cannot be read", "status=%s",
                pd_status_name(read->status));
        cluster->read_timer.fire = on_read_timer;
        pd_loop_timer_start(cluster->options.loop, &cluster->read_timer,
                            pdi_cluster_now_ns(cluster) + READ_AGAIN_NS);
        return;
    }
    for (uint32_t i = 0; i < read->count; i++)
        add_record(cluster, &read->records[i]);
    cluster->read_offset = read->next_offset;
    if (cluster->state == PD_CLUSTER_LOADING && read->next_offset >= read->end_offset)
        loaded(cluster);
    if (cluster->namespace_read) /* somebody waits for all to know */
        pdi_beat_now(cluster);
    cluster->namespace_read = false;
    pdi_roles_judge(cluster);
    read_on(cluster);
}

static void read_on(pd_cluster_t *cluster)
{
    if (!cluster->reader)
        return;
    cluster->read.from_offset = cluster->read_offset;
    cluster->read.size_max = 0;
    cluster->read.wait = cluster->state != PD_CLUSTER_LOADING;
    cluster->read.done = on_read;
    pd_log_read(cluster->reader, &cluster->read);
}

static void on_open_timer(pd_timer_t *timer)
{
    pdi_tail_start(PD_CONTAINER_OF(timer, pd_cluster_t, read_timer));
}

void pdi_tail_start(pd_cluster_t *cluster)
{
    pd_log_handle_options_t handle = {.loop = cluster->options.loop, .topic = PD_LOG_MEMBERS};
    pd_error_t error;

    cluster->read_offset = PD_LOG_FIRST;
    if (pd_log_open_reader(cluster->options.log, &handle, &cluster->reader, &error) == PD_OK) {
        read_on(cluster);
        return;
    }
    PD_DIAG(PD_DIAG_ERROR, "members log cannot be opened", "error=\"%s\"", error.text);
    cluster->read_timer.fire = on_open_timer;
    pd_loop_timer_start(cluster->options.loop, &cluster->read_timer,
                        pdi_cluster_now_ns(cluster) + READ_AGAIN_NS);
}

static void on_closed(pd_mail_t *mail)
{
    pd_cluster_t *cluster = PD_CONTAINER_OF(mail, pd_cluster_t, reader_closed);

    cluster->closing_reader = false;
    pdi_cluster_maybe_stopped(cluster);
}

void pdi_tail_end(pd_cluster_t *cluster)
{
    pd_log_reader_t *reader = cluster->reader;

    pd_loop_timer_stop(cluster->options.loop, &cluster->read_timer);
    if (!reader)
        return;
    cluster->reader = NULL;
    cluster->closing_reader = true;
    cluster->reader_closed.run = on_closed;
    pd_log_close_reader(reader, &cluster->reader_closed);
}
