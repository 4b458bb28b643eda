/* silence.c -- waiting reads that hear nothing.
 *
 * At the tail of a partition silence is the rule, and cannot be told from a consumer that is deaf:
 * one whose partition has got a new leader while the old one was paused may fetch from nobody for
 * ever. So a waiting read that has heard nothing for a period asks, by another consumer (a quick
 * one), what there is:
 *
 *   silent ──ask──▶ "nothing"      it is quiet; wait on
 *              ├──▶ records         the consumer that waited was deaf: it is replaced
 *              └──▶ no answer       so is the one that was asked: it is replaced; ask again
 *
 * The period is the time that other reads have. */
#include "base/diag.h"
#include "log/kafka/reader_private.h"

static void arm(pdi_kafka_reader_t *reader)
{
    pdi_kafka_silence_t *silence = &reader->silence;

    silence->armed = true;
    silence->turn = reader->turn;
    silence->heard = false;
    pd_loop_timer_start(reader->base.loop, &silence->timer,
                        pd_loop_now_ns(reader->base.loop) + reader->log->read_timeout_ns);
}

/* For whoever has to find out why. */
static void tell_state(const pdi_kafka_reader_t *reader)
{
    static const char *const phases[] = {
        [PHASE_NORMAL] = "normal", [PHASE_LOW] = "low", [PHASE_HIGH] = "high", [PHASE_END] = "end"};
    const pdi_kafka_stream_t *stream = reader->stream;
    int64_t low = -1, high = -1;

    (void)rd_kafka_get_watermark_offsets(stream->handle->rk, reader->topic_name,
                                         (int32_t)reader->base.partition, &low, &high);
    PD_DIAG(PD_DIAG_WARN, "kafka read gets no answer",
            "topic=%s partition=%u offset=%lld consumer=%llu kind=%s phase=%s holding=%d "
            "contradicted=%u low=%lld high=%lld acknowledged=%lld",
            reader->topic_name, reader->base.partition, (long long)reader->sought,
            (unsigned long long)stream->handle->number, pdi_kafka_kinds[reader->kind].name,
            phases[reader->phase], reader->holding, reader->contradicted_count, (long long)low,
            (long long)high, (long long)(reader->own ? atomic_load(&reader->own->acked_end) : -1));
}

static void ask(pdi_kafka_reader_t *reader)
{
    pdi_kafka_silence_t *silence = &reader->silence;
    uint64_t number = reader->stream ? reader->stream->handle->number : 0;

    if (silence->asked && number) {
        tell_state(reader);
        pdi_kafka_distrust(reader->log, number);
    }
    silence->suspect_number = reader->tailing && !silence->asked ? number : 0;
    silence->asked = true;
    pdi_kafka_reader_ask_anew(reader);
}

static void on_period(pd_timer_t *timer)
{
    pdi_kafka_silence_t *silence = PD_CONTAINER_OF(timer, pdi_kafka_silence_t, timer);
    pdi_kafka_reader_t *reader = PD_CONTAINER_OF(silence, pdi_kafka_reader_t, silence);

    silence->armed = false;
    if (reader->closing || !reader->read || !reader->read->wait)
        return; /* the next waiting read begins anew */
    if (silence->heard || silence->turn != reader->turn || !reader->begun)
        silence->asked = false;
    else
        ask(reader);
    arm(reader);
}

void pdi_kafka_silence_init(pdi_kafka_reader_t *reader)
{
    reader->silence.timer.fire = on_period;
}

void pdi_kafka_silence_stop(pdi_kafka_reader_t *reader)
{
    pd_loop_timer_stop(reader->base.loop, &reader->silence.timer);
    reader->silence.armed = false;
}

void pdi_kafka_silence_watch(pdi_kafka_reader_t *reader)
{
    if (!reader->silence.armed) {
        reader->silence.asked = false;
        arm(reader);
    }
}

void pdi_kafka_silence_heard(pdi_kafka_reader_t *reader, bool record)
{
    reader->silence.heard = true;
    if (record && reader->silence.suspect_number)
        pdi_kafka_distrust(reader->log, reader->silence.suspect_number);
    reader->silence.suspect_number = 0;
}
