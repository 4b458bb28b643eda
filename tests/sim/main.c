/* sim -- simulated runs of the whole server, each from its seed.
 *
 * Seeds run in batches, each batch in a process of its own: whatever way a seed fails (a checker,
 * an assertion, a sanitizer), the seed is told and the others go on. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perdure/v1/record.pb-c.h>

#include "base/diag.h"
#include "tests/sim/sim.h"

enum {
    BATCH_COUNT = 50,
    REGRESSION_COUNT_MAX = 1000,
    FAILURE_COUNT_MAX = 20,
    SEED_CPU_SECONDS_MAX = 120,
    SEED_SECONDS_MAX = 1800,
    ARGUMENTS_SIZE = 100,
    SIM_STORE_COUNT = SIM_STORE_MEMORY + 1,
};

static const char *const store_names[SIM_STORE_COUNT] = {"by-seed", "rocksdb", "memory"};

/* Sanitizers read these before main. Half the time would go into stacks of allocations; a seed that
 * fails is run again with ASAN_OPTIONS=malloc_context_size=30 to see them. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "malloc_context_size=1:quarantine_size_mb=16";
}

typedef struct program {
    sim_options_t options; /* of all runs; seeds are theirs */
    uint64_t first, count;
    const char *regressions; /* a file of seeds to run as well */
    bool progress;
    uint64_t *current; /* shared with the batch's process */
    uint64_t run_count;
    unsigned failure_count;
} program_t;

/* A seed that does not end is a failure, too: one that works, by the time that it has worked (the
 * machine may be busy, or have slept), one that waits, by the clock. 0: no limit any more. */
static void limit(unsigned cpu_seconds, unsigned seconds)
{
    struct itimerval timer = {.it_value = {.tv_sec = (time_t)cpu_seconds}};
    int rc = setitimer(ITIMER_PROF, &timer, NULL);

    PD_ASSERT(rc == 0);
    alarm(seconds);
}

static void run_batch(program_t *program, const sim_options_t *runs, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        *program->current = i;
        limit(SEED_CPU_SECONDS_MAX, SEED_SECONDS_MAX);
        sim_run(&runs[i]);
    }
    limit(0, 0);
    *program->current = count; /* what fails now is a leak */
}

/* What else than the seed makes the run. */
static const char *arguments(const sim_options_t *run, char text[ARGUMENTS_SIZE])
{
    int size = 0;

    text[0] = '\0';
    if (run->server_count)
        size += snprintf(text, ARGUMENTS_SIZE, " --servers %u", run->server_count);
    if (run->step_count)
        size += snprintf(text + size, ARGUMENTS_SIZE - (size_t)size, " --steps %llu",
                         (unsigned long long)run->step_count);
    if (run->store)
        size += snprintf(text + size, ARGUMENTS_SIZE - (size_t)size, " --store %s",
                         store_names[run->store]);
    if (run->preempt)
        snprintf(text + size, ARGUMENTS_SIZE - (size_t)size, " --preempt");
    return text;
}

static void tell(program_t *program, const sim_options_t *runs, uint64_t done, uint64_t count,
                 int status)
{
    char text[ARGUMENTS_SIZE];

    program->failure_count++;
    if (done < count)
        fprintf(stderr, "sim: seed %llu FAILED (%s %d); again: sim --seed %llu%s --verbose\n",
                (unsigned long long)runs[done].seed, WIFSIGNALED(status) ? "signal" : "exit",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                (unsigned long long)runs[done].seed, arguments(&runs[done], text));
    else
        fprintf(stderr, "sim: a seed of %llu … %llu LEAKED; again: sim --seed N%s for each\n",
                (unsigned long long)runs[0].seed, (unsigned long long)runs[count - 1].seed,
                arguments(&runs[0], text));
}

static void run_apart(program_t *program, const sim_options_t *runs, uint64_t count)
{
    uint64_t start = 0;

    while (start < count && program->failure_count < FAILURE_COUNT_MAX) {
        int status = 0;
        pid_t child;

        fflush(NULL);
        child = fork();
        if (child == 0) {
            run_batch(program, runs + start, count - start);
            exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child) {
            perror("sim: fork");
            exit(2);
        }
        program->run_count += *program->current + (*program->current < count - start);
        if (status == 0)
            return;
        tell(program, runs + start, *program->current, count - start, status);
        start += *program->current + 1;
    }
}

static sim_store_t store_of(const char *name)
{
    for (int i = 0; i < SIM_STORE_COUNT; i++) {
        if (strcmp(name, store_names[i]) == 0)
            return (sim_store_t)i;
    }
    fprintf(stderr, "sim: there is no store %s\n", name);
    exit(2);
}

/* The words "name=value", and "preempt", behind the seed. */
static void read_words(char *at, sim_options_t *run)
{
    while (*(at += strspn(at, " \n"))) {
        char *word = at;

        at += strcspn(at, " \n");
        if (*at)
            *at++ = '\0';
        if (strncmp(word, "servers=", 8) == 0)
            run->server_count = (uint32_t)strtoul(word + 8, NULL, 10);
        else if (strncmp(word, "steps=", 6) == 0)
            run->step_count = strtoull(word + 6, NULL, 10);
        else if (strncmp(word, "store=", 6) == 0)
            run->store = store_of(word + 6);
        else if (strcmp(word, "preempt") == 0)
            run->preempt = true;
        else
            return; /* what it was */
    }
}

/* Lines "<seed> [servers=N] [steps=N] [store=NAME] [preempt] <what it was>"; # begins a comment.
 * All are read before the first child: one that ends with the file still open would set its offset
 * back for us, too. */
static uint64_t read_regressions(const program_t *program, sim_options_t *runs)
{
    FILE *file = fopen(program->regressions, "r");
    uint64_t count = 0;
    char line[256];

    if (!file) {
        perror(program->regressions);
        exit(2);
    }
    while (fgets(line, sizeof(line), file)) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);

        if (end == line)
            continue;
        if (count == REGRESSION_COUNT_MAX) {
            fprintf(stderr, "sim: more than %d regressions\n", REGRESSION_COUNT_MAX);
            exit(2);
        }
        runs[count] = program->options;
        runs[count].seed = seed;
        read_words(end, &runs[count++]);
    }
    fclose(file);
    return count;
}

static void run_regressions(program_t *program)
{
    static sim_options_t runs[REGRESSION_COUNT_MAX];
    uint64_t count = read_regressions(program, runs);

    for (uint64_t i = 0; i < count; i++)
        run_apart(program, &runs[i], 1);
}

static void run_all(program_t *program)
{
    sim_options_t runs[BATCH_COUNT];

    for (uint64_t at = 0; at < program->count && program->failure_count < FAILURE_COUNT_MAX;) {
        uint64_t count = 0;

        for (; count < BATCH_COUNT && at < program->count; count++, at++) {
            runs[count] = program->options;
            runs[count].seed = program->first + at;
        }
        run_apart(program, runs, count);
        if (program->progress)
            fprintf(stderr, "sim: %llu of %llu, %u failed\n", (unsigned long long)at,
                    (unsigned long long)program->count, program->failure_count);
    }
}

static const char usage[] =
    "sim [options]: the whole server, simulated\n"
    "\n"
    "  --seed N            one run\n"
    "  --seeds COUNT       so many runs (default 100)\n"
    "  --first N           … from this seed on (default 1)\n"
    "  --steps N           steps with faults, of each run (default: the seed chooses)\n"
    "  --regressions FILE  the seeds listed there\n"
    "  --progress          a line now and then\n"
    "  --servers N         server processes (default: 1)\n"
    "  --store NAME        rocksdb, memory, or by-seed (default: memory, a tenth rocksdb)\n"
    "  --preempt           a turn of a server's loop may stand still where it posts\n"
    "  --verbose           every step, and the server's diagnostics\n";

static void parse(int argc, char **argv, program_t *program)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'c'},
        {"first", required_argument, NULL, 'f'},
        {"steps", required_argument, NULL, 't'},
        {"servers", required_argument, NULL, 'n'},
        {"store", required_argument, NULL, 'o'},
        {"verbose", no_argument, NULL, 'v'},
        {"regressions", required_argument, NULL, 'r'},
        {"progress", no_argument, NULL, 'p'},
        {"preempt", no_argument, NULL, 'e'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case 's':
            program->first = strtoull(optarg, NULL, 10);
            program->count = 1;
            break;
        case 'c':
            program->count = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            program->first = strtoull(optarg, NULL, 10);
            break;
        case 't':
            program->options.step_count = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            program->regressions = optarg;
            break;
        case 'n':
            program->options.server_count = (uint32_t)strtoul(optarg, NULL, 10);
            if (program->options.server_count > SIM_SERVER_COUNT_MAX) {
                fprintf(stderr, "sim: at most %d servers\n", SIM_SERVER_COUNT_MAX);
                exit(2);
            }
            break;
        case 'o':
            program->options.store = store_of(optarg);
            break;
        case 'p':
            program->progress = true;
            break;
        case 'e':
            program->options.preempt = true;
            break;
        case 'v':
            program->options.verbose = true;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    program_t program = {.first = 1, .count = 100};

    parse(argc, argv, &program);
    /* Nothing above an error is news here: losing partitions is the point. */
    pd_diag_set_level(program.options.verbose ? PD_DIAG_DEBUG : PD_DIAG_ERROR + 1);
    program.current = mmap(NULL, sizeof(*program.current), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    PD_ASSERT(program.current != MAP_FAILED);
    program.options.codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    program.options.command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    program.options.rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
    program.options.member_codec = pd_record_codec_new(&perdure__v1__member__descriptor);
    if (program.regressions)
        run_regressions(&program);
    else
        run_all(&program);
    pd_record_codec_free(program.options.codec);
    pd_record_codec_free(program.options.command_codec);
    pd_record_codec_free(program.options.rejected_codec);
    pd_record_codec_free(program.options.member_codec);
    printf("sim: %llu seeds, %u failed\n", (unsigned long long)program.run_count,
           program.failure_count);
    return program.failure_count ? 1 : 0;
}
