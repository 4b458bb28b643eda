/* Writing to the members log: heartbeats, namespaces, at last a tombstone. One record is in flight
 * at a time, so that a heartbeat always tells how it is, not how it was when it was queued. */
#include <stdio.h>

#include "api/pb/time.h"
#include "base/diag.h"
#include "engine/cluster/cluster_private.h"

#define UNHEARD_TIMEOUTS 5
/* A broker's successor may need ten seconds to be found. All nodes are as deaf meanwhile, and what
 * they own elsewhere they should go on serving. */
#define DEAF_TIMEOUTS 15
#define UNHEARD_TELL_NS ((int64_t)10 * 1000000000)

static void write_next(pd_cluster_t *cluster);

/* ---- records ---- */

static pdi_beat_t *beat_new(pd_cluster_t *cluster, int kind, const char *prefix, const char *name)
{
    pdi_beat_t *beat = PD_NEW(pdi_beat_t);
    size_t size = strlen(prefix) + strlen(name) + 1;

    beat->cluster = cluster;
    beat->kind = kind;
    beat->key = pd_alloc(size);
    snprintf(beat->key, size, "%s%s", prefix, name);
    pd_buf_init(&beat->value, PD_LOG_RECORD_SIZE_LIMIT);
    return beat;
}

static void beat_free(pdi_beat_t *beat)
{
    if (beat->row)
        perdure__v1__namespace_row__free_unpacked(beat->row, NULL);
    pd_buf_deinit(&beat->value);
    pd_free(beat->key);
    pd_free(beat);
}

static bool encode_heartbeat(pd_cluster_t *cluster, pdi_beat_t *beat)
{
    Perdure__V1__Member member = PERDURE__V1__MEMBER__INIT;
    Perdure__V1__Heartbeat heartbeat = PERDURE__V1__HEARTBEAT__INIT;
    uint32_t count = cluster->options.partition_count;

    pd_arena_reset(&cluster->arena);
    heartbeat.node = cluster->name;
    heartbeat.incarnation = cluster->incarnation;
    heartbeat.address = cluster->address;
    heartbeat.version = cluster->version;
    heartbeat.number = ++cluster->number;
    heartbeat.time_ns = pdi_cluster_now_ns(cluster);
    heartbeat.read_offset = cluster->read_offset;
    heartbeat.leaving = cluster->state == PD_CLUSTER_LEAVING;
    heartbeat.n_partitions = count;
    heartbeat.partitions = pd_arena_calloc(&cluster->arena, count, sizeof(heartbeat.partitions[0]));
    for (uint32_t i = 0; i < count; i++) {
        pd_member_partition_t status;

        cluster->options.partitions.status(cluster->options.partitions.ctx, i, &status);
        cluster->said[i] = status;
        heartbeat.partitions[i] =
            PD_PB_NEW(&cluster->arena, Perdure__V1__PartitionStatus, perdure__v1__partition_status);
        heartbeat.partitions[i]->partition = (int32_t)i;
        heartbeat.partitions[i]->role = (Perdure__V1__PartitionStatus__Role)status.role;
        heartbeat.partitions[i]->epoch = status.epoch;
        heartbeat.partitions[i]->applied_offset = status.applied_offset;
        heartbeat.partitions[i]->end_offset = status.end_offset;
        heartbeat.partitions[i]->acquiring = status.acquiring;
    }
    member.body_case = PERDURE__V1__MEMBER__BODY_HEARTBEAT;
    member.heartbeat = &heartbeat;
    return pd_record_encode(cluster->options.codec, &member.base, &beat->value) == PD_OK;
}

static bool encode_namespace(pd_cluster_t *cluster, pdi_beat_t *beat)
{
    Perdure__V1__Member member = PERDURE__V1__MEMBER__INIT;
    Perdure__V1__NamespaceRegistered registered = PERDURE__V1__NAMESPACE_REGISTERED__INIT;
    const Perdure__V1__NamespaceRow *row = beat->row;

    pd_arena_reset(&cluster->arena);
    registered.namespace_id = row->namespace_id;
    registered.name = row->name;
    registered.description = row->description;
    registered.owner_email = row->owner_email;
    registered.retention = pd_pb_duration(&cluster->arena, row->retention_ns);
    registered.is_global = row->is_global;
    registered.n_data = row->n_data;
    registered.data = pd_arena_calloc(&cluster->arena, row->n_data + 1, sizeof(registered.data[0]));
    for (size_t i = 0; i < row->n_data; i++) {
        registered.data[i] = PD_PB_NEW(&cluster->arena, Perdure__V1__NamespaceRegistered__DataEntry,
                                       perdure__v1__namespace_registered__data_entry);
        registered.data[i]->key = row->data[i]->key;
        registered.data[i]->value = row->data[i]->value;
    }
    member.body_case = PERDURE__V1__MEMBER__BODY_NAMESPACE;
    member.namespace_ = &registered;
    return pd_record_encode(cluster->options.codec, &member.base, &beat->value) == PD_OK;
}

static bool encode(pd_cluster_t *cluster, pdi_beat_t *beat)
{
    pd_buf_clear(&beat->value);
    switch (beat->kind) {
    case PDI_BEAT_HEARTBEAT:
        return encode_heartbeat(cluster, beat);
    case PDI_BEAT_NAMESPACE:
        return encode_namespace(cluster, beat);
    case PDI_BEAT_TOMBSTONE:
        return true;
    }
    return false;
}

/* ---- the writer ---- */

static void on_closed(pd_mail_t *mail)
{
    pd_cluster_t *cluster = PD_CONTAINER_OF(mail, pd_cluster_t, writer_closed);

    cluster->closing_writer = false;
    pdi_cluster_maybe_stopped(cluster);
}

static void close_writer(pd_cluster_t *cluster)
{
    pd_log_writer_t *writer = cluster->writer;

    if (!writer)
        return;
    cluster->writer = NULL;
    cluster->closing_writer = true;
    cluster->writer_closed.run = on_closed;
    pd_log_close_writer(writer, &cluster->writer_closed);
}

static void open_writer(pd_cluster_t *cluster)
{
    pd_log_handle_options_t handle = {.loop = cluster->options.loop, .topic = PD_LOG_MEMBERS};
    pd_error_t error;

    if (cluster->writer || cluster->closing_writer)
        return;
    if (pd_log_open_writer(cluster->options.log, &handle, &cluster->writer, &error) != PD_OK) {
        cluster->writer = NULL;
        PD_DIAG(PD_DIAG_WARN, "members log cannot be written", "error=\"%s\"", error.text);
    }
}

/* It is in the log, or will be written again by the next writer: records of this log may repeat. */
static void on_append(pd_log_append_t *append)
{
    pd_cluster_t *cluster = PD_CONTAINER_OF(append, pd_cluster_t, append);
    pdi_beat_t *beat = cluster->in_flight;

    cluster->in_flight = NULL;
    if (append->status != PD_OK && !cluster->ended) {
        PD_DIAG(PD_DIAG_WARN, "members log cannot be written", "status=%s",
                pd_status_name(append->status));
        close_writer(cluster);
        if (beat->kind == PDI_BEAT_HEARTBEAT) {
            cluster->heartbeat_queued = false;
            beat_free(beat); /* the timer makes another */
        } else {
            STAILQ_INSERT_HEAD(&cluster->beats, beat, link);
        }
        return; /* the timer goes on */
    }
    if (beat->call && append->status == PD_OK)
        pdi_namespace_written(cluster, beat->call, append->offset);
    else if (beat->call)
        pd_call_fail(beat->call, pd_rpc_unavailable(beat->call->arena, "the node is stopping"));
    if (beat->kind == PDI_BEAT_TOMBSTONE && append->status == PD_OK)
        cluster->tombstone_written = true;
    beat_free(beat);
    if (cluster->ended)
        pdi_cluster_maybe_stopped(cluster);
    else if (cluster->tombstone_written)
        pdi_cluster_end(cluster);
    else
        write_next(cluster);
}

static void write_next(pd_cluster_t *cluster)
{
    pdi_beat_t *beat = STAILQ_FIRST(&cluster->beats);

    if (!beat || cluster->in_flight || cluster->ended || cluster->incarnation[0] == '\0')
        return;
    open_writer(cluster);
    if (!cluster->writer)
        return; /* the timer goes on */
    STAILQ_REMOVE_HEAD(&cluster->beats, link);
    if (beat->kind == PDI_BEAT_HEARTBEAT)
        cluster->heartbeat_queued = false;
    cluster->in_flight = beat;
    memset(&cluster->append, 0, sizeof(cluster->append));
    cluster->append.done = on_append;
    cluster->append.key = pd_bytes_str(beat->key);
    PD_ASSERT(encode(cluster, beat)); /* bounded: names and statuses, or what the log held before */
    if (beat->kind != PDI_BEAT_TOMBSTONE)
        cluster->append.value = pd_buf_bytes(&beat->value);
    PD_ASSERT(pd_log_append(cluster->writer, &cluster->append) == PD_OK);
}

/* ---- what is to be written ---- */

void pdi_beat_now(pd_cluster_t *cluster)
{
    pdi_beat_t *beat;

    if (cluster->ended || cluster->tombstone_queued || cluster->state == PD_CLUSTER_LOADING ||
        cluster->state == PD_CLUSTER_SUPERSEDED)
        return;
    if (!cluster->heartbeat_queued) {
        cluster->heartbeat_queued = true;
        beat = beat_new(cluster, PDI_BEAT_HEARTBEAT, "node/", cluster->name);
        STAILQ_INSERT_HEAD(&cluster->beats, beat, link);
    }
    write_next(cluster);
}

void pdi_beat_news(pd_cluster_t *cluster)
{
    for (uint32_t i = 0; i < cluster->options.partition_count; i++) {
        pd_member_partition_t status;

        cluster->options.partitions.status(cluster->options.partitions.ctx, i, &status);
        if (status.role != cluster->said[i].role || status.epoch != cluster->said[i].epoch) {
            pdi_beat_now(cluster);
            return;
        }
    }
}

void pdi_beat_tombstone(pd_cluster_t *cluster)
{
    pdi_beat_t *beat;

    if (cluster->tombstone_queued)
        return;
    cluster->tombstone_queued = true;
    beat = beat_new(cluster, PDI_BEAT_TOMBSTONE, "node/", cluster->name);
    STAILQ_INSERT_TAIL(&cluster->beats, beat, link);
    write_next(cluster);
}

static void set_deaf(pd_cluster_t *cluster, bool deaf)
{
    if (atomic_load_explicit(&cluster->deaf, memory_order_relaxed) == deaf)
        return;
    atomic_store_explicit(&cluster->deaf, deaf, memory_order_relaxed);
    PD_DIAG(PD_DIAG_WARN, deaf ? "the node is deaf" : "the node hears itself again",
            "node=%s: its health is %s", cluster->name, deaf ? "NOT_SERVING" : "SERVING");
    if (cluster->changed)
        cluster->changed(cluster->changed_ctx, cluster->state);
}

/* A node that does not hear itself judges nobody, and takes and gives nothing. */
static void watch_own(pd_cluster_t *cluster, int64_t now_ns)
{
    int64_t unheard_ns = cluster->unheard_ns + cluster->options.heartbeat_interval_ns;

    if (cluster->watched_ns != cluster->judged_ns)
        unheard_ns = 0;
    cluster->watched_ns = cluster->judged_ns;
    cluster->unheard_ns = unheard_ns;
    set_deaf(cluster, unheard_ns >= DEAF_TIMEOUTS * cluster->options.dead_after_ns);
    if (unheard_ns < UNHEARD_TIMEOUTS * cluster->options.dead_after_ns ||
        now_ns - cluster->unheard_told_ns < UNHEARD_TELL_NS)
        return;
    cluster->unheard_told_ns = now_ns;
    PD_DIAG(PD_DIAG_WARN, "own heartbeats do not come back",
            "node=%s for_ms=%lld read_offset=%lld: the members log is not written, or not read",
            cluster->name, (long long)(unheard_ns / 1000000), (long long)cluster->read_offset);
}

/* A timer that comes late means that this node was paused, or its clock was set: during that time
 * it heard of nobody. */
static void on_beat_timer(pd_timer_t *timer)
{
    pd_cluster_t *cluster = PD_CONTAINER_OF(timer, pd_cluster_t, beat_timer);
    int64_t now_ns = pdi_cluster_now_ns(cluster), late_ns = now_ns - cluster->beat_due_ns;

    if (late_ns > cluster->options.heartbeat_interval_ns / 2)
        pd_members_excuse(cluster->members, late_ns, now_ns);
    cluster->beat_due_ns = now_ns + cluster->options.heartbeat_interval_ns;
    pd_loop_timer_start(cluster->options.loop, timer, cluster->beat_due_ns);
    watch_own(cluster, now_ns);
    pdi_beat_now(cluster);
    write_next(cluster);
    pdi_roles_judge(cluster);
}

void pdi_beat_start(pd_cluster_t *cluster)
{
    cluster->beat_timer.fire = on_beat_timer;
    cluster->beat_due_ns = pdi_cluster_now_ns(cluster);
    pd_loop_timer_start(cluster->options.loop, &cluster->beat_timer, cluster->beat_due_ns);
}

/* ---- namespaces ---- */

static void run_announce(pd_mail_t *mail)
{
    pdi_beat_t *beat = PD_CONTAINER_OF(mail, pdi_beat_t, mail);
    pd_cluster_t *cluster = beat->cluster;

    if (cluster->ended) {
        if (beat->call)
            pd_call_fail(beat->call, pd_rpc_unavailable(beat->call->arena, "the node is stopping"));
        beat_free(beat);
        return;
    }
    if (!beat->call && pdi_namespace_is_told(cluster, beat->row->namespace_id)) {
        beat_free(beat);
        return;
    }
    STAILQ_INSERT_TAIL(&cluster->beats, beat, link);
    write_next(cluster);
}

void pd_cluster_announce(pd_cluster_t *cluster, const Perdure__V1__NamespaceRow *row,
                         pd_call_t *call)
{
    pdi_beat_t *beat = beat_new(cluster, PDI_BEAT_NAMESPACE, "namespace/", row->namespace_id);
    size_t size = perdure__v1__namespace_row__get_packed_size(row);
    uint8_t *bytes = pd_alloc(size);

    perdure__v1__namespace_row__pack(row, bytes);
    beat->row = perdure__v1__namespace_row__unpack(NULL, size, bytes);
    PD_ASSERT(beat->row);
    pd_free(bytes);
    beat->call = call;
    beat->mail.run = run_announce;
    pd_loop_post(cluster->options.loop, &beat->mail);
}

void pdi_beat_end(pd_cluster_t *cluster)
{
    pdi_beat_t *beat;

    cluster->ended = true;
    pd_loop_timer_stop(cluster->options.loop, &cluster->beat_timer);
    while ((beat = STAILQ_FIRST(&cluster->beats))) {
        STAILQ_REMOVE_HEAD(&cluster->beats, link);
        if (beat->call)
            pd_call_fail(beat->call, pd_rpc_unavailable(beat->call->arena, "the node is stopping"));
        beat_free(beat);
    }
    pdi_namespaces_end(cluster);
    close_writer(cluster);
}
