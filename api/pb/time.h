/* time.h -- protobuf's Timestamp and Duration ⇄ int64 nanoseconds.
 * Out-of-range values are clamped to what int64 holds (about ±292 years around 1970: a timer of a
 * thousand years is clamped, and still never fires). Thread: any. */
#ifndef PD_API_TIME_H
#define PD_API_TIME_H

#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>

#include "api/pb/pb.h"

/* NULL gives 0. */
int64_t pd_pb_duration_ns(const Google__Protobuf__Duration *duration);
int64_t pd_pb_timestamp_ns(const Google__Protobuf__Timestamp *timestamp);
/* In the arena. */
Google__Protobuf__Duration *pd_pb_duration(pd_arena_t *arena, int64_t ns);
Google__Protobuf__Timestamp *pd_pb_timestamp(pd_arena_t *arena, int64_t ns);
/* NULL when ns is 0. */
Google__Protobuf__Timestamp *pd_pb_timestamp_or_null(pd_arena_t *arena, int64_t ns);

/* a + b without overflow; INT64_MAX when it would pass it. */
int64_t pd_ns_add(int64_t a, int64_t b);

#endif
