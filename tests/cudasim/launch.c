// SPDX-License-Identifier: Apache-2.0
// launch - modules (shared objects, made by our libnvrtc) and the running of kernels: blocks in a seeded order, the threads of a block in a loop
// or, where they meet, as fibers.
#include "sim.h"

#include <dlfcn.h>
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

// --- work that may touch bad addresses ---

static __thread struct {
    void *back[5];  // of __builtin_setjmp: frame, place, stack
    volatile bool armed;
    volatile int result;
    void *address;
} guard;
static struct sigaction before[2];  // SIGSEGV's and SIGBUS's

void sim_work_failed(int result)
{
    guard.armed = false;
    guard.result = result;
    __builtin_longjmp(guard.back, 1);
}

static void fell(void)
{
    sim_say("illegal address %p in a kernel or a copy", guard.address);
    sim_work_failed(CUDA_ERROR_ILLEGAL_ADDRESS);
}

// The handler returns before the work is left, for ThreadSanitizer takes what comes after a jump for the handler still: it returns to fell(),
// on the stack of sim_guarded, below what is still wanted of it (a fiber's own stack may be what overflowed).
static void leave_work(ucontext_t *context)
{
#ifdef __x86_64__
    context->uc_mcontext.gregs[REG_RSP] = (((greg_t)guard.back[2] - 4096) & ~15ll) - 8;
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)fell;
#else
    (void)context;
    fell();
#endif
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *old = &before[signal == SIGBUS];

    if (guard.armed) {
        guard.address = info->si_addr;
        leave_work(context);
    } else if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(signal, info, context);
    } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        old->sa_handler(signal);
    } else {
        sigaction(signal, old, NULL);  // on return the access is tried again, and ends the process
    }
}

void sim_guard_install(void)
{
    const struct sigaction action = { .sa_sigaction = on_fault,
                                      .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

    sigaction(SIGSEGV, &action, &before[0]);
    sigaction(SIGBUS, &action, &before[1]);
}

__attribute__((noinline)) int sim_guarded(sim_work *work, sim_gpu *gpu, const void *argument)
{
    if (__builtin_setjmp(guard.back)) return guard.result;
    guard.armed = true;
    const int result = work(gpu, argument);
    guard.armed = false;
    return result;
}

// --- modules ---

// An ELF file ends with its section headers: that is how long an image is, of which the caller gives only the beginning.
static size_t image_size(const void *image)
{
    Elf64_Ehdr head;

    memcpy(&head, image, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64)
        return 0;
    return head.e_shoff + (size_t)head.e_shentsize * head.e_shnum;
}

// From a file whose name no library had before: the loader takes one name for one library, and not every library can be unloaded.
static bool load_image(sim_module *m, const void *image, size_t size)
{
    char path[] = "/tmp/cudasim-XXXXXX";
    const int file = mkstemp(path);

    if (file >= 0 && write(file, image, size) == (ssize_t)size)
        m->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!m->library) sim_say("a module cannot be loaded: %s", dlerror());
    if (file >= 0) unlink(path), close(file);
    return m->library != NULL;
}

int sim_module_open(sim_gpu *gpu, const void *image, sim_module **out)
{
    const size_t size = image_size(image);
    sim_module *m = size ? calloc(1, sizeof *m) : NULL;

    if (!m || !load_image(m, image, size)) {
        free(m);
        return CUDA_ERROR_INVALID_IMAGE;
    }
    sim_handle(&m->object, SIM_MODULE, gpu);
    *out = m;
    return CUDA_SUCCESS;
}

void sim_module_close(sim_module *m)
{
    while (m->functions) {
        sim_function *f = m->functions;
        m->functions = f->next;
        sim_forget(&f->object);
        free(f);
    }
    dlclose(m->library);
    sim_forget(&m->object);
    free(m);
}

// --- launches ---

typedef struct launch {
    const cudasim_kernel *kernel;
    cudasim_dim grid, block;
    uint64_t seed;
    char name[128];
    _Alignas(16) char argument[];
} launch;

static void meet_in_a_loop(cudasim_meeting *meeting)
{
    (void)meeting;
    sim_say("a kernel declared with WF_KERNEL meets; it must be a WF_KERNEL_MEETING");
    sim_work_failed(CUDA_ERROR_LAUNCH_FAILED);
}

static void run_threads(const launch *l, bool backwards)
{
    cudasim_here *here = l->kernel->here;
    const unsigned n = l->block.x * l->block.y * l->block.z;

    here->meet = meet_in_a_loop;
    for (unsigned i = 0; i < n; i++) {
        const unsigned t = backwards ? n - 1 - i : i;
        here->thread = (cudasim_dim){ t % l->block.x, t / l->block.x % l->block.y,
                                      t / l->block.x / l->block.y };
        l->kernel->body(l->argument);
    }
}

// Blocks run forwards or backwards from a random one, so that none may count on another.
static int run_launch(sim_gpu *gpu, const void *argument)
{
    const launch *l = argument;
    cudasim_here *here = l->kernel->here;
    const uint64_t n = (uint64_t)l->grid.x * l->grid.y * l->grid.z, first = (l->seed >> 8) % n;

    here->grid_dim = l->grid;
    here->block_dim = l->block;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t b = l->seed & 1 ? (first + i) % n : (first + n - i) % n;
        here->block =
            (cudasim_dim){ (unsigned)(b % l->grid.x), (unsigned)(b / l->grid.x % l->grid.y),
                           (unsigned)(b / l->grid.x / l->grid.y) };
        if (l->kernel->meeting)
            sim_run_block(gpu, l->kernel, l->name, l->argument, (unsigned)(l->seed >> 32));
        else run_threads(l, l->seed & 2);
    }
    return CUDA_SUCCESS;
}

int sim_launch(sim_stream *stream, sim_function *function, cudasim_dim grid, cudasim_dim block,
               const void *argument)
{
    const cudasim_kernel *kernel = function->kernel;
    launch *l = calloc(1, sizeof *l + kernel->bytes);

    if (!l) return CUDA_ERROR_OUT_OF_MEMORY;
    l->kernel = kernel, l->grid = grid, l->block = block, l->seed = sim_random();
    snprintf(l->name, sizeof l->name, "%s", function->name);
    memcpy(l->argument, argument, kernel->bytes);
    const int result =
        sim_queue(stream, "cuLaunchKernel", run_launch, l, sizeof *l + kernel->bytes, NULL, 0);
    free(l);
    return result;
}
