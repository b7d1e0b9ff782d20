// SPDX-License-Identifier: Apache-2.0
// dispatch - chooses among the kernel tables by what the processor can do. Tables are built once,
// on first use, under pthread_once; afterwards they never change, and any thread may read them.

#include <pthread.h>
#include <string.h>

#include "table.h"

enum { BASELINE, AVX2, AVX512, TABLES };

static wf_kernel_table
    tables[TABLES];  // each complete: entries of the slower ones remain where a faster one has none
static int best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)

static int level_of_processor(void)
{
    // Every processor with AVX2 and FMA also has F16C.
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return BASELINE;
    const int wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    return wide ? AVX512 : AVX2;
}

#if defined(WF_HAVE_SLEEF)
#define WITH_MATH(name) name "+sleef"
#else
#define WITH_MATH(name) name
#endif

// A fill function is itself compiled for its instruction set, so it runs only where that exists.
static void build_fast_tables(void)
{
    if (best < AVX2) return;
    tables[AVX2] = tables[BASELINE];
    tables[AVX2].name = WITH_MATH("avx2");
    wf_map_fill_avx2(&tables[AVX2]);
    wf_cast_fill_avx2(&tables[AVX2]);
    wf_reduce_fill_avx2(&tables[AVX2]);
    wf_stream_fill_avx2(&tables[AVX2]);

    if (best < AVX512) return;
    tables[AVX512] = tables[AVX2];
    tables[AVX512].name = WITH_MATH("avx512");
    wf_map_fill_avx512(&tables[AVX512]);
    wf_cast_fill_avx512(&tables[AVX512]);
    wf_reduce_fill_avx512(&tables[AVX512]);
    wf_stream_fill_avx512(&tables[AVX512]);
}

#else

static int level_of_processor(void) { return BASELINE; }
static void build_fast_tables(void) {}

#endif

static void build_tables(void)
{
    wf_kernel_table *plain = &tables[BASELINE];
    wf_map_fill_baseline(plain);
    wf_cast_fill_baseline(plain);
    wf_reduce_fill_baseline(plain);
    wf_stream_fill_baseline(plain);
    plain->name = "baseline";
    best = level_of_processor();
    build_fast_tables();
}

const wf_kernel_table *wf_kernels(const char *name)
{
    pthread_once(&once, build_tables);
    int limit = TABLES - 1;
    if (name && !strcmp(name, "baseline")) limit = BASELINE;
    if (name && !strcmp(name, "avx2")) limit = AVX2;
    return &tables[best < limit ? best : limit];
}
