// SPDX-License-Identifier: Apache-2.0
// fiber - the threads of a block that meet. Each runs until it comes to a barrier, a shuffle or a vote; when all that must meet there have
// come, they are answered and go on. When nobody can go on, some have gone another way: that is said, and the launch fails.
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifndef __x86_64__
#include <ucontext.h>
#endif

enum { THREADS = 1024, WARP = 32, STACK = 64 << 10, GUARD = 4096 };

typedef struct fiber {
#ifdef __x86_64__
    void *stack;  // where it stopped
#else
    ucontext_t context;
#endif
    bool done;
    cudasim_meeting *at;  // where it waits; NULL: it can run
} fiber;

typedef struct sim_block {
    fiber fibers[THREADS], scheduler, *current;
    const cudasim_kernel *kernel;
    const void *argument;
    char *stacks;
    unsigned nthread;
} block;

static __thread block *here;

// --- switching ---

#ifdef __x86_64__
void sim_switch(void **save, void *to);
__asm__(".text\n"
        ".globl sim_switch\n"
        ".hidden sim_switch\n"
        ".type sim_switch, @function\n"
        "sim_switch:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n"
        "    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n"
        "    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".size sim_switch, . - sim_switch\n"
        ".section .note.GNU-stack, \"\", @progbits\n"
        ".text\n");

static void switch_to(fiber *from, fiber *to) { sim_switch(&from->stack, to->stack); }

static void prepare(fiber *f, char *stack, void (*entry)(void))
{
    void **top = (void **)(stack + STACK) - 2;

    *top = (void *)entry;  // popped by ret: at entry the stack is 8 bytes off 16, as after a call
    f->stack = top - 6;    // below lie six registers
}
#else
static void switch_to(fiber *from, fiber *to) { swapcontext(&from->context, &to->context); }

static void prepare(fiber *f, char *stack, void (*entry)(void))
{
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stack + GUARD;
    f->context.uc_stack.ss_size = STACK - GUARD;
    makecontext(&f->context, entry, 0);
}
#endif

static void entry(void)
{
    here->kernel->body(here->argument);
    here->current->done = true;
    switch_to(here->current, &here->scheduler);
    abort();  // never resumed
}

static void meet(cudasim_meeting *meeting)
{
    here->current->at = meeting;
    switch_to(here->current, &here->scheduler);
}

static void resume(block *b, unsigned t)
{
    const cudasim_dim size = b->kernel->here->block_dim;

    b->kernel->here->thread = (cudasim_dim){ t % size.x, t / size.x % size.y, t / size.x / size.y };
    b->current = &b->fibers[t];
    switch_to(&b->scheduler, b->current);
}

// --- meeting ---

// Every lane of lane LEADER's mask waits at the same kind of point, for the same lanes.
static bool all_came(const block *b, unsigned warp, const cudasim_meeting *leader)
{
    for (unsigned lane = 0; lane < WARP; lane++) {
        if (!(leader->mask >> lane & 1)) continue;
        const unsigned t = warp * WARP + lane;
        const cudasim_meeting *at = t < b->nthread ? b->fibers[t].at : NULL;
        if (!at || at->kind != leader->kind || at->mask != leader->mask) return false;
    }
    return true;
}

static void answer(block *b, unsigned warp, unsigned mask)
{
    fiber *lanes = b->fibers + warp * WARP;
    unsigned char values[WARP][16];
    unsigned votes = 0;

    memset(values, SIM_POISON, sizeof values);  // what a lane that did not come would give
    for (unsigned lane = 0; lane < WARP; lane++) {
        if (!(mask >> lane & 1)) continue;
        memcpy(values[lane], lanes[lane].at->value, 16);
        votes |= lanes[lane].at->predicate << lane;
    }
    for (unsigned lane = 0; lane < WARP; lane++) {
        if (!(mask >> lane & 1)) continue;
        cudasim_meeting *at = lanes[lane].at;
        at->result = votes;
        if (at->kind == CUDASIM_SHUFFLE) memcpy(at->value, values[at->source % WARP], 16);
        lanes[lane].at = NULL;
    }
}

static bool release_warps(block *b)
{
    bool moved = false;

    for (unsigned t = 0; t < b->nthread; t++) {
        const cudasim_meeting *at = b->fibers[t].at;
        if (!at || at->kind == CUDASIM_BARRIER || !all_came(b, t / WARP, at)) continue;
        answer(b, t / WARP, at->mask);
        moved = true;
    }
    return moved;
}

static bool release_barrier(block *b)
{
    unsigned count = 0;

    for (unsigned t = 0; t < b->nthread; t++) {
        if (!b->fibers[t].at || b->fibers[t].at->kind != CUDASIM_BARRIER) return false;
        count += b->fibers[t].at->predicate;
    }
    for (unsigned t = 0; t < b->nthread; t++) {
        b->fibers[t].at->result = count;
        b->fibers[t].at = NULL;
    }
    return true;
}

static const char *place(const fiber *f)
{
    static const char *const names[] = { "at a barrier", "at __syncwarp", "at a shuffle",
                                         "at a vote" };

    return f->done ? "finished" : names[f->at->kind];
}

// Names the first thread that waits, and the first that is elsewhere.
static void diverged(const block *b, const char *name)
{
    const cudasim_dim at = b->kernel->here->block;
    unsigned waits = 0, other = 0;

    while (!b->fibers[waits].at) waits++;
    while (other < b->nthread && strcmp(place(&b->fibers[other]), place(&b->fibers[waits])) == 0)
        other++;
    if (other == b->nthread)
        sim_say(
            "divergence in %s, block %u,%u,%u: thread %u is %s with mask %08x, and lanes of it are missing",
            name, at.x, at.y, at.z, waits, place(&b->fibers[waits]), b->fibers[waits].at->mask);
    else
        sim_say("divergence in %s, block %u,%u,%u: thread %u is %s, thread %u %s", name, at.x, at.y,
                at.z, waits, place(&b->fibers[waits]), other, place(&b->fibers[other]));
    sim_work_failed(CUDA_ERROR_LAUNCH_FAILED);
}

// --- a block ---

static block *block_of(sim_gpu *gpu)
{
    block *b = gpu->threads;

    if (b) return b;
    b = calloc(1, sizeof *b);
    if (!b) sim_work_failed(CUDA_ERROR_LAUNCH_FAILED);
    b->stacks = mmap(NULL, (size_t)THREADS * STACK, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->stacks == MAP_FAILED) sim_work_failed(CUDA_ERROR_LAUNCH_FAILED);
    for (unsigned t = 0; t < THREADS; t++) mprotect(b->stacks + t * STACK, GUARD, PROT_NONE);
    return gpu->threads = b;
}

// Warps run in turn, from a seeded one on, so that what one may not yet read of another is sometimes not yet there.
static unsigned run_round(block *b, unsigned seed)
{
    const unsigned nwarp = (b->nthread + WARP - 1) / WARP;
    unsigned done = 0;

    for (unsigned i = 0; i < nwarp * WARP; i++) {
        const unsigned t = (i + seed % nwarp * WARP) % (nwarp * WARP);
        if (t >= b->nthread) continue;
        if (!b->fibers[t].done && !b->fibers[t].at) resume(b, t);
        done += b->fibers[t].done;
    }
    return done;
}

void sim_run_block(sim_gpu *gpu, const cudasim_kernel *kernel, const char *name,
                   const void *argument, unsigned seed)
{
    block *b = here = block_of(gpu);
    const cudasim_dim size = kernel->here->block_dim;

    b->kernel = kernel;
    b->argument = argument;
    b->nthread = size.x * size.y * size.z;
    kernel->here->meet = meet;
    for (unsigned t = 0; t < b->nthread; t++) {
        b->fibers[t].done = false;
        b->fibers[t].at = NULL;
        prepare(&b->fibers[t], b->stacks + t * STACK, entry);
    }
    while (run_round(b, seed) < b->nthread) {
        const bool warps = release_warps(b);
        if (!release_barrier(b) && !warps) diverged(b, name);
    }
}
