/* port.c -- the way back to a loop: outcomes in the order in which they came, one mail for many. */
#include "base/memory.h"
#include "log/kafka/kafka_private.h"

static void run_mail(pd_mail_t *mail)
{
    pdi_kafka_port_t *port = PD_CONTAINER_OF(mail, pdi_kafka_port_t, mail);
    pd_log_append_t *append;

    pthread_mutex_lock(&port->mutex);
    port->posted = false;
    append = port->first;
    port->first = port->last = NULL;
    pthread_mutex_unlock(&port->mutex);
    while (append) {
        pd_log_append_t *next = append->next;

        pdi_kafka_writer_arrived(append);
        append = next;
    }
}

pdi_kafka_port_t *pdi_kafka_port_get(pdi_kafka_t *log, pd_loop_t *loop)
{
    pdi_kafka_port_t *port;

    pthread_mutex_lock(&log->mutex);
    port = log->ports;
    while (port && port->loop != loop)
        port = port->next;
    if (!port) {
        port = PD_NEW(pdi_kafka_port_t);
        port->loop = loop;
        port->mail.run = run_mail;
        PD_ASSERT(pthread_mutex_init(&port->mutex, NULL) == 0);
        port->next = log->ports;
        log->ports = port;
    }
    pthread_mutex_unlock(&log->mutex);
    return port;
}

void pdi_kafka_port_free(pdi_kafka_port_t *port)
{
    PD_ASSERT(!port->posted && !port->first && !port->touched);
    pthread_mutex_destroy(&port->mutex);
    pd_free(port);
}

void pdi_kafka_port_add(pdi_kafka_t *log, pdi_kafka_port_t *port, pd_log_append_t *append)
{
    append->next = NULL;
    if (port->batch_last)
        port->batch_last->next = append;
    else
        port->batch_first = append;
    port->batch_last = append;
    if (!port->touched) {
        port->touched = true;
        port->next_touched = log->touched;
        log->touched = port;
    }
}

void pdi_kafka_port_flush(pdi_kafka_t *log)
{
    while (log->touched) {
        pdi_kafka_port_t *port = log->touched;
        bool post;

        log->touched = port->next_touched;
        port->touched = false;
        pthread_mutex_lock(&port->mutex);
        if (port->last)
            port->last->next = port->batch_first;
        else
            port->first = port->batch_first;
        port->last = port->batch_last;
        post = !port->posted;
        port->posted = true;
        pthread_mutex_unlock(&port->mutex);
        port->batch_first = port->batch_last = NULL;
        if (post)
            pd_loop_post(port->loop, &port->mail);
    }
}
