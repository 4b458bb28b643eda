/* lookup.c -- host names of the client: looked up on a thread, since getaddrinfo may take as long
 * as a name server is silent. Whoever asked may be gone by then. */
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include "api/grpc/client_private.h"
#include "base/assert.h"
#include "base/memory.h"

struct pdi_grpc_lookup {
    pd_mail_t mail;
    pd_loop_t *loop;
    pdi_grpc_channel_t *channel; /* the loop's; NULL: abandoned */
    pd_grpc_look_up_t look_up;
    pthread_mutex_t mutex;
    bool abandoned; /* under the mutex, like the next: the thread frees it */
    bool posted;    /* the loop does */
    int result;
    pdi_grpc_addresses_t addresses;
    char *port;
    char host[];
};

static void copy_addresses(const struct addrinfo *found, pdi_grpc_addresses_t *addresses)
{
    addresses->count = 0;
    for (; found && addresses->count < PDI_GRPC_ADDRESS_COUNT_MAX; found = found->ai_next) {
        pdi_grpc_address_t *address = &addresses->items[addresses->count];

        if (found->ai_addrlen > sizeof(address->data))
            continue;
        memcpy(address->data, found->ai_addr, found->ai_addrlen);
        address->size = (uint32_t)found->ai_addrlen;
        address->family = found->ai_family;
        addresses->count++;
    }
}

static int look_up(pd_grpc_look_up_t function, const char *host, const char *port, int flags,
                   pdi_grpc_addresses_t *addresses)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *found;
    int result = function(host, port, &hints, &found);

    addresses->count = 0;
    if (result != 0)
        return result;
    copy_addresses(found, addresses);
    freeaddrinfo(found);
    return addresses->count ? 0 : EAI_NONAME;
}

bool pdi_grpc_numeric(const char *host, const char *port, pdi_grpc_addresses_t *addresses)
{
    return look_up(getaddrinfo, host, port, AI_NUMERICHOST | AI_NUMERICSERV, addresses) == 0;
}

static void lookup_free(pdi_grpc_lookup_t *self)
{
    pthread_mutex_destroy(&self->mutex);
    pd_free(self);
}

/* On the loop. */
static void run_done(pd_mail_t *mail)
{
    pdi_grpc_lookup_t *self = PD_CONTAINER_OF(mail, pdi_grpc_lookup_t, mail);

    pthread_mutex_lock(&self->mutex); /* the thread is out of it */
    pthread_mutex_unlock(&self->mutex);
    if (self->channel)
        pdi_grpc_channel_looked_up(self->channel, &self->addresses,
                                   self->result ? gai_strerror(self->result) : NULL);
    lookup_free(self);
}

static void *thread_main(void *ctx)
{
    pdi_grpc_lookup_t *self = ctx;
    bool abandoned;

    self->result = look_up(self->look_up, self->host, self->port, AI_NUMERICSERV, &self->addresses);
    /* Whoever asked, and the loop, are there while we have the mutex: see _abandon. */
    pthread_mutex_lock(&self->mutex);
    abandoned = self->abandoned;
    self->posted = !abandoned;
    if (!abandoned)
        pd_loop_post(self->loop, &self->mail);
    pthread_mutex_unlock(&self->mutex);
    if (abandoned)
        lookup_free(self);
    return NULL;
}

pdi_grpc_lookup_t *pdi_grpc_lookup_begin(pdi_grpc_channel_t *channel)
{
    const pd_grpc_client_t *client = channel->client;
    size_t host_size = strlen(client->host) + 1, port_size = strlen(client->port) + 1;
    pdi_grpc_lookup_t *self = pd_calloc(1, sizeof(*self) + host_size + port_size);
    pthread_t thread;

    self->mail.run = run_done;
    self->loop = client->loop;
    self->channel = channel;
    self->look_up = client->options.look_up;
    self->port = self->host + host_size;
    memcpy(self->host, client->host, host_size);
    memcpy(self->port, client->port, port_size);
    pthread_mutex_init(&self->mutex, NULL);
    if (pthread_create(&thread, NULL, thread_main, self) != 0) {
        lookup_free(self);
        return NULL;
    }
    pthread_detach(thread);
    return self;
}

void pdi_grpc_lookup_abandon(pdi_grpc_lookup_t *self)
{
    if (!self)
        return;
    self->channel = NULL;
    pthread_mutex_lock(&self->mutex);
    self->abandoned = !self->posted;
    pthread_mutex_unlock(&self->mutex);
}
