/* From partitions to the home of a task queue: directly on one loop, by mail between loops. */
#include "engine/node/node_private.h"

static uint32_t hash(const char *text, uint32_t h)
{
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u; /* FNV-1a */
    return h;
}

/* A sticky queue lives with the normal one it belongs to, so that its tasks can move over there
 * without leaving the loop. */
pdi_node_matching_t *pdi_node_home(pd_node_t *node, const pd_namespace_t *ns,
                                   const char *task_queue)
{
    uint32_t h = hash(task_queue, hash(ns->id, 2166136261u));

    return &node->matchings[h % node->options.loop_count];
}

typedef struct offer_mail {
    pd_mail_t mail;
    pd_matching_t *matching;
    pd_offer_t offer;
    char strings[];
} offer_mail_t;

static void run_offer(pd_mail_t *mail)
{
    offer_mail_t *self = PD_CONTAINER_OF(mail, offer_mail_t, mail);

    pd_matching_offer(self->matching, &self->offer);
    pd_free(self);
}

static const char *put(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = *at;

    memcpy(copy, text, size);
    *at += size;
    return copy;
}

static void post_offer(pdi_node_matching_t *home, const pd_offer_t *offer)
{
    offer_mail_t *mail =
        pd_alloc(sizeof(*mail) + strlen(offer->workflow_id) + strlen(offer->run_id) +
                 strlen(offer->task_queue) + strlen(offer->normal_task_queue) +
                 strlen(pd_pb_str(offer->far_node)) + 5);
    char *at = mail->strings;

    mail->mail.run = run_offer;
    mail->matching = home->matching;
    mail->offer = *offer;
    mail->offer.workflow_id = put(&at, offer->workflow_id);
    mail->offer.run_id = put(&at, offer->run_id);
    mail->offer.task_queue = put(&at, offer->task_queue);
    mail->offer.normal_task_queue = put(&at, offer->normal_task_queue);
    mail->offer.far_node = offer->far_node ? put(&at, offer->far_node) : NULL;
    pd_loop_post(home->loop, &mail->mail);
}

static void sink_offer(void *ctx, const pd_offer_t *offer)
{
    pdi_node_matching_t *home;

    if (pdi_node_offer_far(ctx, offer))
        return;
    home = pdi_node_home(ctx, offer->ns, offer->normal_task_queue);
    if (home->loop == pd_partition_loop(offer->partition))
        pd_matching_offer(home->matching, offer);
    else
        post_offer(home, offer);
}

void pd_node_offer(pd_node_t *node, const pd_offer_t *offer)
{
    post_offer(pdi_node_home(node, offer->ns, offer->normal_task_queue), offer);
}

static void run_poll_returned(pd_mail_t *mail)
{
    pd_poll_t *poll = PD_CONTAINER_OF(mail, pd_poll_t, mail);

    pd_matching_poll_returned(poll->matching, poll);
}

static void sink_poll_returned(void *ctx, pd_poll_t *poll)
{
    if (poll->is_far)
        pdi_node_refuse_far(poll);
    else
        pd_node_return_poll(ctx, poll);
}

void pd_node_return_poll(pd_node_t *node, pd_poll_t *poll)
{
    const char *queue = poll->normal_task_queue ? poll->normal_task_queue : poll->task_queue;

    poll->mail.run = run_poll_returned;
    pd_loop_post(pdi_node_home(node, poll->ns, queue)->loop, &poll->mail);
}

typedef struct forget_mail {
    pd_mail_t mail;
    pd_matching_t *matching;
    const pd_partition_t *partition;
} forget_mail_t;

static void run_forget(pd_mail_t *mail)
{
    forget_mail_t *self = PD_CONTAINER_OF(mail, forget_mail_t, mail);

    pd_matching_forget_partition(self->matching, self->partition);
    pd_free(self);
}

/* The way of offers, so that it overtakes none of those that it concerns, and none that follows. */
static void sink_forget(void *ctx, const pd_partition_t *partition)
{
    pd_node_t *node = ctx;

    for (uint32_t i = 0; i < node->options.loop_count; i++) {
        pdi_node_matching_t *home = &node->matchings[i];
        forget_mail_t *mail;

        if (home->loop == pd_partition_loop(partition)) {
            pd_matching_forget_partition(home->matching, partition);
            continue;
        }
        mail = PD_NEW(forget_mail_t);
        mail->mail.run = run_forget;
        mail->matching = home->matching;
        mail->partition = partition;
        pd_loop_post(home->loop, &mail->mail);
    }
}

pd_offer_sink_t pdi_node_sink(pd_node_t *node)
{
    return (pd_offer_sink_t){
        .offer = sink_offer,
        .poll_returned = sink_poll_returned,
        .forget = sink_forget,
        .ctx = node,
    };
}
