/* memory.h -- the log in memory, for tests and the simulator: deterministic, with faults injected.
 *
 * The *storage* plays the broker: it outlives the nodes that use it. A node opens a pd_log_t on it;
 * pd_log_memory_crash takes the node away as a power cut would: no callback runs any more, what it
 * had in flight may still land or not, what was acknowledged stays.
 *
 * What a record goes through, each step at a time drawn from the faults' ranges:
 *   append ──▶ on its way ──▶ lands (has an offset, is durable, readers see it) ──▶ acknowledged
 * One writer's records land in the order of its appends, also those whose outcome was reported as
 * unknown long ago, and those of a writer that was closed or crashed: a zombie's record may land
 * behind its successor's. With `exclusive`, as in the embedded log, there are no zombies: a crash
 * decides at once which first part of what was in flight landed.
 *
 * Whatever the caller lends is checked when it is given back: the bytes of an append must not have
 * changed until its `done`; records lent by a read are freed at the next one, so that a sanitizer
 * sees late use. Thread: one for the storage, its loop and all nodes and their loops (the
 * simulator's). Determinism: everything follows from the seed, the order of calls and the loops'
 * clocks. */
#ifndef PD_LOG_MEMORY_MEMORY_H
#define PD_LOG_MEMORY_MEMORY_H

#include "log/log.h"

typedef struct pd_log_memory pd_log_memory_t; /* the storage */

/* Probabilities are per append or read, in parts per million; zero: never. */
typedef struct pd_log_memory_faults {
    uint32_t fail_ppm;           /* not landed: PD_UNAVAILABLE */
    uint32_t unknown_landed_ppm; /* landed: PD_UNKNOWN_OUTCOME */
    uint32_t unknown_lost_ppm;   /* never lands: PD_UNKNOWN_OUTCOME */
    uint32_t unknown_late_ppm;   /* lands late_max_ns later at most: PD_UNKNOWN_OUTCOME before */
    uint32_t io_ppm;        /* the node's disk: PD_IO for it and for everything of this pd_log_t
                               until it is mended, or closed and opened again */
    uint32_t foreign_ppm;   /* somebody else's record lands just before */
    uint32_t gap_ppm;       /* some offsets before hold no record */
    uint32_t read_fail_ppm; /* PD_UNAVAILABLE */
    uint32_t read_slow_ppm; /* takes read_slow_ns more */
    int64_t land_min_ns, land_max_ns; /* append to landing */
    int64_t ack_min_ns, ack_max_ns;   /* landing to acknowledgement */
    int64_t late_max_ns;
    int64_t read_min_ns, read_max_ns;
    int64_t read_slow_ns;
} pd_log_memory_faults_t;

typedef struct pd_log_memory_options {
    pd_loop_t *loop; /* the storage's: lands what is on its way. Borrowed until free */
    uint64_t seed;
    uint32_t partition_counts[PD_LOG_TOPIC_COUNT];
    uint32_t record_size_max; /* 0: 1 MiB */
    bool exclusive;           /* what pd_log_info_t says; see above */
    int64_t first_offset;     /* of every partition */
    pd_log_memory_faults_t faults;
    /* Called for foreign_ppm: append what you like with pd_log_memory_append_foreign. NULL: random
     * bytes are appended. */
    void (*foreign)(void *ctx, pd_log_memory_t *storage, pd_log_topic_t topic, uint32_t partition);
    void *foreign_ctx;
} pd_log_memory_options_t;

pd_log_memory_t *pd_log_memory_new(const pd_log_memory_options_t *options);
/* All nodes must be closed or crashed. */
void pd_log_memory_free(pd_log_memory_t *storage);

/* A node's view. Never fails. Ended by pd_log_close or pd_log_memory_crash. */
pd_log_t *pd_log_memory_open(pd_log_memory_t *storage);
/* The node is gone at this moment: none of its callbacks runs any more, its handles are freed, its
 * loops may be thrown away afterwards (a `closed` mail that was posted before stays posted). */
void pd_log_memory_crash(pd_log_t *log);

/* Between this node and the storage: until out_until_ns nothing arrives that the node sends, until
 * in_until_ns nothing that is sent to it, neither acknowledgements nor what it reads (the storage's
 * clock). What is under way waits. Anything in the past: mended. */
void pd_log_memory_cut(pd_log_t *log, int64_t out_until_ns, int64_t in_until_ns);
/* What PD_IO was injected for is in order again, without closing: a right that was given back, a
 * full disk of the broker's that was emptied. Writers that broke stay broken. */
void pd_log_memory_mend(pd_log_t *log);
bool pd_log_memory_has_failed(const pd_log_t *log); /* PD_IO was injected, and not mended */
/* From now on. */
void pd_log_memory_set_faults(pd_log_memory_t *storage, const pd_log_memory_faults_t *faults);

/* Lands at once, as if another process had written it. Copies. Returns the offset. */
int64_t pd_log_memory_append_foreign(pd_log_memory_t *storage, pd_log_topic_t topic,
                                     uint32_t partition, pd_bytes_t key, pd_bytes_t value);
/* A topic that is not the server's own: read with pd_log_open_foreign_reader, filled by the test.
 */
void pd_log_memory_add_topic(pd_log_memory_t *storage, const char *name, uint32_t partition_count);
/* Lands at once. Copies; the offset and the time of `record` are not looked at. Returns the offset.
 */
int64_t pd_log_memory_append_to_topic(pd_log_memory_t *storage, const char *name,
                                      uint32_t partition, const pd_log_record_t *record);
/* Retention: removes what lies before the offset. */
void pd_log_memory_trim(pd_log_memory_t *storage, pd_log_topic_t topic, uint32_t partition,
                        int64_t start_offset);

/* For checkers, without delay and faults. The index counts records that are kept, not offsets. */
uint64_t pd_log_memory_count(const pd_log_memory_t *storage, pd_log_topic_t topic,
                             uint32_t partition);
/* Lent until the record is trimmed. */
pd_log_record_t pd_log_memory_record(const pd_log_memory_t *storage, pd_log_topic_t topic,
                                     uint32_t partition, uint64_t index);
/* Which writer appended it: 1, 2, … in the order in which they were opened; 0: a stranger. */
uint64_t pd_log_memory_writer(const pd_log_memory_t *storage, pd_log_topic_t topic,
                              uint32_t partition, uint64_t index);
int64_t pd_log_memory_end_offset(const pd_log_memory_t *storage, pd_log_topic_t topic,
                                 uint32_t partition);
/* Appends that are still on their way, of living and dead writers. */
uint64_t pd_log_memory_in_flight_count(const pd_log_memory_t *storage);

#endif
