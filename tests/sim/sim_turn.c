#include "tests/sim/sim_turn.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define TURN_ASAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define TURN_ASAN
#endif
#ifdef TURN_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

/* RocksDB may run on it, and a sanitizer's frames are large. Pages are had as they are touched. */
#define STACK_SIZE ((size_t)1024 * 1024)

struct sim_turn {
    void (*run)(void *ctx);
    void *ctx;
    ucontext_t own, outside;
    uint8_t *memory; /* a guard page, then the stack */
    size_t guard_size;
    bool halted;
    const void *outside_stack; /* what the sanitizer calls the stack we came from */
    size_t outside_size;
};

/* ---- switches, of which the address sanitizer must know ---- */

static void before_switch(void **fake, const void *stack, size_t size)
{
#ifdef TURN_ASAN
    __sanitizer_start_switch_fiber(fake, stack, size);
#else
    (void)fake, (void)stack, (void)size;
#endif
}

static void after_switch(void *fake, const void **stack, size_t *size)
{
#ifdef TURN_ASAN
    __sanitizer_finish_switch_fiber(fake, stack, size);
#else
    (void)fake, (void)stack, (void)size;
#endif
}

static void enter(sim_turn_t *self)
{
    void *fake = NULL;

    before_switch(&fake, self->memory + self->guard_size, STACK_SIZE);
    PD_ASSERT(swapcontext(&self->outside, &self->own) == 0);
    after_switch(fake, NULL, NULL);
}

/* makecontext passes ints only. */
static void begin(unsigned high, unsigned low)
{
    sim_turn_t *self = (sim_turn_t *)((uintptr_t)high << 32 | low);

    after_switch(NULL, &self->outside_stack, &self->outside_size);
    self->run(self->ctx);
    before_switch(NULL, self->outside_stack, self->outside_size); /* never to return */
    setcontext(&self->outside);
}

/* ---- turns ---- */

sim_turn_t *sim_turn_new(void (*run)(void *ctx), void *ctx)
{
    sim_turn_t *self = PD_NEW(sim_turn_t);

    self->run = run;
    self->ctx = ctx;
    self->guard_size = (size_t)sysconf(_SC_PAGESIZE);
    self->memory = mmap(NULL, self->guard_size + STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    PD_ASSERT(self->memory != MAP_FAILED);
    PD_ASSERT(mprotect(self->memory, self->guard_size, PROT_NONE) == 0);
    return self;
}

void sim_turn_free(sim_turn_t *self)
{
    if (!self)
        return;
    PD_ASSERT(!self->halted);
    munmap(self->memory, self->guard_size + STACK_SIZE);
    pd_free(self);
}

void sim_turn_go(sim_turn_t *self)
{
    uintptr_t address = (uintptr_t)self;

    if (!self->halted) {
        PD_ASSERT(getcontext(&self->own) == 0);
        self->own.uc_stack.ss_sp = self->memory + self->guard_size;
        self->own.uc_stack.ss_size = STACK_SIZE;
        self->own.uc_link = NULL;
        makecontext(&self->own, (void (*)(void))begin, 2, (unsigned)(address >> 32),
                    (unsigned)address);
    }
    self->halted = false;
    enter(self);
}

void sim_turn_halt(sim_turn_t *self)
{
    void *fake = NULL;

    self->halted = true;
    before_switch(&fake, self->outside_stack, self->outside_size);
    PD_ASSERT(swapcontext(&self->own, &self->outside) == 0);
    after_switch(fake, &self->outside_stack, &self->outside_size);
}

bool sim_turn_halted(const sim_turn_t *self)
{
    return self && self->halted;
}
