#include "tests/unit/forward/rig.h"

#include <perdure/v1/record.pb-c.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/memory.h"
#include "log/embedded/embedded.h"

static const char *const names[RIG_NODE_COUNT] = {"a", "b"};

/* ---- views ---- */

static pd_cluster_view_t *view_for(rig_t *rig, int self)
{
    pd_cluster_view_t *view = PD_NEW(pd_cluster_view_t);
    pd_cluster_member_t *members = pd_calloc(RIG_NODE_COUNT, sizeof(*members));
    pd_cluster_place_t *places = pd_calloc(RIG_PARTITION_COUNT, sizeof(*places));
    int32_t index[RIG_NODE_COUNT];

    for (int i = 0; i < RIG_NODE_COUNT; i++) {
        index[i] = -1;
        if (rig->gone[i] && i != self)
            continue;
        index[i] = (int32_t)view->member_count;
        members[view->member_count++] = (pd_cluster_member_t){
            .name = pd_strdup(names[i]),
            .incarnation = pd_strdup("1"),
            .address = pd_strdup(rig->nodes[i].address),
            .leaving = rig->leaving[i],
        };
    }
    for (int i = 0; i < RIG_PARTITION_COUNT; i++) {
        int32_t owner = rig->owners[i];

        owner = owner < 0 ? -1 : index[owner];
        places[i] = (pd_cluster_place_t){
            .owner = owner, .preferred = owner, .standby = -1, .epoch = rig->epochs[i]};
    }
    atomic_init(&view->ref_count, 1);
    view->version = rig->version;
    view->self = (uint32_t)index[self];
    view->stale = rig->stale[self];
    view->members = members;
    view->partition_count = RIG_PARTITION_COUNT;
    view->partitions = places;
    return view;
}

void rig_tell_view_to(rig_t *rig, int node)
{
    pd_cluster_view_t *view = view_for(rig, node);

    pd_forward_set_view(rig->nodes[node].forward, view);
    pd_cluster_view_unref(view);
}

void rig_tell_view(rig_t *rig)
{
    rig->version++;
    for (int i = 0; i < RIG_NODE_COUNT; i++)
        rig_tell_view_to(rig, i);
}

/* ---- nodes ---- */

static void note_headers(rig_node_t *self, const pd_grpc_call_t *call)
{
    const char *name, *value;

    self->last_header_count = 0;
    for (size_t i = 0; pd_grpc_call_header_at(call, i, &name, &value); i++) {
        PD_ASSERT(self->last_header_count < PD_ARRAY_COUNT(self->last_headers));
        self->last_headers[self->last_header_count++] = (pd_grpc_metadata_t){
            pd_arena_strdup(&self->rig->arena, name), pd_arena_strdup(&self->rig->arena, value)};
    }
}

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    rig_node_t *self = ctx;

    self->call_count++;
    note_headers(self, call);
    pd_frontend_grpc_handler.on_call(&self->frontend_grpc, call);
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    pd_frontend_grpc_handler.on_cancel(&((rig_node_t *)ctx)->frontend_grpc, call);
}

static const pd_grpc_server_handler_t handler = {.on_call = on_call, .on_cancel = on_cancel};

/* `ctx` is the forward router's: whose, only the rig knows, and there are few. */
static rig_t *the_rig;

static void get_view(void *ctx, pd_call_t *call)
{
    for (int i = 0; i < RIG_NODE_COUNT; i++) {
        const rig_node_t *self = &the_rig->nodes[i];

        if (self->forward != ctx)
            continue;
        if (self->told_instead)
            pd_call_respond(call, self->told_instead);
        else
            pd_forward_router(self->forward).ops->get_view(ctx, call);
    }
}

static pd_router_t router_of(rig_node_t *self)
{
    pd_router_t router = pd_forward_router(self->forward);

    self->router_ops = *router.ops;
    self->router_ops.get_view = get_view;
    router.ops = &self->router_ops;
    return router;
}

static void publish_namespace(pd_namespaces_t *namespaces)
{
    Perdure__V1__NamespaceRow row = PERDURE__V1__NAMESPACE_ROW__INIT;

    row.namespace_id = (char *)RIG_NAMESPACE_ID;
    row.name = (char *)"default";
    row.retention_ns = 86400 * 1000 * RIG_MS;
    pd_namespaces_publish(namespaces, &row);
}

static void make_log(rig_node_t *self, const char *path)
{
    char log_path[400];
    pd_log_embedded_options_t log_options = {
        .directory = log_path,
        .partition_counts = {RIG_PARTITION_COUNT, RIG_PARTITION_COUNT, 1, RIG_PARTITION_COUNT},
    };
    pd_store_shared_options_t shared_options = {
        .block_cache_size = 1 << 20,
        .write_buffer_size = 4 << 20,
        .store_count = RIG_PARTITION_COUNT,
    };
    pd_error_t error;

    snprintf(log_path, sizeof(log_path), "%s/state", path);
    PD_ASSERT(mkdir(log_path, 0700) == 0);
    snprintf(log_path, sizeof(log_path), "%s/log", path);
    PD_ASSERT(pd_log_embedded_open(&log_options, &self->log, &error) == PD_OK);
    PD_ASSERT(pd_store_shared_new(&shared_options, &self->store_shared, &error) == PD_OK);
    self->codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    self->command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    self->rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
}

static void make_node(rig_node_t *self, int index)
{
    char path[300];
    pd_loop_t *front = pd_loop_event_loop(self->rig->front);
    pd_loop_event_options_t loop_options = {.name = "engine", .mailbox_count = 1000};
    pd_forward_options_t forward_options = {
        .loop = front, .node = self->name, .partition_count = RIG_PARTITION_COUNT};
    pd_node_options_t options = {
        .name = self->name,
        .data_path = path,
        .partition_count = RIG_PARTITION_COUNT,
        .loop_count = 1,
        .store_cache_size_max = 1 << 20,
        .flush_size = 1 << 20,
        .flush_delay_ns = 20 * RIG_MS,
        .disk_on_thread = true,
        .seed = 17 + (uint64_t)index,
    };
    pd_frontend_options_t frontend_options = {
        .loop = front, .seed = 91 + (uint64_t)index, .history_shard_count = RIG_PARTITION_COUNT};

    snprintf(path, sizeof(path), "%s/%s", self->rig->directory, self->name);
    PD_ASSERT(mkdir(path, 0700) == 0);
    make_log(self, path);
    self->engine = pd_loop_event_new(&loop_options);
    self->loops[0] = pd_loop_event_loop(self->engine);
    self->namespaces = pd_namespaces_new();
    publish_namespace(self->namespaces);
    self->peers = pd_peers_grpc_new(self->rig->front);
    forward_options.peers = pd_peers_grpc_peers(self->peers);
    forward_options.namespaces = self->namespaces;
    self->forward = pd_forward_new(&forward_options);
    options.loops = self->loops;
    options.log = self->log;
    options.codec = self->codec;
    options.command_codec = self->command_codec;
    options.rejected_codec = self->rejected_codec;
    options.far = pd_forward_far(self->forward);
    options.store_shared = self->store_shared;
    options.namespaces = self->namespaces;
    self->node = pd_node_new(&options);
    pd_forward_set_node(self->forward, self->node);
    frontend_options.router = router_of(self);
    frontend_options.namespaces = self->namespaces;
    self->frontend = pd_frontend_new(&frontend_options);
    self->frontend_grpc.frontend = self->frontend;
    self->frontend_grpc.loop = front;
}

static void make_ends(rig_node_t *self)
{
    pd_grpc_server_options_t server_options;
    pd_grpc_client_options_t client_options;
    pd_error_t error;

    pd_grpc_server_options_init(&server_options);
    PD_ASSERT(pd_grpc_server_new(self->rig->front, &server_options, &handler, self, &self->server,
                                 &error) == PD_OK);
    snprintf(self->address, sizeof(self->address), "127.0.0.1:%u",
             pd_grpc_server_port(self->server));
    pd_grpc_client_options_init(&client_options);
    client_options.address = self->address;
    PD_ASSERT(pd_grpc_client_new(self->rig->front, &client_options, &self->client, &error) ==
              PD_OK);
}

static void on_state(void *ctx, pd_node_state_t state)
{
    atomic_store(&((rig_node_t *)ctx)->state, (int)state);
}

static bool is_ready(void *ctx)
{
    return atomic_load(&((rig_node_t *)ctx)->state) == PD_NODE_READY;
}

static bool is_stopped(void *ctx)
{
    return atomic_load(&((rig_node_t *)ctx)->state) == PD_NODE_STOPPED;
}

rig_t *rig_new(void)
{
    rig_t *rig = the_rig = PD_NEW(rig_t);
    pd_loop_event_options_t options = {.name = "front", .mailbox_count = 10000};
    const char *parent = getenv("TMPDIR");

    snprintf(rig->directory, sizeof(rig->directory), "%s/perdure-forward-XXXXXX",
             parent ? parent : "/tmp");
    PD_ASSERT(mkdtemp(rig->directory));
    pd_arena_init(&rig->arena);
    rig->front = pd_loop_event_new(&options);
    rig->next_timeout_ns = 30000 * RIG_MS;
    for (int i = 0; i < RIG_PARTITION_COUNT; i++)
        rig->owners[i] = i / 2;
    for (int i = 0; i < RIG_NODE_COUNT; i++) {
        rig_node_t *self = &rig->nodes[i];

        self->rig = rig;
        self->name = names[i];
        make_node(self, i);
        make_ends(self);
    }
    rig_tell_view(rig);
    for (int i = 0; i < RIG_NODE_COUNT; i++) {
        pd_loop_event_start(rig->nodes[i].engine);
        pd_node_start(rig->nodes[i].node, on_state, &rig->nodes[i]);
        PD_ASSERT(rig_until(rig, is_ready, &rig->nodes[i]));
    }
    return rig;
}

static void on_server_stopped(void *ctx)
{
    ((rig_node_t *)ctx)->server_stopped = true;
}

static bool is_server_stopped(void *ctx)
{
    return ((rig_node_t *)ctx)->server_stopped;
}

void rig_kill(rig_t *rig, int node)
{
    rig_node_t *self = &rig->nodes[node];

    PD_ASSERT(!self->killed);
    self->killed = true;
    pd_grpc_server_stop(self->server, 0, on_server_stopped, self);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    return remove(path);
}

void rig_free(rig_t *rig)
{
    for (int i = 0; i < RIG_NODE_COUNT; i++) {
        rig_node_t *self = &rig->nodes[i];

        pd_grpc_client_free(self->client);
        pd_node_stop(self->node);
        PD_ASSERT(rig_until(rig, is_stopped, self));
        PD_ASSERT(!self->killed || rig_until(rig, is_server_stopped, self));
        pd_loop_event_stop(self->engine);
    }
    for (int i = 0; i < RIG_NODE_COUNT; i++) {
        rig_node_t *self = &rig->nodes[i];

        pd_peers_grpc_free(self->peers);
        pd_grpc_server_free(self->server);
        pd_frontend_free(self->frontend);
        pd_node_free(self->node);
        pd_forward_free(self->forward);
        pd_loop_event_free(self->engine);
        pd_log_close(self->log);
        pd_store_shared_free(self->store_shared);
        pd_record_codec_free(self->codec);
        pd_record_codec_free(self->command_codec);
        pd_record_codec_free(self->rejected_codec);
        pd_namespaces_free(self->namespaces);
    }
    pd_loop_event_free(rig->front);
    nftw(rig->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    pd_arena_deinit(&rig->arena);
    pd_free(rig);
}

/* ---- roles ---- */

typedef struct role_mail {
    pd_mail_t mail;
    pd_partition_t *partition;
    pd_partition_role_t role;
} role_mail_t;

static void run_role(pd_mail_t *mail)
{
    role_mail_t *self = PD_CONTAINER_OF(mail, role_mail_t, mail);

    pd_partition_set_role(self->partition, self->role, INT64_MAX);
    pd_free(self);
}

typedef struct wanted_state {
    pd_partition_t *partition;
    pd_partition_state_t state;
} wanted_state_t;

static bool has_state(void *ctx)
{
    wanted_state_t *wanted = ctx;
    pd_partition_status_t status;

    pd_partition_status(wanted->partition, &status);
    return status.state == wanted->state;
}

void rig_set_role(rig_t *rig, int node, uint32_t partition, pd_partition_role_t role)
{
    role_mail_t *mail = PD_NEW(role_mail_t);
    wanted_state_t wanted = {
        .partition = pd_node_partition(rig->nodes[node].node, partition),
        .state = role == PD_PARTITION_TO_OWN ? PD_PARTITION_OWNER : PD_PARTITION_IDLE,
    };

    mail->mail.run = run_role;
    mail->partition = wanted.partition;
    mail->role = role;
    pd_loop_post(pd_partition_loop(wanted.partition), &mail->mail);
    PD_ASSERT(rig_until(rig, has_state, &wanted));
}

/* ---- names ---- */

const char *rig_workflow_id(rig_t *rig, uint32_t partition, int nth)
{
    for (int i = 0;; i++) {
        const char *id = pd_arena_printf(&rig->arena, "workflow-%d", i);

        if (pd_partition_of(id, RIG_PARTITION_COUNT) == partition && nth-- == 0)
            return id;
    }
}

const char *rig_task_queue(rig_t *rig, int node, int nth)
{
    pd_cluster_view_t *view = view_for(rig, 0);

    for (int i = 0;; i++) {
        const char *name = pd_arena_printf(&rig->arena, "queue-%d", i);
        uint32_t home = pd_cluster_view_home(view, RIG_NAMESPACE_ID, name);

        if (strcmp(view->members[home].name, names[node]) == 0 && nth-- == 0) {
            pd_cluster_view_unref(view);
            return name;
        }
    }
}

/* ---- calls ---- */

static void on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    rig_call_t *call = ctx;

    call->done = true;
    call->code = reply->code;
    call->message = pd_strdup(reply->message);
    call->data = pd_memdup(reply->data.data, reply->data.size);
    call->size = reply->data.size;
}

void rig_send(rig_t *rig, int node, const char *method, const void *request, rig_call_t *call)
{
    size_t size = protobuf_c_message_get_packed_size(request);
    uint8_t *data = size ? pd_alloc(size) : NULL;
    pd_grpc_request_t grpc = {
        .path = pd_arena_printf(&rig->arena, "/temporal.api.workflowservice.v1.WorkflowService/%s",
                                method),
        .data = data,
        .size = size,
        .timeout_ns = rig->next_timeout_ns,
        .metadata = rig->metadata,
        .metadata_count = rig->metadata_count,
        .on_reply = on_reply,
        .ctx = call,
    };

    memset(call, 0, sizeof(*call));
    if (size)
        protobuf_c_message_pack(request, data);
    call->rig = rig;
    call->client = rig->nodes[node].client;
    /* The loop that is entered next may have slept for long: its clock is old. */
    pd_loop_event_refresh_ns(rig->front);
    call->pending = pd_grpc_client_call(call->client, &grpc);
}

static bool is_done(void *ctx)
{
    return ((rig_call_t *)ctx)->done;
}

void rig_await(rig_t *rig, rig_call_t *call)
{
    PD_ASSERT(rig_until(rig, is_done, call));
}

void rig_cancel(rig_t *rig, rig_call_t *call)
{
    PD_ASSERT(!call->done);
    pd_grpc_client_cancel(call->client, call->pending);
}

void rig_call_deinit(rig_call_t *call)
{
    pd_free(call->message);
    pd_free(call->data);
    memset(call, 0, sizeof(*call));
}

void *rig_answer(rig_t *rig, const rig_call_t *call, const ProtobufCMessageDescriptor *response)
{
    if (call->code != 0)
        return NULL;
    return pd_pb_unpack(response, &rig->arena, pd_bytes(call->data, call->size));
}

void *rig_call(rig_t *rig, int node, const char *method, const void *request,
               const ProtobufCMessageDescriptor *response, rig_call_t *call)
{
    rig_send(rig, node, method, request, call);
    rig_await(rig, call);
    return rig_answer(rig, call, response);
}

/* ---- running ---- */

typedef struct waiting {
    pd_timer_t timer;
    rig_t *rig;
    bool (*is)(void *ctx);
    void *ctx;
    int64_t until_ns;
    bool held;
} waiting_t;

static void look(pd_timer_t *timer)
{
    waiting_t *self = PD_CONTAINER_OF(timer, waiting_t, timer);
    pd_loop_t *loop = pd_loop_event_loop(self->rig->front);
    int64_t now_ns = pd_loop_now_ns(loop);

    self->held = self->is(self->ctx);
    if (self->held || now_ns >= self->until_ns)
        pd_loop_event_break(self->rig->front);
    else
        pd_loop_timer_start(loop, timer, now_ns + RIG_MS / 2);
}

bool rig_until(rig_t *rig, bool (*is)(void *ctx), void *ctx)
{
    waiting_t self = {.timer.fire = look, .rig = rig, .is = is, .ctx = ctx};
    pd_loop_t *loop = pd_loop_event_loop(rig->front);

    self.until_ns = pd_loop_event_refresh_ns(rig->front) + 20000 * RIG_MS;
    pd_loop_timer_start(loop, &self.timer, 0);
    pd_loop_event_run(rig->front);
    return self.held;
}
