/* limits.h -- how large things may be; the defaults of the reference. */
#ifndef PD_ENGINE_DECIDE_LIMITS_H
#define PD_ENGINE_DECIDE_LIMITS_H

enum {
    PD_BLOB_SIZE_MAX = 2 * 1024 * 1024, /* payloads of one event */
    PD_MEMO_SIZE_MAX = 2 * 1024 * 1024,
    PD_ID_SIZE_MAX = 1000, /* bytes of an ID or a name */
    PD_SEARCH_ATTRIBUTE_COUNT_MAX = 100,
    PD_SEARCH_ATTRIBUTE_SIZE_MAX = 2 * 1024, /* of one value */
    PD_SEARCH_ATTRIBUTES_SIZE_MAX = 40 * 1024,
    PD_SIGNAL_COUNT_MAX = 10000, /* per run */
    PD_HISTORY_SIZE_MAX = 50 * 1024 * 1024,
    PD_HISTORY_COUNT_MAX = 50 * 1024,
};

#endif
