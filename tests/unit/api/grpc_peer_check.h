/* grpc_peer_check.h -- what a peer's stream must have got. Include cmocka.h first. */
#ifndef PD_TESTS_UNIT_API_GRPC_PEER_CHECK_H
#define PD_TESTS_UNIT_API_GRPC_PEER_CHECK_H

#include "tests/unit/api/grpc_peer.h"

static inline void check(peer_t *peer, int32_t id, int http_status, int grpc_status,
                         const char *message)
{
    peer_stream_t *stream = peer_stream(peer, id);

    assert_non_null(stream);
    assert_int_equal(stream->http_status, http_status);
    assert_int_equal(stream->grpc_status, grpc_status);
    assert_string_equal(stream->message, message);
    assert_true(stream->closed);
}

static inline void check_echo(peer_t *peer, int32_t id, pd_bytes_t message)
{
    peer_stream_t *stream = peer_stream(peer, id);

    check(peer, id, 200, 0, "");
    assert_int_equal(stream->data.size, message.size + 5);
    assert_memory_equal(stream->data.data + 5, message.data, message.size);
}

#endif
