/* rejected.c -- what could not be accepted goes to the topic of rejects, with the reason. */
#include "api/pb/validate.h"
#include "engine/partition/transport_private.h"

/* Room for what a reject holds beside the original's key and value. */
enum { REST_SIZE = 16 * 1024 };

static ProtobufCBinaryData binary(pd_bytes_t bytes)
{
    return (ProtobufCBinaryData){.len = bytes.size, .data = (uint8_t *)bytes.data};
}

static void fill_headers(pdi_transport_t *transport, const pd_log_record_t *record,
                         Perdure__V1__Rejected *rejected)
{
    pd_arena_t *arena = &transport->arena;

    rejected->original_headers =
        pd_arena_calloc(arena, record->header_count + 1, sizeof(rejected->original_headers[0]));
    for (uint32_t i = 0; i < record->header_count; i++) {
        const pd_log_header_t *header = &record->headers[i];
        Perdure__V1__Rejected__OriginalHeadersEntry *entry =
            PD_PB_NEW(arena, Perdure__V1__Rejected__OriginalHeadersEntry,
                      perdure__v1__rejected__original_headers_entry);

        if (!pd_utf8_is_valid(pd_bytes_str(header->name)))
            continue;
        entry->key = pd_arena_strdup(arena, header->name);
        entry->value = binary(header->value);
        rejected->original_headers[rejected->n_original_headers++] = entry;
    }
}

/* Texts name what came in, and may be cut in the middle of a character. */
static char *readable(pd_arena_t *arena, const char *text)
{
    char *copy = pd_arena_strdup(arena, text);

    if (!pd_utf8_is_valid(pd_bytes_str(text))) {
        for (char *at = copy; *at; at++)
            *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    return copy;
}

static void fill(pdi_transport_t *transport, const pd_log_record_t *record,
                 Perdure__V1__Rejected *rejected)
{
    rejected->offset = record->offset;
    rejected->original_key = binary(record->key);
    rejected->original_value = binary(record->value);
    rejected->original_value_absent = !record->value.data;
    fill_headers(transport, record, rejected);
    rejected->time_ns = pd_partition_now_ns(transport->partition);
    rejected->node = transport->partition->node;
}

static pd_status_t encode(pdi_transport_t *transport, const Perdure__V1__Rejected *rejected)
{
    pd_buf_clear(&transport->buf);
    return pd_record_encode(transport->partition->options.rejected_codec, &rejected->base,
                            &transport->buf);
}

void pdi_reject_by(pdi_transport_t *transport, pd_sender_t *sender, pd_sender_user_t *user,
                   const pd_log_record_t *record, const char *topic, uint32_t partition, int code,
                   const char *reason, int64_t cookie, pd_sent_fn sent)
{
    Perdure__V1__Rejected rejected = PERDURE__V1__REJECTED__INIT;
    uint32_t size_max = transport->partition->options.log->info.record_size_max;
    pd_bytes_t key = record->key;

    pdi_measure_command(transport->partition, PD_COMMAND_REJECTED);
    pd_arena_reset(&transport->arena);
    fill(transport, record, &rejected);
    rejected.topic = (char *)topic;
    rejected.partition = (int32_t)partition;
    rejected.code = code;
    rejected.reason = readable(&transport->arena, reason);
    if (encode(transport, &rejected) == PD_OK &&
        pd_sender_send(sender, user, key, pd_buf_bytes(&transport->buf), cookie, sent) == PD_OK)
        return;
    /* It was as large as a record may be: what does not fit is cut, and that is told. */
    rejected.n_original_headers = 0;
    rejected.reason = pd_arena_printf(
        &transport->arena, "%.400s (the original had a key of %zu and a value of %zu bytes)",
        rejected.reason, record->key.size, record->value.size);
    if (rejected.original_key.len > size_max / 8)
        rejected.original_key.len = size_max / 8;
    key.size = rejected.original_key.len;
    if (rejected.original_value.len > size_max / 2 - REST_SIZE)
        rejected.original_value.len = size_max / 2 - REST_SIZE;
    PD_ASSERT(encode(transport, &rejected) == PD_OK);
    PD_ASSERT(pd_sender_send(sender, user, key, pd_buf_bytes(&transport->buf), cookie, sent) ==
              PD_OK);
}

void pdi_reject(pdi_transport_t *transport, const pd_log_record_t *record, const char *topic,
                int code, const char *reason, int64_t cookie, pd_sent_fn sent)
{
    const pd_partition_options_t *options = &transport->partition->options;

    if (!transport->rejects)
        transport->rejects = pd_sender_open(options->senders, PD_LOG_REJECTED, options->index);
    pdi_reject_by(transport, transport->rejects, &transport->user, record, topic, options->index,
                  code, reason, cookie, sent);
}
