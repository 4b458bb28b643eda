#include "log/kafka/hole.h"

bool pdi_kafka_hole_doubt(pdi_kafka_hole_t *hole, int64_t wanted, int64_t told)
{
    if (wanted < 0 || told <= wanted) {
        hole->count = 0;
        return false;
    }
    if (hole->count == 0 || hole->wanted != wanted || hole->told != told)
        *hole = (pdi_kafka_hole_t){.wanted = wanted, .told = told};
    if (++hole->count < PDI_KAFKA_HOLE_BELIEVED_COUNT)
        return true;
    hole->count = 0;
    return false;
}
