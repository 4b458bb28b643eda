/* How commands end: refused, answered at once, or answered when all they were decided on counts. */
#include <perdure/v1/record.pb-c.h>

#include "engine/partition/partition_private.h"

void pdi_command_drop(pd_command_t *command)
{
    if (command && !command->call) {
        pd_arena_t arena = *command->arena; /* command and arena lie in it themselves */

        pd_arena_deinit(&arena);
    }
}

void pdi_command_refuse(pd_partition_t *partition, pd_command_t *command,
                        const pd_rpc_error_t *error)
{
    if (command->inbound) {
        pdi_transport_refused(partition, command, error);
        pdi_command_drop(command);
    } else if (command->kind->refused)
        command->kind->refused(partition, command, error);
    else if (command->poll)
        pd_partition_return_poll(partition, command, error);
    else if (command->call)
        pd_call_fail(command->call, error);
    else
        pdi_command_drop(command);
}

void pdi_command_not_taken(pd_partition_t *partition, pd_command_t *command,
                           const pd_rpc_error_t *error)
{
    if (command->call)
        command->call->not_taken = true;
    if (command->poll)
        command->poll->not_taken = true;
    pdi_command_refuse(partition, command, error);
}

pd_command_t *pd_command_new(const pd_command_kind_t *kind)
{
    pd_arena_t arena;
    pd_command_t *command;

    pd_arena_init(&arena);
    command = PD_ARENA_NEW(&arena, pd_command_t);
    command->arena = PD_ARENA_NEW(&arena, pd_arena_t);
    command->kind = kind;
    *command->arena = arena;
    return command;
}

void pd_partition_return_poll(pd_partition_t *partition, pd_command_t *command,
                              const pd_rpc_error_t *error)
{
    pd_poll_t *poll = command->poll;

    if (poll)
        poll->refusal = error->code;
    if (poll)
        partition->options.sink.poll_returned(partition->options.sink.ctx, poll);
    pdi_command_drop(command);
}

void pd_partition_answer(pd_partition_t *partition, pd_command_t *command)
{
    const pd_decision_t *decision = command->decision;
    pd_call_t *call = command->poll ? command->poll->call : command->call;
    bool own_arena = !command->call; /* else the command is gone with the answer */

    if (call && decision->error)
        pd_call_fail(call, decision->error);
    else if (call && decision->response_data.size)
        pd_call_respond_data(call,
                             pd_memdup(decision->response_data.data, decision->response_data.size),
                             decision->response_data.size);
    else if (call && decision->response)
        pd_call_respond(call, decision->response);
    else if (call)
        pd_call_respond_data(call, pd_alloc(0), 0); /* every empty message */
    if (own_arena)
        pdi_command_drop(command);
}

void pdi_command_finish(pd_partition_t *partition, pd_command_t *command)
{
    if (command->inbound)
        pdi_transport_done(partition, command);
    if (command->kind->acknowledged)
        command->kind->acknowledged(partition, command);
    else
        pd_partition_answer(partition, command);
}

void pdi_answers_run(pd_partition_t *partition, pdi_answers_t *answers)
{
    pdi_answer_t *answer;

    while ((answer = STAILQ_FIRST(answers))) {
        STAILQ_REMOVE_HEAD(answers, link);
        if (answer->error)
            pdi_command_refuse(partition, answer->command, answer->error);
        else
            pdi_command_finish(partition, answer->command);
    }
}

static void run_turn(pd_mail_t *mail)
{
    pd_partition_t *partition = PD_CONTAINER_OF(mail, pd_partition_t, turn_mail);

    partition->turn_posted = false;
    if (pdi_partition_is_writer(partition) && !STAILQ_EMPTY(&partition->barrier_answers)) {
        Perdure__V1__Record record = PERDURE__V1__RECORD__INIT;
        Perdure__V1__Barrier barrier = PERDURE__V1__BARRIER__INIT;

        record.body_case = PERDURE__V1__RECORD__BODY_BARRIER;
        record.barrier = &barrier;
        pdi_pipeline_append(partition, &record, NULL, NULL);
    }
    pdi_partition_maybe_stopped(partition);
}

/* On an exclusive log nobody can have deposed us, so what was built on acknowledged records only
 * may be told at once. Elsewhere it must wait for an append that is issued from now on. */
void pdi_pipeline_answer_later(pd_partition_t *partition, pd_command_t *command,
                               const pd_rpc_error_t *error)
{
    pdi_answer_t *answer = PD_ARENA_NEW(command->arena, pdi_answer_t);

    answer->command = command;
    answer->error = error;
    if (error && command->inbound)
        pdi_transport_refusing(partition, command);
    if (!partition->options.log->info.exclusive) {
        STAILQ_INSERT_TAIL(&partition->barrier_answers, answer, link);
        if (!partition->turn_posted) {
            partition->turn_posted = true;
            partition->turn_mail.run = run_turn;
            pd_loop_post(partition->options.loop, &partition->turn_mail);
        }
    } else if (!TAILQ_EMPTY(&partition->pendings)) {
        STAILQ_INSERT_TAIL(&TAILQ_LAST(&partition->pendings, pdi_pendings)->answers, answer, link);
    } else if (error) {
        pdi_command_refuse(partition, command, error);
    } else {
        pdi_command_finish(partition, command);
    }
}
