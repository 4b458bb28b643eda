#include "engine/transport/sender.h"

#include "base/diag.h"
#include "base/memory.h"

#define RETRY_DELAY_MIN_NS ((int64_t)10 * 1000000)
#define RETRY_DELAY_MAX_NS ((int64_t)1000 * 1000000)

/* One record, until it is acknowledged. */
typedef struct item {
    TAILQ_ENTRY(item) link;
    pd_log_append_t append;
    pd_sender_t *sender;
    pd_sender_user_t *user; /* NULL: has left */
    pd_sent_fn sent;
    int64_t cookie;
    bool in_flight;
    uint8_t bytes[]; /* value, key */
} item_t;

struct pd_sender {
    TAILQ_ENTRY(pd_sender) link;
    pd_senders_t *senders;
    pd_log_topic_t topic;
    uint32_t partition;
    uint32_t user_count;
    pd_log_writer_t *writer;
    bool closing; /* `closed` is yet to run */
    bool waiting; /* the timer runs */
    pd_mail_t closed;
    pd_timer_t timer;
    int64_t retry_delay_ns;
    TAILQ_HEAD(items, item) items; /* in the order of sending */
    item_t *unsent;                /* the first that was not given to this writer */
};

struct pd_senders {
    pd_log_t *log;
    pd_loop_t *loop;
    TAILQ_HEAD(, pd_sender) list;
    TAILQ_HEAD(, pd_sender_user) users;
    uint32_t closing_count; /* of senders without users */
};

pd_senders_t *pd_senders_new(pd_log_t *log, pd_loop_t *loop)
{
    pd_senders_t *senders = PD_NEW(pd_senders_t);

    senders->log = log;
    senders->loop = loop;
    TAILQ_INIT(&senders->list);
    TAILQ_INIT(&senders->users);
    return senders;
}

void pd_senders_free(pd_senders_t *senders)
{
    if (!senders)
        return;
    PD_ASSERT(TAILQ_EMPTY(&senders->list) && TAILQ_EMPTY(&senders->users));
    pd_free(senders);
}

void pd_senders_join(pd_senders_t *senders, pd_sender_user_t *user)
{
    PD_ASSERT_LOOP(senders->loop);
    TAILQ_INSERT_TAIL(&senders->users, user, link);
}

void pd_senders_leave(pd_senders_t *senders, pd_sender_user_t *user)
{
    PD_ASSERT_LOOP(senders->loop);
    TAILQ_REMOVE(&senders->users, user, link);
}

bool pd_senders_closing(const pd_senders_t *senders)
{
    return senders->closing_count > 0;
}

/* ---- the end of a writer ---- */

static void try_send(pd_sender_t *sender);

static void on_timer(pd_timer_t *timer)
{
    pd_sender_t *sender = PD_CONTAINER_OF(timer, pd_sender_t, timer);

    sender->waiting = false;
    try_send(sender);
}

static void pause_sender(pd_sender_t *sender)
{
    sender->waiting = true;
    sender->timer.fire = on_timer;
    pd_loop_timer_start(sender->senders->loop, &sender->timer,
                        pd_loop_now_ns(sender->senders->loop) + sender->retry_delay_ns);
    sender->retry_delay_ns *= 2;
    if (sender->retry_delay_ns > RETRY_DELAY_MAX_NS)
        sender->retry_delay_ns = RETRY_DELAY_MAX_NS;
}

static void drop_items(pd_sender_t *sender, const pd_sender_user_t *of_user)
{
    item_t *next;

    for (item_t *item = TAILQ_FIRST(&sender->items); item; item = next) {
        next = TAILQ_NEXT(item, link);
        if (item->user != of_user)
            continue;
        if (item->in_flight) { /* the log borrows it still */
            item->user = NULL;
            continue;
        }
        if (sender->unsent == item)
            sender->unsent = next;
        TAILQ_REMOVE(&sender->items, item, link);
        pd_free(item);
    }
}

static void free_sender(pd_sender_t *sender)
{
    pd_senders_t *senders = sender->senders;

    PD_ASSERT(TAILQ_EMPTY(&sender->items));
    pd_loop_timer_stop(senders->loop, &sender->timer);
    TAILQ_REMOVE(&senders->list, sender, link);
    pd_free(sender);
    senders->closing_count--;
}

static void tell_users(pd_senders_t *senders)
{
    pd_sender_user_t *user, *next;

    for (user = TAILQ_FIRST(&senders->users); user; user = next) {
        next = TAILQ_NEXT(user, link);
        user->idle(user);
    }
}

static void on_closed(pd_mail_t *mail)
{
    pd_sender_t *sender = PD_CONTAINER_OF(mail, pd_sender_t, closed);
    pd_senders_t *senders = sender->senders;

    sender->closing = false;
    drop_items(sender, NULL); /* of those who have left */
    sender->unsent = TAILQ_FIRST(&sender->items);
    if (sender->user_count && sender->unsent) {
        pause_sender(sender);
    } else if (!sender->user_count) {
        free_sender(sender);
        if (!senders->closing_count)
            tell_users(senders);
    }
}

static void close_writer(pd_sender_t *sender)
{
    pd_log_writer_t *writer = sender->writer;

    sender->writer = NULL;
    sender->closing = true;
    sender->closed.run = on_closed;
    pd_log_close_writer(writer, &sender->closed);
}

/* ---- sending ---- */

static void on_append(pd_log_append_t *append)
{
    item_t *item = PD_CONTAINER_OF(append, item_t, append);
    pd_sender_t *sender = item->sender;
    pd_error_t error;

    item->in_flight = false;
    if (append->status == PD_OK) {
        PD_ASSERT(TAILQ_FIRST(&sender->items) == item);
        TAILQ_REMOVE(&sender->items, item, link);
        sender->retry_delay_ns = RETRY_DELAY_MIN_NS;
        if (item->user)
            item->sent(item->user, sender, item->cookie);
        pd_free(item);
        return;
    }
    if (!sender->writer)
        return; /* it is being closed: sent again, or dropped, when that is done */
    pd_log_writer_error(sender->writer, &error);
    PD_DIAG(PD_DIAG_WARN, "sending again", "topic=%d partition=%u status=%s error=\"%s\"",
            (int)sender->topic, sender->partition, pd_status_name(append->status), error.text);
    close_writer(sender);
}

static void try_send(pd_sender_t *sender)
{
    pd_log_handle_options_t handle = {
        .loop = sender->senders->loop, .topic = sender->topic, .partition = sender->partition};
    pd_error_t error;

    if (!sender->unsent || sender->closing || sender->waiting || !sender->user_count)
        return;
    if (!sender->writer &&
        pd_log_open_writer(sender->senders->log, &handle, &sender->writer, &error) != PD_OK) {
        PD_DIAG(PD_DIAG_WARN, "cannot send", "topic=%d partition=%u status=%s error=\"%s\"",
                (int)sender->topic, sender->partition, pd_status_name(error.status), error.text);
        sender->writer = NULL;
        pause_sender(sender);
        return;
    }
    while (sender->unsent) {
        item_t *item = sender->unsent;

        sender->unsent = TAILQ_NEXT(item, link);
        item->append.done = on_append;
        item->in_flight = true;
        /* Sizes were checked when it was taken. */
        PD_ASSERT(pd_log_append(sender->writer, &item->append) == PD_OK);
    }
}

pd_sender_t *pd_sender_open(pd_senders_t *senders, pd_log_topic_t topic, uint32_t partition)
{
    pd_sender_t *sender;

    PD_ASSERT_LOOP(senders->loop);
    TAILQ_FOREACH (sender, &senders->list, link) {
        if (sender->topic == topic && sender->partition == partition)
            break;
    }
    if (!sender) {
        sender = PD_NEW(pd_sender_t);
        sender->senders = senders;
        sender->topic = topic;
        sender->partition = partition;
        sender->retry_delay_ns = RETRY_DELAY_MIN_NS;
        TAILQ_INIT(&sender->items);
        TAILQ_INSERT_TAIL(&senders->list, sender, link);
    } else if (!sender->user_count) {
        senders->closing_count--; /* it is not going to go, after all */
    }
    sender->user_count++;
    return sender;
}

void pd_sender_close(pd_sender_t *sender, pd_sender_user_t *user)
{
    PD_ASSERT_LOOP(sender->senders->loop);
    PD_ASSERT(sender->user_count > 0);
    drop_items(sender, user);
    sender->user_count--;
    if (sender->user_count)
        return;
    sender->senders->closing_count++;
    pd_loop_timer_stop(sender->senders->loop, &sender->timer);
    sender->waiting = false;
    if (sender->writer)
        close_writer(sender);
    else if (!sender->closing)
        free_sender(sender);
}

pd_status_t pd_sender_send(pd_sender_t *sender, pd_sender_user_t *user, pd_bytes_t key,
                           pd_bytes_t value, int64_t cookie, pd_sent_fn sent)
{
    item_t *item;

    PD_ASSERT_LOOP(sender->senders->loop);
    if (key.size + value.size > sender->senders->log->info.record_size_max)
        return PD_LIMIT;
    item = pd_alloc(sizeof(*item) + value.size + key.size);
    memset(item, 0, sizeof(*item));
    item->sender = sender;
    item->user = user;
    item->sent = sent;
    item->cookie = cookie;
    if (value.size)
        memcpy(item->bytes, value.data, value.size);
    if (key.size)
        memcpy(item->bytes + value.size, key.data, key.size);
    item->append.value = pd_bytes(value.data ? item->bytes : NULL, value.size);
    item->append.key = pd_bytes(key.data ? item->bytes + value.size : NULL, key.size);
    TAILQ_INSERT_TAIL(&sender->items, item, link);
    if (!sender->unsent)
        sender->unsent = item;
    try_send(sender);
    return PD_OK;
}

uint32_t pd_sender_partition(const pd_sender_t *sender)
{
    return sender->partition;
}
