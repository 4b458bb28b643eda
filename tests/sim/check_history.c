#include "tests/sim/check_history.h"

#include <stdio.h>

void check_history_event(sim_t *sim, pd_run_grammar_t *check, const char *run_id,
                         const Perdure__V1__Event *event)
{
    pd_error_t error = {.text = ""};

    SIM_CHECK(sim, pd_run_grammar_event(check, event, &error) == PD_OK, "run %s: %s", run_id,
              error.text);
}

void check_history_step_end(sim_t *sim, pd_run_grammar_t *check, const char *run_id)
{
    pd_error_t error = {.text = ""};

    SIM_CHECK(sim, pd_run_grammar_step_end(check, &error) == PD_OK, "run %s: %s", run_id,
              error.text);
}
