/* forward_private.h -- the inside of forwarding: forward.c (the router), route.c (one call's ways),
 * offers.c (ready tasks to the homes of their queues), starts.c (tasks of other nodes to workers),
 * neighbours.c (whose view it goes by).
 * Thread: the front loop. */
#ifndef PD_ENGINE_FORWARD_FORWARD_PRIVATE_H
#define PD_ENGINE_FORWARD_FORWARD_PRIVATE_H

#include <sys/queue.h>

#include "base/assert.h"
#include "base/memory.h"
#include "engine/cluster/members.h"
#include "engine/forward/forward.h"

enum {
    PDI_PARKED_COUNT_MAX = 20000,  /* calls that wait for a place to go to */
    PDI_AWAY_COUNT_MAX = 100000,   /* calls at other nodes; most are long polls */
    PDI_HEADER_COUNT_MAX = 48,     /* of a client's headers, that go along */
    PDI_INTERNAL_TIMEOUT_MS = 5000 /* of what nodes ask each other, when no client waits longer */
};

typedef enum pdi_route_state {
    PDI_ROUTE_HERE,   /* on its way, or with the local router */
    PDI_ROUTE_AWAY,   /* at a peer */
    PDI_ROUTE_PARKED, /* nowhere to go, for now */
} pdi_route_state_t;

/* A call that is not simply ours, in its arena. */
typedef struct pdi_route {
    TAILQ_ENTRY(pdi_route) link; /* parked */
    pd_forward_t *forward;
    pd_call_t *call;
    pdi_route_state_t state;
    /* Where it belongs: a partition, or (partition < 0) the home of a task queue. */
    int32_t partition;
    const char *namespace_id, *task_queue;
    bool is_read; /* to do it twice does no harm */
    bool is_poll; /* rather answered empty than failed */
    /* Hands it to the local router; false: a mailbox is full. */
    bool (*go_here)(struct pdi_route *route);
    void *what; /* of go_here */
    const pd_namespace_t *ns;
    const void *request;
    const Perdure__V1__TaskToken *token;
    const char *new_namespace; /* is known here, too, before its registration is answered */
    bool is_done;              /* … and only that is waited for */
    void *pending;             /* of the peers, while AWAY */
    const pd_rpc_error_t *last_error;
    int64_t give_up_ns; /* 0: not parked yet */
    int64_t next_try_ns;
    int64_t pause_ns;
} pdi_route_t;
typedef TAILQ_HEAD(pdi_routes, pdi_route) pdi_routes_t;

/* A ready task on its way to its queue's home. */
typedef struct pdi_far_offer {
    pd_mail_t mail;
    TAILQ_ENTRY(pdi_far_offer) link;
    pd_forward_t *forward;
    pd_offer_t offer;
    char strings[];
} pdi_far_offer_t;
typedef TAILQ_HEAD(pdi_far_offers, pdi_far_offer) pdi_far_offers_t;

/* What goes to one home. */
typedef struct pdi_outbox {
    struct pdi_outbox *next;
    pd_forward_t *forward;
    pdi_far_offers_t waiting, sent;
    void *pending;    /* of the peers: the batch under way */
    bool homes_moved; /* … since it was sent: what is refused of it may be at home elsewhere */
    pd_timer_t timer;
    char node[];
} pdi_outbox_t;

/* A task of another node that could not be started now. */
typedef struct pdi_kept_task {
    TAILQ_ENTRY(pdi_kept_task) link;
    pd_timer_t timer;
    pd_forward_t *forward;
    pd_arena_t arena;
    pd_offer_t task;
} pdi_kept_task_t;

/* Whose view `view` is. */
typedef struct pdi_neighbours {
    pd_cluster_view_t *own; /* the cluster's newest */
    bool borrowed;          /* `view` is a neighbour's */
    pd_timer_t timer;       /* to ask again, while our own is stale */
    void *pending;          /* of the peers: a question under way */
    uint32_t next;          /* member of `own` to be asked next */
    char asked[PD_MEMBER_NAME_SIZE_MAX + 1];
    pd_cluster_view_t *found; /* to be used on the next turn; NULL: none */
    pd_timer_t found_timer;
} pdi_neighbours_t;

struct pd_forward {
    pd_forward_options_t options;
    char *name;
    pd_node_t *node;
    pd_router_t local;       /* the node's */
    pd_cluster_view_t *view; /* NULL: all is ours */
    pdi_neighbours_t neighbours;
    pdi_routes_t parked;
    uint32_t parked_count, away_count;
    pd_timer_t retry_timer;
    pdi_outbox_t *outboxes;
    TAILQ_HEAD(, pdi_kept_task) kept;
    _Atomic(uint32_t) offer_count;
    _Atomic(bool) offers_dropped;
};

/* forward.c */
/* The header's value; NULL: the call comes from a client. */
const char *pdi_forwarded_by(const pd_call_t *call);
/* NULL: no member of the view has that name. */
const pd_cluster_member_t *pdi_member(const pd_forward_t *forward, const char *name);
/* From now on everything goes by this view. Takes the reference. */
void pdi_forward_use(pd_forward_t *forward, pd_cluster_view_t *view);

/* neighbours.c */
/* The cluster has a new view. Takes the reference. */
void pdi_neighbours_own_view(pd_forward_t *forward, pd_cluster_view_t *view);
void pdi_neighbours_free(pd_forward_t *forward);
void pdi_get_view_here(void *ctx, pd_call_t *call);

/* route.c */
/* Fails the call as not taken, for the node that sent it. */
void pdi_refuse(const pd_forward_t *forward, pd_call_t *call);
bool pdi_is_not_taken(const pd_peer_reply_t *reply);
/* Sends the call where it belongs now; answers it, or parks it. Takes it. */
void pdi_route_go(pdi_route_t *route);
/* The local router's answer was that nothing came of it. */
void pdi_route_again(pdi_route_t *route);
void pdi_route_cancel(pdi_route_t *route);
/* The parked ones whose time has come, or all. */
void pdi_routes_retry(pd_forward_t *forward, bool all);
/* The call's request goes to every other member, too; nobody waits for their answers. */
void pdi_route_tell_others(pd_forward_t *forward, const pd_call_t *call);
void pdi_routes_on_timer(pd_timer_t *timer);

/* offers.c */
void pdi_offer_far(void *ctx, const pd_offer_t *offer); /* @thread engine loops */
void pdi_offer_fill(Perdure__V1__TaskOffer *to, const pd_offer_t *from);
void pdi_outboxes_sort_again(pd_forward_t *forward);
void pdi_outboxes_free(pd_forward_t *forward);
void pdi_offer_tasks_here(void *ctx, pd_call_t *call,
                          const Perdure__V1__OfferTasksRequest *request);

/* starts.c */
void pdi_start_far(void *ctx, pd_poll_t *poll, const pd_offer_t *task); /* @thread engine loops */
void pdi_start_task_here(void *ctx, pd_poll_t *poll, const pd_offer_t *task);
void pdi_kept_tasks_free(pd_forward_t *forward);

#endif
