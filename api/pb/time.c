#include "api/pb/time.h"

#define NS_PER_S ((int64_t)1000000000)

static int64_t clamp_ns(int64_t seconds, int32_t nanos)
{
    if (seconds > INT64_MAX / NS_PER_S - 1)
        return INT64_MAX;
    if (seconds < INT64_MIN / NS_PER_S + 1)
        return INT64_MIN;
    return seconds * NS_PER_S + nanos;
}

int64_t pd_pb_duration_ns(const Google__Protobuf__Duration *duration)
{
    return duration ? clamp_ns(duration->seconds, duration->nanos) : 0;
}

int64_t pd_pb_timestamp_ns(const Google__Protobuf__Timestamp *timestamp)
{
    return timestamp ? clamp_ns(timestamp->seconds, timestamp->nanos) : 0;
}

Google__Protobuf__Duration *pd_pb_duration(pd_arena_t *arena, int64_t ns)
{
    Google__Protobuf__Duration *duration =
        PD_PB_NEW(arena, Google__Protobuf__Duration, google__protobuf__duration);

    duration->seconds = ns / NS_PER_S;
    duration->nanos = (int32_t)(ns % NS_PER_S);
    return duration;
}

Google__Protobuf__Timestamp *pd_pb_timestamp(pd_arena_t *arena, int64_t ns)
{
    Google__Protobuf__Timestamp *timestamp =
        PD_PB_NEW(arena, Google__Protobuf__Timestamp, google__protobuf__timestamp);

    timestamp->seconds = ns / NS_PER_S;
    timestamp->nanos = (int32_t)(ns % NS_PER_S);
    if (timestamp->nanos < 0) {
        timestamp->nanos += (int32_t)NS_PER_S;
        timestamp->seconds--;
    }
    return timestamp;
}

Google__Protobuf__Timestamp *pd_pb_timestamp_or_null(pd_arena_t *arena, int64_t ns)
{
    return ns ? pd_pb_timestamp(arena, ns) : NULL;
}

int64_t pd_ns_add(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}
