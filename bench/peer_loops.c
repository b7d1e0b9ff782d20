// SPDX-License-Identifier: Apache-2.0
// peer_loops - the same arithmetic as plain C loops with OpenMP, built as hard as the compiler can: the floor that Weft is measured against.
// usage: peer_loops NAME FRACTION    the protocol of cases.c
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t n;
static double *x;
static float *f, *g;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double *fill(int64_t count)
{
    double *p = aligned_alloc(64, (size_t)(count * 8 + 64) / 64 * 64);
    uint64_t r = 88172645463325252ull;
    if (!p) exit(3);
    for (int64_t i = 0; i < count; i++) {
        r ^= r << 13, r ^= r >> 7, r ^= r << 17;
        p[i] = (double)(r >> 11) * 0x1p-53;
    }
    return p;
}

static void expsum_setup(void) { x = fill(n); }
static double expsum(void)
{
    double sum = 0;
#pragma omp parallel for simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += sqrt(x[i] * x[i] + 1) * exp(-x[i]);
    return sum;
}

static double read_all(void)  // the read bandwidth, for std_axis0: the square root of n by itself
{
    double sum = 0;
#pragma omp parallel for simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

static void chain_setup(void)
{
    f = aligned_alloc(64, (size_t)(n * 4 + 64) / 64 * 64);
    g = aligned_alloc(64, (size_t)(n * 4 + 64) / 64 * 64);
    if (!f || !g) exit(3);
    for (int64_t i = 0; i < n; i++) f[i] = (float)(i % 1000) * 1e-3f;
}
static double chain(void)
{
#pragma omp parallel for simd
    for (int64_t i = 0; i < n; i++) {
        float v = f[i], t = ((((v * 2 + 1) * v - 3) * v + 0.5f) * v - v) * 0.25f + v;
        g[i] = t;
    }
    return g[7];
}

static void jacobi_setup(void) {}
static double jacobi(void)
{
    int64_t m = n;
    double *u = calloc((size_t)(m * m), 8), *v = malloc((size_t)(m * m) * 8), worst = 0;
    if (!u || !v) exit(3);
    for (int64_t j = 0; j < m; j++) u[j] = 100;
    memcpy(v, u, (size_t)(m * m) * 8);
    for (int k = 0; k < 1000; k++) {
        worst = 0;
#pragma omp parallel for reduction(max : worst)
        for (int64_t i = 1; i < m - 1; i++)
            for (int64_t j = 1; j < m - 1; j++) {
                double t = 0.25 * ((u[(i - 1) * m + j] + u[(i + 1) * m + j]) +
                                   (u[i * m + j - 1] + u[i * m + j + 1]));
                double d = fabs(t - u[i * m + j]);
                v[i * m + j] = t;
                worst = d > worst ? d : worst;
            }
        double *swap = u;
        u = v;
        v = swap;
    }
    free(u);
    free(v);
    return worst;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    double fraction = argc > 2 ? atof(argv[2]) : 1, (*run)(void) = NULL;
    n = (int64_t)(1e8 * fraction);
    if (!strcmp(name, "expsum")) expsum_setup(), run = expsum;
    if (!strcmp(name, "std_axis0")) expsum_setup(), run = read_all;
    if (!strcmp(name, "chain")) chain_setup(), run = chain;
    if (!strcmp(name, "jacobi")) n = (int64_t)(4000 * sqrt(fraction)), jacobi_setup(), run = jacobi;
    if (!run) return 2;
    puts("ready");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        double from = now(), value = run();
        printf("%.9f %.17g\n", now() - from, value);
        fflush(stdout);
    }
    return 0;
}
