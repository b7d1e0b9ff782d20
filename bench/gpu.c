// SPDX-License-Identifier: Apache-2.0
// gpu - what ./dev gpu measures of Weft, as a program of a user: one case per process, on the
// devices that $WEFT_DEVICES names. Inputs are computed, and so lie on the device, before the clock
// runs; the first result is compared with the CPU's, which draws the same inputs itself.
// usage: gpu NAME FRACTION [SECONDS]    prints one line "median SECONDS least SECONDS ... "; a
// wrong result is exit 1 and a sentence on standard error
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <weft.h>

typedef struct state state;

// In texts N is the side, B a quarter of it, S the step of a sample, F the dtype of the case.
typedef struct bench_case {
    const char *name;
    int axes;               // N elements, or N x N
    double size;            // N in full; fractions are of elements
    const char *a, *b, *c;  // inputs; NULL: none
    const char *text;       // what is measured; NULL: .make or .run
    const char *sample;     // what the sample of the result must be; NULL: the text, sampled
    double passes;          // reads and writes of all elements that nothing can avoid
    double flops;           // of N cubed
    double ulps;            // how far a result may be from the CPU's
    weft_array *(*make)(weft_array *a);
    double (*run)(state *);  // gives the case's value, and checks it itself
    bool bare;               // opens its sessions itself
    const char *settings;
} bench_case;

struct state {
    const bench_case *k;
    weft_session *s;
    weft_array *a, *b, *c;
    int64_t n;
    const char *dtype;
    int item;
    double eps;
    int64_t turns;  // of .run, as bytes are counted
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *where)
{
    fprintf(stderr, "gpu: %s: %s\n", where, weft_last_error());
    exit(1);
}

static void wrong(double seen, double expected)
{
    fprintf(stderr, "gpu: wrong result: expected %.9g, got %.9g\n", expected, seen);
    exit(1);
}

static double item(weft_array *x)
{
    double v;
    if (weft_item_f64(x, &v)) die("item");
    return v;
}

static int64_t step_of(int64_t n, int axes) { return n / (axes == 1 ? 1000 : 16) + 1; }

/* ---- cases that are texts ---- */

// TEXT with its capital letters replaced, as an array of the session.
static weft_array *express(const state *st, weft_session *s, const char *text,
                           weft_array *const *in)
{
    char filled[1024];
    size_t at = 0;
    for (const char *p = text; *p && at < sizeof filled - 24; p++) {
        char *end = filled + at;
        const size_t left = sizeof filled - at;
        if (*p == 'N') at += (size_t)snprintf(end, left, "%lld", (long long)st->n);
        else if (*p == 'B') at += (size_t)snprintf(end, left, "%lld", (long long)(st->n + 3) / 4);
        else if (*p == 'S')
            at += (size_t)snprintf(end, left, "%lld", (long long)step_of(st->n, st->k->axes));
        else if (*p == 'F') at += (size_t)snprintf(end, left, "%s", st->dtype);
        else filled[at++] = *p;
    }
    filled[at] = 0;
    static const char *const names[] = { "a", "b", "c" };
    int n = 0;
    while (in && n < 3 && in[n]) n++;
    return weft_expr(s, filled, n, names, in);
}

static void draw_inputs(const state *st, weft_session *s, weft_array **in)
{
    const char *texts[] = { st->k->a, st->k->b, st->k->c };
    for (int i = 0; i < 3 && texts[i]; i++)
        if (!(in[i] = express(st, s, texts[i], NULL))) die("inputs");
}

static weft_array *make(const state *st, weft_session *s, weft_array *const *in)
{
    return st->k->make ? st->k->make(in[0]) : express(st, s, st->k->text, in);
}

// A few elements of X spread over it, the last ones among them.
static weft_array *sample(weft_array *x)
{
    weft_cut cuts[2];
    const int ndim = weft_array_ndim(x);
    for (int i = 0; i < ndim && i < 2; i++)
        cuts[i] = WEFT_STEP(WEFT_CUT_OPEN, WEFT_CUT_OPEN, -step_of(weft_array_dim(x, i), ndim));
    return ndim > 0 ? weft_index(x, ndim, cuts) : x;
}

static double *fetch(weft_array *x)
{
    double *out = malloc((size_t)weft_array_size(x) * sizeof *out + 1);
    if (!out) exit(3);
    if (weft_get(x, WEFT_FLOAT64, out, (size_t)weft_array_size(x) * sizeof *out)) die("check");
    return out;
}

// Compares a sample of RESULT with what the CPU makes of the same text.
static void check(const state *st, weft_array *result)
{
    weft_array *in[4] = { NULL };
    weft_session *cpu = weft_open(&(weft_options){ .devices = "cpu" });
    if (!cpu) die("open");
    draw_inputs(st, cpu, in);
    weft_array *seen = sample(result), *right = st->k->sample ? express(st, cpu, st->k->sample, in)
                                                              : sample(make(st, cpu, in));
    if (!seen || !right) die("check");
    if (weft_array_size(seen) != weft_array_size(right))
        wrong((double)weft_array_size(seen), (double)weft_array_size(right));
    double *x = fetch(seen), *y = fetch(right);
    for (int64_t i = 0; i < weft_array_size(seen); i++)
        if (!(fabs(x[i] - y[i]) <= st->k->ulps * st->eps * fmax(fabs(y[i]), 1))) wrong(x[i], y[i]);
    free(x);
    free(y);
    if (weft_close(cpu)) die("close");
}

static weft_array *mean_filter(weft_array *a)
{
    weft_kernel *kernel = weft_kernel_create(
        weft_array_session(a),
        &(weft_kernel_desc){ .name = "mean3x3",
                             .params = "u",
                             .body =
                                 "result = (u[-1, -1] + u[-1, 0] + u[-1, 1] + u[0, -1] + u[0, 0]"
                                 " + u[0, 1] + u[1, -1] + u[1, 0] + u[1, 1]) / 9" });
    weft_array *out = weft_kernel_map(kernel, 1, &a, 0, NULL);
    weft_kernel_free(kernel);
    return out;
}

/* ---- cases that are loops ---- */

// Microseconds a task: nearly nothing to do in each of 100,000 blocks, which the settings of the
// case keep apart.
static double tasks(state *st)
{
    double from = now();
    double v = item(express(st, st->s, "sum(a + 1)", (weft_array *[]){ st->a, NULL }));
    double us = (now() - from) / (double)((st->n + 999) / 1000) * 1e6;
    if (v != 2 * (double)st->n) wrong(v, 2 * (double)st->n);
    return us;
}

static double scalar_read(state *st)  // microseconds a turn
{
    const int64_t turns = st->n;
    weft_array *x = st->a, *half = weft_num(st->s, 0.5), *one = weft_num(st->s, 1);
    double v = 0, from = now();
    weft_scope *turn = weft_scope_open(st->s);
    for (int64_t i = 0; i < turns; i++) {
        x = weft_add(weft_multiply(x, half), one);
        weft_array *sum = weft_sum(x, WEFT_ALL_AXES, NULL);
        if (weft_scope_reset(turn, WEFT_ARRAYS(x, sum)) || weft_compute(WEFT_ARRAYS(x, sum), NULL))
            die("scalar_read");
        v = item(sum);
    }
    double us = (now() - from) / (double)turns * 1e6,
           expected = 1000 * (2 - pow(0.5, (double)turns - 1));
    if (fabs(v - expected) > 1e-3) wrong(v, expected);
    if (weft_scope_close(turn, 0, NULL)) die("scalar_read");
    return us;
}

static int64_t kernels_compiled(state *st)
{
    weft_session_stats stats = { 0 };
    if (weft_stats(st->s, &stats)) die("stats");
    return stats.kernels_compiled;
}

// Far from the sides, and after few turns, a column knows of the hot edge alone.
static void check_jacobi(state *st, weft_array *u)
{
    double column[64] = { 100 }, next[64] = { 100 };
    for (int64_t k = 0; k < st->turns; k++) {
        for (int i = 1; i < 63; i++)
            next[i] = 0.25 * (column[i - 1] + column[i + 1] + 2 * column[i]);
        memcpy(column, next, sizeof column);
    }
    for (int i = 0; i < 3 && i < st->n - 1; i++) {
        double v = item(weft_index(u, WEFT_CUTS(WEFT_AT(i), WEFT_AT(st->n / 2))));
        if (fabs(v - column[i]) > 1e-3) wrong(v, column[i]);
    }
}

static double jacobi(state *st)
{
    weft_array *u = st->a, *quarter = weft_num(st->s, 0.25), *d = NULL;
    weft_scope *turn = weft_scope_open(st->s);
    int64_t kernels = 0;
    st->turns = st->n / 2 - 2 < 50 ? st->n / 2 - 2 : 50;
    for (int64_t k = 0; k < st->turns; k++) {
        weft_array *in = weft_multiply(
            quarter,
            weft_add(weft_add(weft_index_text(u, ":-2, 1:-1"), weft_index_text(u, "2:, 1:-1")),
                     weft_add(weft_index_text(u, "1:-1, :-2"), weft_index_text(u, "1:-1, 2:"))));
        weft_array *next = weft_setitem(u, WEFT_CUTS(WEFT_SPAN(1, -1), WEFT_SPAN(1, -1)), in);
        d = weft_max(weft_abs(weft_subtract(next, u)), WEFT_ALL_AXES, NULL);
        u = next;
        if (weft_scope_reset(turn, WEFT_ARRAYS(u, d)) || weft_compute(WEFT_ARRAYS(u, d), NULL))
            die("jacobi");
        if (k == 2) kernels = kernels_compiled(st);
    }
    double left = item(d);
    if (st->turns > 2 && kernels_compiled(st) != kernels)
        wrong((double)kernels_compiled(st), (double)kernels);  // they grow with the turns
    check_jacobi(st, u);
    if (weft_scope_close(turn, 0, NULL)) die("jacobi");
    return left;
}

static double open_close(state *st)
{
    double from = now();
    weft_session *s = weft_open(NULL);
    if (!s || weft_close(s)) die("open_close");
    (void)st;
    return (now() - from) * 1e3;
}

/* ---- the first call of a fused kernel, in milliseconds more than a later one ---- */

static double ask(state *st, weft_session *s)
{
    double from = now();
    double v = item(express(st, s, "sum(sqrt(arange(1000, dtype=float32) * 2 + 7) * 3)", NULL));
    if (fabs(v - 89830.864) > 1) wrong(v, 89830.864);
    return (now() - from) * 1e3;
}

static double session_first(state *st)
{
    weft_session *s = weft_open(NULL);
    if (!s) die("open");
    double first = ask(st, s);
    double later = ask(st, s);
    if (weft_close(s)) die("close");
    return first - later;
}

static void remove_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    if (entries) closedir(entries);
    rmdir(folder);
}

static double first_call(state *st, bool warm)
{
    const char *parent = getenv("TMPDIR");
    char folder[300];
    snprintf(folder, sizeof folder, "%s/weft-kernels-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder) || setenv("WEFT_KERNEL_CACHE", folder, 1)) exit(3);
    double ms = session_first(st);
    if (warm) ms = session_first(st);
    remove_folder(folder);
    return ms;
}

static double first_cold(state *st) { return first_call(st, false); }
static double first_warm(state *st) { return first_call(st, true); }

/* ---- all of them ---- */

#define LINE(low, high, seed) \
    "random_uniform(" #low ", " #high ", (N,), seed=" #seed ", stream=1, dtype=F)"
#define SQUARE(seed) "random_uniform(0, 1, (N, N), seed=" #seed ", stream=1, dtype=F)"
#define BLOCKS(seed) "rechunk(" SQUARE(seed) ", (B, B))"
#define TILED(text) "rechunk(" text ", (B,))"

// clang-format off
static const bench_case cases[] = {
    { "axpy", 1, 1e9, LINE(0, 1, 1), LINE(0, 1, 2), LINE(0, 1, 3), "a + b*c", .passes = 4, .ulps = 4 },
    { "chain", 1, 1e9, LINE(0, 1, 1), .text = "((((a*2 + 1)*a - 3)*a + 0.5)*a - a)*0.25 + a", .passes = 2, .ulps = 16 },
    { "black_scholes", 1, 1e9, LINE(10, 50, 1), LINE(10, 50, 2), LINE(1, 10, 3),
      "v = 0.3*sqrt(c); d = (log(a/b) + 0.065*c)/v;"
      "a*(0.5 + 0.5*erf(d*0.70710678)) - b*exp(-0.02*c)*(0.5 + 0.5*erf((d - v)*0.70710678))", .passes = 4, .ulps = 1e3 },

    { "sum_all", 2, 31744, SQUARE(1), .text = "sum(a)", .passes = 1, .ulps = 64 },
    { "sum_0", 2, 31744, SQUARE(1), .text = "sum(a, axis=0)", .passes = 1, .ulps = 64 },
    { "sum_1", 2, 31744, SQUARE(1), .text = "sum(a, axis=1)", .passes = 1, .ulps = 64 },
    { "mean_all", 2, 31744, SQUARE(1), .text = "mean(a)", .passes = 1, .ulps = 64 },
    { "mean_0", 2, 31744, SQUARE(1), .text = "mean(a, axis=0)", .passes = 1, .ulps = 64 },
    { "mean_1", 2, 31744, SQUARE(1), .text = "mean(a, axis=1)", .passes = 1, .ulps = 64 },
    { "std_all", 2, 31744, SQUARE(1), .text = "std(a)", .passes = 1, .ulps = 64 },
    { "std_0", 2, 31744, SQUARE(1), .text = "std(a, axis=0)", .passes = 1, .ulps = 64 },
    { "std_1", 2, 31744, SQUARE(1), .text = "std(a, axis=1)", .passes = 1, .ulps = 64 },
    { "argmax_all", 2, 31744, SQUARE(1), .text = "argmax(a)", .passes = 1 },
    { "argmax_0", 2, 31744, SQUARE(1), .text = "argmax(a, axis=0)", .passes = 1 },
    { "argmax_1", 2, 31744, SQUARE(1), .text = "argmax(a, axis=1)", .passes = 1 },
    { "cumsum_all", 1, 1e9, LINE(0, 1, 1), .text = "cumulative_sum(a, axis=0)", .passes = 2, .ulps = 1e4 },
    { "cumsum_0", 2, 31744, SQUARE(1), .text = "cumulative_sum(a, axis=0)", .passes = 2, .ulps = 1e4 },
    { "cumsum_1", 2, 31744, SQUARE(1), .text = "cumulative_sum(a, axis=1)", .passes = 2, .ulps = 1e4 },

    { "transpose_sum", 2, 10000, BLOCKS(1), .text = "sum(a + a.T)", .passes = 1, .ulps = 64 },
    { "dot", 2, 10000, BLOCKS(1), BLOCKS(2), .text = "dot(a, b)", .sample = "a[::-S] @ b[:, ::-S]", .flops = 2, .ulps = 1e3 },
    { "block_sum", 2, 10000, BLOCKS(1), .text = "sum(a)", .passes = 1, .ulps = 64 },
    { "block_mean", 2, 10000, BLOCKS(1), .text = "mean(a)", .passes = 1, .ulps = 64 },
    { "slice", 2, 10000, BLOCKS(1), .text = "a[::3]", .passes = 2. / 3 },
    { "col_sum", 1, 1e8, TILED(LINE(0, 1, 1)), TILED(LINE(0, 1, 2)), .text = "a + b", .passes = 3, .ulps = 1 },
    { "col_mask", 1, 1e8, TILED(LINE(0, 1, 1)), TILED("random.normal(10, 1, (N,), seed=2, stream=1, dtype=F)"),
      .text = "a[b > 10]", .passes = 2.5 },
    { "col_gather", 1, 1e8, TILED(LINE(0, 1, 1)), "random_integers(0, N, (1000,), seed=2, stream=1)", .text = "a[b]" },
    { "mean_filter", 2, 10000, BLOCKS(1), .make = mean_filter, .passes = 2, .ulps = 16 },

    { "matmul", 2, 16384, BLOCKS(1), BLOCKS(2), .text = "a @ b", .sample = "a[::-S] @ b[:, ::-S]", .flops = 2, .ulps = 1e3 },
    { "matmul_over", 2, 65536, BLOCKS(1), BLOCKS(2), .text = "a @ b", .sample = "a[::-S] @ b[:, ::-S]", .flops = 2, .ulps = 1e3 },
    { "stream_over", 1, 8589934592., LINE(0, 1, 1), .text = "sum(sqrt(a*a + 1))", .passes = 1, .ulps = 64 },
    { "normals", 1, 1e9, .text = "random_normal((N,), seed=5, stream=1, dtype=F)", .passes = 1 },

    { "tasks", 1, 1e8, "rechunk(ones((N,), dtype=float32), (1000,))", .run = tasks, .settings = "disable=group,fold" },
    { "scalar_read", 1, 1000, "zeros((1000,), dtype=float32)", .run = scalar_read },
    { "jacobi", 2, 20000, "setitem(zeros((N, N), dtype=float32), '0', 100)", .run = jacobi, .passes = 2 },
    { "open_close", 1, 1, .run = open_close, .bare = true },
    { "first_cold", 1, 1, .run = first_cold, .bare = true },
    { "first_warm", 1, 1, .run = first_warm, .bare = true },
};
// clang-format on

// NAME is a case, with the dtype behind it unless it is float32 or the case says itself.
static const bench_case *find_case(const char *name, state *st)
{
    static const struct {
        const char *ending, *dtype;
        int item;
        double eps;
    } dtypes[] = { { "_f32", "float32", 4, 0x1p-23 },
                   { "_f64", "float64", 8, 0x1p-52 },
                   { "_bf16", "bfloat16", 2, 0x1p-8 },
                   { "", "float32", 4, 0x1p-23 } };
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
        const size_t length = strlen(name), ending = strlen(dtypes[d].ending);
        if (length <= ending || strcmp(name + length - ending, dtypes[d].ending) != 0) continue;
        st->dtype = dtypes[d].dtype;
        st->item = dtypes[d].item;
        st->eps = dtypes[d].eps;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            if (strlen(cases[k].name) == length - ending &&
                strncmp(cases[k].name, name, length - ending) == 0)
                return &cases[k];
    }
    fprintf(stderr, "gpu: no case '%s'\n", name);
    exit(2);
}

static void prepare(state *st, double fraction)
{
    const bench_case *k = st->k;
    st->n = (int64_t)(k->size * (k->axes == 1 ? fraction : sqrt(fraction)) + 0.5);
    if (st->n < 16 && k->size >= 16) st->n = 16;
    st->turns = 1;
    if (k->bare) return;
    st->s = weft_open(&(weft_options){ .settings = k->settings });
    if (!st->s) die("open");
    weft_array *in[3] = { NULL };
    draw_inputs(st, st->s, in);
    for (int i = 0; i < 3 && in[i]; i++)
        if (weft_compute(1, &in[i], NULL)) die("inputs");
    st->a = in[0], st->b = in[1], st->c = in[2];
}

// One run, timed; the first is checked, outside of the time.
static double once(state *st, bool first, double *value)
{
    weft_array *in[] = { st->a, st->b, st->c, NULL }, *result = NULL;
    weft_scope *scope = st->s ? weft_scope_open(st->s) : NULL;
    const double from = now();
    if (st->k->run) *value = st->k->run(st);
    else if (!(result = make(st, st->s, in)) || weft_compute(1, &result, NULL)) die(st->k->name);
    const double seconds = now() - from;
    if (result && first) check(st, result);
    if (scope && weft_scope_close(scope, 0, NULL)) die("scope");
    return seconds;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_use(state *st, const weft_session_stats *before)
{
    struct rusage usage;
    weft_session_stats s = { 0 };
    getrusage(RUSAGE_SELF, &usage);
    if (st->s && weft_stats(st->s, &s)) die("stats");
    printf(" device_bytes %lld copied %lld spilled %lld kernels %lld fallbacks %lld peak_kib %ld\n",
           (long long)s.device_bytes, (long long)(s.bytes_copied - before->bytes_copied),
           (long long)(s.bytes_spilled - before->bytes_spilled), (long long)s.kernels_compiled,
           (long long)s.fallbacks, usage.ru_maxrss);
}

static void measure(state *st, double seconds)
{
    enum { MOST = 50, LONG = 8 };  // from so many seconds on once is enough
    double t[MOST], values[MOST], value = 0, spent = 0;
    weft_session_stats before = { 0 };
    int n = 0;
    double first = once(st, true, &value);
    if (first > LONG) t[n] = first, values[n++] = value;
    if (st->s && weft_stats(st->s, &before)) die("stats");
    for (; n < MOST && (n == 0 || spent < seconds) && first <= LONG; n++) {
        spent += t[n] = once(st, false, &value);
        values[n] = value;
    }
    qsort(t, (size_t)n, sizeof *t, by_size);
    qsort(values, (size_t)n, sizeof *values, by_size);
    const double elements = pow((double)st->n, st->k->axes);
    printf("median %.9f least %.9f most %.9f runs %d first %.9f value %.9g n %lld", t[n / 2], t[0],
           t[n - 1], n, first, values[n / 2], (long long)st->n);
    printf(" bytes %.0f flops %.0f", st->k->passes * elements * st->item * (double)st->turns,
           st->k->flops * pow((double)st->n, 3));
    print_use(st, &before);
}

// Warnings, such as of a kernel that only the CPU has, each once.
static void log_line(void *context, int level, const char *text)
{
    static _Thread_local char last[200];
    (void)context;
    if (level > WEFT_LOG_WARN || strncmp(text, last, sizeof last - 1) == 0) return;
    snprintf(last, sizeof last, "%s", text);
    fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
    state st = { 0 };
    if (argc < 3) {
        fprintf(stderr, "usage: gpu NAME FRACTION [SECONDS]\n");
        return 2;
    }
    st.k = find_case(argv[1], &st);
    weft_set_log(log_line, NULL);
    prepare(&st, atof(argv[2]));
    measure(&st, argc > 3 ? atof(argv[3]) : 0.5);
    if (weft_close(st.s)) die("close");
    return 0;
}
