#include "engine/decide/link.h"

typedef Temporal__Api__Common__V1__Link__WorkflowEvent link_event_t;

static link_event_t *new_link(pd_decision_t *decision, const char *run_id,
                              Temporal__Api__Common__V1__Link **link)
{
    link_event_t *event = PD_PB_NEW(decision->arena, Temporal__Api__Common__V1__Link__WorkflowEvent,
                                    temporal__api__common__v1__link__workflow_event);

    *link = PD_PB_NEW(decision->arena, Temporal__Api__Common__V1__Link,
                      temporal__api__common__v1__link);
    (*link)->variant_case = TEMPORAL__API__COMMON__V1__LINK__VARIANT_WORKFLOW_EVENT;
    (*link)->workflow_event = event;
    event->namespace_ = (char *)decision->ns->name;
    event->workflow_id = (char *)decision->workflow_id;
    event->run_id = (char *)run_id;
    return event;
}

Temporal__Api__Common__V1__Link *pd_link_event(pd_decision_t *decision, const char *run_id,
                                               int64_t event_id,
                                               Temporal__Api__Enums__V1__EventType type)
{
    Temporal__Api__Common__V1__Link *link;
    link_event_t *event = new_link(decision, run_id, &link);

    event->reference_case = TEMPORAL__API__COMMON__V1__LINK__WORKFLOW_EVENT__REFERENCE_EVENT_REF;
    event->event_ref =
        PD_PB_NEW(decision->arena, Temporal__Api__Common__V1__Link__WorkflowEvent__EventReference,
                  temporal__api__common__v1__link__workflow_event__event_reference);
    event->event_ref->event_id = event_id;
    event->event_ref->event_type = type;
    return link;
}

Temporal__Api__Common__V1__Link *pd_link_request(pd_decision_t *decision, const char *run_id,
                                                 const char *request_id,
                                                 Temporal__Api__Enums__V1__EventType type)
{
    Temporal__Api__Common__V1__Link *link;
    link_event_t *event = new_link(decision, run_id, &link);

    event->reference_case =
        TEMPORAL__API__COMMON__V1__LINK__WORKFLOW_EVENT__REFERENCE_REQUEST_ID_REF;
    event->request_id_ref = PD_PB_NEW(
        decision->arena, Temporal__Api__Common__V1__Link__WorkflowEvent__RequestIdReference,
        temporal__api__common__v1__link__workflow_event__request_id_reference);
    event->request_id_ref->request_id = (char *)request_id;
    event->request_id_ref->event_type = type;
    return link;
}
