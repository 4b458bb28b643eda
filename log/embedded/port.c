/* port.c -- the way back to a loop: completions in order, one mail for many. */
#include "base/memory.h"
#include "log/embedded/embedded_private.h"

static void run_mail(pd_mail_t *mail)
{
    pdi_port_t *port = PD_CONTAINER_OF(mail, pdi_port_t, mail);
    pd_log_append_t *append;
    pdi_reader_t *reader;

    pthread_mutex_lock(&port->mutex);
    port->posted = false;
    append = port->append_first;
    port->append_first = port->append_last = NULL;
    reader = port->reader_first;
    port->reader_first = port->reader_last = NULL;
    pthread_mutex_unlock(&port->mutex);
    while (append) {
        pd_log_append_t *next = append->next;

        pdi_writer_complete(append);
        append = next;
    }
    while (reader) {
        pdi_reader_t *next = reader->next;

        pdi_reader_complete(reader);
        reader = next;
    }
}

pdi_port_t *pdi_port_new(pd_loop_t *loop)
{
    pdi_port_t *port = PD_NEW(pdi_port_t);

    port->loop = loop;
    port->mail.run = run_mail;
    PD_ASSERT(pthread_mutex_init(&port->mutex, NULL) == 0);
    return port;
}

void pdi_port_free(pdi_port_t *port)
{
    PD_ASSERT(!port->posted && !port->append_first && !port->reader_first);
    pthread_mutex_destroy(&port->mutex);
    pd_free(port);
}

void pdi_port_complete_appends(pdi_port_t *port, pd_log_append_t *first, pd_log_append_t *last)
{
    bool post;

    PD_ASSERT(first && last && !last->next);
    pthread_mutex_lock(&port->mutex);
    if (port->append_last)
        port->append_last->next = first;
    else
        port->append_first = first;
    port->append_last = last;
    post = !port->posted;
    port->posted = true;
    pthread_mutex_unlock(&port->mutex);
    if (post)
        pd_loop_post(port->loop, &port->mail);
}

void pdi_port_complete_read(pdi_port_t *port, pdi_reader_t *reader)
{
    bool post;

    reader->next = NULL;
    pthread_mutex_lock(&port->mutex);
    if (port->reader_last)
        port->reader_last->next = reader;
    else
        port->reader_first = reader;
    port->reader_last = reader;
    post = !port->posted;
    port->posted = true;
    pthread_mutex_unlock(&port->mutex);
    if (post)
        pd_loop_post(port->loop, &port->mail);
}
