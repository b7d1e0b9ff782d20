// SPDX-License-Identifier: Apache-2.0
// header_test - the public headers keep their promises at compile time: signatures, the layout of
// options, one function per operation, and macros that work. Compiled as C11 and as C++11 to C++20 by
// header_test.sh, never linked with the library; with HEADER_TEST_RUN it is a program that checks what
// the macros expand to.
#include <weft/daemon.h>

#ifdef __cplusplus
#define ASSERT static_assert
extern "C" {
#else
#define ASSERT _Static_assert
#endif

// --- signatures that programs rely on: a second declaration that differs does not compile ---

weft_session *weft_open(const weft_options *opts);
weft_status weft_close(weft_session *session);
weft_scope *weft_scope_open(weft_session *session);
weft_status weft_scope_reset(weft_scope *scope, int n, weft_array *const *keep);
weft_status weft_scope_close(weft_scope *scope, int n, weft_array *const *keep);
weft_array *weft_from_memory(weft_session *session, const void *data, weft_dtype dtype, int ndim,
                             const int64_t *shape, const weft_memory_options *opts);
weft_array *weft_from_reader(weft_session *session, weft_read_fn *read, void *context,
                             weft_dtype dtype, int ndim, const int64_t *shape);
weft_array *weft_from_reader_serial(weft_session *session, weft_read_fn *read, void *context,
                                    weft_dtype dtype, int ndim, const int64_t *shape);
weft_array *weft_to_writer(weft_array *x, weft_write_fn *write, void *context);
weft_array *weft_load(weft_session *session, const char *path, const weft_load_options *opts);
weft_array *weft_num(weft_session *session, double value);
weft_array *weft_zeros(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape);
weft_array *weft_arange(weft_session *session, double start, double stop, double step,
                        weft_dtype dtype);
weft_array *weft_random_normal(weft_session *session, int ndim, const int64_t *shape,
                               const weft_random_options *opts);
weft_array *weft_expr(weft_session *session, const char *text, int n, const char *const *names,
                      weft_array *const *arrays);
weft_array *weft_index(weft_array *x, int n, const weft_cut *cuts);
weft_array *weft_index_text(weft_array *x, const char *cuts);
weft_array *weft_rechunk(weft_array *x, int n, const int64_t *block);
weft_array *weft_setitem(weft_array *x, int n, const weft_cut *cuts, weft_array *value);
weft_array *weft_matmul(weft_array *a, weft_array *b);
weft_array *weft_reshape(weft_array *x, int ndim, const int64_t *shape);
weft_array *weft_permute_dims(weft_array *x, int naxes, const int *axes);
weft_array *weft_astype(weft_array *x, weft_dtype dtype);
int weft_array_ndim(const weft_array *x);
int64_t weft_array_dim(const weft_array *x, int axis);
weft_dtype weft_array_dtype(const weft_array *x);
weft_status weft_compute(int n, weft_array *const *arrays, const weft_compute_options *opts);
weft_request *weft_start(int n, weft_array *const *arrays, const weft_compute_options *opts);
weft_status weft_wait(weft_request *request, double seconds);
void weft_cancel(weft_request *request);
weft_status weft_get(weft_array *x, weft_dtype as, void *out, size_t bytes);
weft_status weft_item_f64(weft_array *x, double *out);
weft_array *weft_sink(weft_array *x, const char *path, const weft_save_options *opts);
weft_status weft_save(weft_array *x, const char *path, const weft_save_options *opts);
weft_kernel *weft_kernel_create(weft_session *session, const weft_kernel_desc *desc);
weft_array *weft_kernel_map(weft_kernel *kernel, int nin, weft_array *const *in, int nparams,
                            const double *params);
weft_status weft_last_status(void);
const char *weft_last_error(void);

#ifdef __cplusplus
}
#endif

// --- options: fields in their order, at the offsets of an all-64-bit layout, the reserved tail last ---

#define AFTER(T, first, second) \
    ASSERT(offsetof(T, first) < offsetof(T, second), #T ": ." #second " stands after ." #first)
#define TAIL(T, last)                                                       \
    AFTER(T, last, reserved);                                               \
    ASSERT(sizeof(T) == offsetof(T, reserved) + sizeof(((T *)0)->reserved), \
           #T ": nothing stands after the reserved tail")
#define SIZE(T, bytes) ASSERT(sizeof(void *) != 8 || sizeof(T) == (bytes), #T ": its size is fixed")

AFTER(weft_options, scheduler, scheduler_file);
AFTER(weft_options, scheduler_file, devices);
AFTER(weft_options, devices, memory_limit);
AFTER(weft_options, memory_limit, workers);
AFTER(weft_options, workers, threads);
AFTER(weft_options, threads, nblocks);
AFTER(weft_options, nblocks, blocks);
AFTER(weft_options, blocks, settings);
TAIL(weft_options, settings);
SIZE(weft_options, 128);

AFTER(weft_memory_options, strides, borrow);
AFTER(weft_memory_options, borrow, release);
AFTER(weft_memory_options, release, context);
TAIL(weft_memory_options, context);
SIZE(weft_memory_options, 96);

AFTER(weft_reduce_options, dtype, keepdims);
AFTER(weft_reduce_options, keepdims, correction);
TAIL(weft_reduce_options, correction);
SIZE(weft_reduce_options, 80);

AFTER(weft_random_options, seed, stream);
AFTER(weft_random_options, stream, dtype);
AFTER(weft_random_options, dtype, zero_seed);
TAIL(weft_random_options, zero_seed);
SIZE(weft_random_options, 88);

AFTER(weft_compute_options, progress, context);
AFTER(weft_compute_options, context, timeout);
TAIL(weft_compute_options, timeout);
SIZE(weft_compute_options, 88);

AFTER(weft_load_options, raw, dtype);
AFTER(weft_load_options, dtype, ndim);
AFTER(weft_load_options, ndim, shape);
TAIL(weft_load_options, shape);
SIZE(weft_load_options, 88);

AFTER(weft_save_options, overwrite, nregion);
AFTER(weft_save_options, nregion, region);
AFTER(weft_save_options, region, nchunks);
AFTER(weft_save_options, nchunks, chunks);
AFTER(weft_save_options, chunks, codec);
AFTER(weft_save_options, codec, zarr_format);
AFTER(weft_save_options, zarr_format, dims);
AFTER(weft_save_options, dims, attributes);
TAIL(weft_save_options, attributes);
SIZE(weft_save_options, 128);

AFTER(weft_kernel_desc, name, params);
AFTER(weft_kernel_desc, params, body);
AFTER(weft_kernel_desc, body, cuda);
AFTER(weft_kernel_desc, cuda, library);
AFTER(weft_kernel_desc, library, symbol);
AFTER(weft_kernel_desc, symbol, cpu);
AFTER(weft_kernel_desc, cpu, result);
AFTER(weft_kernel_desc, result, boundary);
TAIL(weft_kernel_desc, boundary);
SIZE(weft_kernel_desc, 128);

TAIL(weft_linspace_options, exclude_endpoint);
TAIL(weft_dlpack_options, copy);
TAIL(weft_isclose_options, zero_atol);
TAIL(weft_nan_to_num_options, zero_neginf);
TAIL(weft_scan_options, include_initial);
TAIL(weft_pad_options, value);
TAIL(weft_session_stats, devices_lost);
TAIL(weft_info_options, json);
TAIL(weft_config_options, explain);
TAIL(weft_doctor_options, clear_cache);
TAIL(weft_scheduler_options, settings);
TAIL(weft_worker_options, settings);
TAIL(weft_top_options, json);
TAIL(weft_keygen_options, overwrite);
SIZE(weft_cut, 32);

// --- numbers, which are never used again ---

ASSERT(WEFT_OK == 0 && WEFT_INVALID == 1 && WEFT_CLOSED == 11 && WEFT_INTERNAL == 17, "statuses");
ASSERT(WEFT_DTYPE_DEFAULT == 0 && WEFT_BOOL == 1 && WEFT_COMPLEX128 == 15, "dtypes");
ASSERT(WEFT_PAD_CONSTANT == 0 && WEFT_PAD_WRAP == 4, "padding");
ASSERT(WEFT_BOUNDARY_NEAREST == 0 && WEFT_BOUNDARY_REFLECT == 3, "boundaries");
ASSERT(WEFT_CUT_SLICE == 0 && WEFT_CUT_REST == 3, "cuts");

#ifndef HEADER_TEST_RUN

// --- every operation of op.def has its function, of the signature of its class ---

typedef weft_array *arity_1(weft_array *);
typedef weft_array *arity_2(weft_array *, weft_array *);
typedef weft_array *arity_3(weft_array *, weft_array *, weft_array *);
typedef weft_array *reduce_axes(weft_array *, int, const int *, const weft_reduce_options *);
typedef weft_array *reduce_INDEX(weft_array *, int, const weft_reduce_options *);
typedef weft_array *scan(weft_array *, int, const weft_scan_options *);
#define reduce_SUM reduce_axes
#define reduce_SAME reduce_axes
#define reduce_BOOL reduce_axes
#define reduce_MEAN reduce_axes
#define reduce_COUNT reduce_axes

#define WEFT_OP(NAME, name, arity, types, cost, doc) arity_##arity *name;
#define WEFT_REDUCTION(NAME, name, result, doc) reduce_##result *name;
#define WEFT_SCAN(NAME, name, doc) scan *name;
struct by_class {
#include <weft/op.def>
};

#define WEFT_OP(NAME, name, arity, types, cost, doc) weft_##name,
#define WEFT_REDUCTION(NAME, name, result, doc) weft_##name,
#define WEFT_SCAN(NAME, name, doc) weft_##name,
extern const struct by_class header_test_operations;
const struct by_class header_test_operations = {
#include <weft/op.def>
};

// The others have no common signature: it is enough that they are there.
typedef void any_function(void);
#define WEFT_STRUCTURE(NAME, name, doc) (any_function *)weft_##name,
#define WEFT_CREATION(NAME, name, doc) (any_function *)weft_##name,
extern any_function *const header_test_others[];
any_function *const header_test_others[] = {
#include <weft/op.def>
};

// --- every macro, where users put it ---

weft_status header_test_macros(weft_session *s, weft_array *x, int n, size_t m);
weft_status header_test_macros(weft_session *s, weft_array *x, int n, size_t m)
{
    weft_array *y = weft_zeros(s, WEFT_FLOAT32, WEFT_SHAPE(n, m, 3));
    weft_array *z =
        weft_index(y, WEFT_CUTS(WEFT_ALL, WEFT_SPAN(1, -1), WEFT_STEP(n, WEFT_CUT_OPEN, -2)));
    z = weft_index(z, WEFT_CUTS(WEFT_FROM(1), WEFT_TO(n - 1), WEFT_AT(0), WEFT_NEW, WEFT_REST));
    z = weft_sum(weft_max(z, WEFT_AXES(0, -1), NULL), WEFT_ALL_AXES, NULL);
    z = weft_argmin(weft_concat(WEFT_ARRAYS(x, z, weft_ones(s, WEFT_BOOL, 0, NULL)), 0),
                    WEFT_AXIS_NONE, NULL);
    return weft_compute(WEFT_ARRAYS(z), NULL);
}

#else

#include <string.h>

static int failures = 0;

static void check(bool holds, const char *claim)
{
    if (!holds) {
        printf("does not hold: %s\n", claim);
        failures++;
    }
}

static bool are_i64(int n, const int64_t *x, int64_t a, int64_t b)
{
    return n == 2 && x[0] == a && x[1] == b;
}

static bool are_int(int n, const int *x, int a) { return n == 1 && x[0] == a; }
static bool are_none(int n, const int *x) { return n == 0 && x == NULL; }

static bool are_arrays(int n, weft_array *const *x, weft_array *a, weft_array *b)
{
    return n == 3 && x[0] == a && x[1] == b && x[2] == NULL;
}

static bool is_cut(int n, const weft_cut *x, int kind, unsigned bounds, int64_t start, int64_t stop,
                   int64_t step)
{
    return n == 1 && x->kind == kind && x->bounds == bounds && x->start == start &&
           x->stop == stop && x->step == step;
}

static bool is_zero(int n, const weft_cut *x)
{
    weft_cut zero;
    memset(&zero, 0, sizeof zero);
    return n == 1 && memcmp(x, &zero, sizeof zero) == 0;
}

static int calls = 0;
static int next_number(void) { return ++calls; }

int main(void)
{
    static char memory[2];
    weft_array *a = (weft_array *)(void *)&memory[0], *b = (weft_array *)(void *)&memory[1];
    size_t large = (size_t)5000000000;

    check(are_i64(WEFT_SHAPE(large, -1), 5000000000, -1), "WEFT_SHAPE takes any integers");
    check(are_i64(WEFT_SHAPE(next_number(), 7), 1, 7) && calls == 1,
          "arguments are evaluated once");
    check(are_int(WEFT_AXES(-1), -1), "WEFT_AXES takes one axis");
    check(are_none(WEFT_ALL_AXES), "WEFT_ALL_AXES is no list");
    check(are_arrays(WEFT_ARRAYS(a, b, NULL), a, b), "WEFT_ARRAYS keeps order and NULL");

    check(is_zero(WEFT_CUTS(WEFT_ALL)), "WEFT_ALL is zero");
    check(is_cut(WEFT_CUTS(WEFT_SPAN(1, -1)), WEFT_CUT_SLICE, 3, 1, -1, 1),
          "WEFT_SPAN has both bounds");
    check(is_cut(WEFT_CUTS(WEFT_STEP(9, WEFT_CUT_OPEN, -2)), WEFT_CUT_SLICE, 1, 9, 0, -2),
          "WEFT_CUT_OPEN is no bound");
    check(is_cut(WEFT_CUTS(WEFT_STEP(0, 4, 0)), WEFT_CUT_SLICE, 3, 0, 4, INT64_MIN),
          "a step of 0 is kept apart");
    check(is_cut(WEFT_CUTS(WEFT_FROM(2)), WEFT_CUT_SLICE, 1, 2, 0, 1), "WEFT_FROM has a start");
    check(is_cut(WEFT_CUTS(WEFT_TO(2)), WEFT_CUT_SLICE, 2, 0, 2, 1), "WEFT_TO has a stop");
    check(is_cut(WEFT_CUTS(WEFT_AT(-3)), WEFT_CUT_AT, 0, -3, 0, 0), "WEFT_AT has an index");
    check(is_cut(WEFT_CUTS(WEFT_NEW), WEFT_CUT_NEW, 0, 0, 0, 0), "WEFT_NEW is a new axis");
    check(is_cut(WEFT_CUTS(WEFT_REST), WEFT_CUT_REST, 0, 0, 0, 0), "WEFT_REST is the ellipsis");
    return failures != 0;
}

#endif
