// SPDX-License-Identifier: Apache-2.0
// weft - arrays larger than memory, computed in blocks on every core and every GPU.
//
// A program describes arrays; nothing is computed until something asks. Then Weft plans all that
// was asked for at once, fuses the arithmetic into few kernels, and streams blocks through the
// devices within the memory it was given:
//
//     weft_session *s = weft_open(NULL);                    // every device this process may use
//     weft_array *u = weft_load(s, "wind.zarr/u", NULL);    // lazy: reads metadata only
//     weft_array *v = weft_load(s, "wind.zarr/v", NULL);
//     weft_array *speed = weft_sqrt(weft_add(weft_square(u), weft_square(v)));
//     weft_array *mean = weft_mean(speed, WEFT_AXES(0), NULL);
//     if (weft_save(mean, "mean.zarr", NULL))               // plans, runs, writes
//         fprintf(stderr, "%s\n", weft_last_error());       // where, what was expected, what came
//     weft_close(s);                                        // frees every array
//
// Errors. There are two kinds of call. A *lazy* call returns an array, or NULL if it fails; given
// NULL it returns NULL, so a chain is written without checks and checked once, at its end. The
// first failure of a chain stays *pending* on its thread, and the *working* call (one that returns
// weft_status) that meets the NULL returns that status and clears it. weft_last_error() is the
// sentence, per thread, until the thread's next failure. A NULL with nothing pending is
// WEFT_INVALID, "add: array is NULL and no call on this thread failed", and pends in its turn when
// it was a lazy call that met it; if the thread's last pending failure was told already, the
// sentence repeats it. Where shapes or dtypes do not go together and arrays have labels
// (weft_label), the sentence gives them. Nothing here aborts, exits or prints on its own.
//
// Memory. An array belongs to the innermost scope that was open on its thread when it was made,
// else to the session, which frees all it owns when it closes. A loop opens one scope and resets it
// each turn, *before* it computes, naming the arrays it still needs; the buffers of the others are
// then given to the new results. Handles need no other care. The comments use four words: a call
// *takes* an argument (it is the library's once the call has succeeded), *borrows* it (until the
// event named), *shares* it (holds it for as long as needed), or *gives* a result (the caller frees
// it, by the function named). Where nothing is said, a lazy call shares its operands and its result
// belongs to the scope; strings, counts, shapes and options are borrowed until the call returns.
//
// Operands. Shapes broadcast and dtypes are promoted as in NumPy 2 (NEP 50). Scalars made by
// weft_num are weak, as Python's are: 2.0 times a float32 array is a float32 array. Negative axes
// count from the last. The arrays of one call are of one session. Shapes and dtypes are checked by
// the call, what only data can show when it is computed. The few lazy calls that may compute an
// operand, because the result's shape depends on it or it must be checked, say so.
//
// Options. Zero the struct and set what you want: a zero field is the default, and NULL is all
// defaults. Where a real zero must be sayable a flag stands beside the field. The reserved tail
// must be zero, else the call is WEFT_INVALID: a newer program on an older library is told so.
//
// Threads. Any call may be made on any thread, at the same time as any other on the same session,
// unless its comment says otherwise. Open scopes and errors are each thread's own. In a child made
// by fork() every call fails with WEFT_CLOSED.
//
// The tour: version and types, counts and pointers, errors, sessions, scopes, making arrays,
// looking at a handle, elementwise, reductions, running sums, shape, selecting, grouping, linear
// algebra, expressions as text, kernels of your own, files, computing, reading, looking inside.
#ifndef WEFT_H
#define WEFT_H

#include <stdio.h>

#include "weft/types.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

// -------------------------------------------------------------------------------------------------
// Version and types
// -------------------------------------------------------------------------------------------------

// The version of this header. A program runs with any library of the same major number that is not
// older; as long as that number is 0, of the same minor number too.
#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

// The version of the library that was loaded, "0.1.0". Borrows: for ever.
const char *weft_version(void);

typedef struct weft_session weft_session;  // devices, memory, and all that is made with them
typedef struct weft_scope weft_scope;      // what frees arrays
typedef struct weft_array weft_array;      // an immutable, lazy value
typedef struct weft_kernel weft_kernel;    // an operation of your own
typedef struct weft_request weft_request;  // a computation under way

// Element types are `weft_dtype`, WEFT_FLOAT32 and so on, in weft/types.h, with the statuses.
// In memory: bool is one byte, 0 or 1; float16 and bfloat16 are the bits of one in a uint16_t; a
// complex number is its real part, then its imaginary part. All in the host's byte order.

// Bytes of one element; 0 for a number that is no dtype.
// NumPy: np.dtype(d).itemsize.
size_t weft_dtype_size(weft_dtype dtype);

// "float32" and so on; "?" for a number that is no dtype. Borrows: for ever.
// NumPy: np.dtype(d).name.
const char *weft_dtype_name(weft_dtype dtype);

// The dtype called NAME: "float32", or a NumPy code such as "f4" or "<f4". WEFT_INVALID names what
// came, and leaves *OUT alone.
// NumPy: np.dtype(name).
weft_status weft_dtype_parse(const char *name, weft_dtype *out) WEFT_WARN_UNUSED;

// The dtype in which arrays of dtypes A and B meet; WEFT_DTYPE_DEFAULT if either is no dtype.
// float16 and bfloat16 meet in float32.
// NumPy: np.promote_types. Array API: result_type.
weft_dtype weft_dtype_promote(weft_dtype a, weft_dtype b);

// Whether a cast from FROM to TO is safe: it keeps the value and never goes to a lesser kind.
// NumPy: np.can_cast(from, to). Array API: can_cast.
bool weft_dtype_can_cast(weft_dtype from, weft_dtype to);

// -------------------------------------------------------------------------------------------------
// Counts and pointers
//
// Functions take a count and a pointer. These macros write both: weft_zeros(s, WEFT_FLOAT64,
// WEFT_SHAPE(300, 400)), weft_sum(x, WEFT_AXES(0, 1), NULL), weft_compute(WEFT_ARRAYS(x, y), NULL).
// Each takes one argument or more, evaluated once; the memory lasts as long as a C compound literal
// (to the end of the block), in C++ to the end of the full expression. No axes at all: 0, NULL.
// -------------------------------------------------------------------------------------------------

#define WEFT_SHAPE(...) WEFT_INTS_(int64_t, __VA_ARGS__)         // extents, blocks, repetitions
#define WEFT_AXES(...) WEFT_INTS_(int, __VA_ARGS__)              // axes
#define WEFT_ALL_AXES 0, NULL                                    // every axis
#define WEFT_ARRAYS(...) WEFT_ITEMS_(weft_array *, __VA_ARGS__)  // handles
#define WEFT_CUTS(...) WEFT_ITEMS_(weft_cut, __VA_ARGS__)        // one cut per axis: see Selecting

// As an `int axis`: no axis, but the array flattened in C order. NumPy: axis=None.
enum { WEFT_AXIS_NONE = -2147483647 - 1 };

// -------------------------------------------------------------------------------------------------
// Errors
// -------------------------------------------------------------------------------------------------

// The status of this thread's last failure; WEFT_OK before the first.
weft_status weft_last_status(void);

// This thread's last failure in one sentence: where, what was expected, what came; "" before the
// first. Borrows: until this thread's next failure.
const char *weft_last_error(void);

// "WEFT_INVALID" and so on; "?" for a number that is no status. Borrows: for ever.
const char *weft_status_name(weft_status status);

// Returns this thread's pending error, WEFT_OK if there is none, and clears it; its sentence
// becomes weft_last_error(). For bindings, which raise as soon as a lazy call returns NULL.
weft_status weft_error_take(void);

// Makes STATUS and TEXT this thread's last failure and returns STATUS; WEFT_OK changes nothing. For
// readers, writers and kernels: `return weft_error_set(WEFT_IO, "tape 7 is not mounted");`.
weft_status weft_error_set(weft_status status, const char *text);

// -------------------------------------------------------------------------------------------------
// Sessions
// -------------------------------------------------------------------------------------------------

typedef struct weft_options {
    const char *scheduler;       // of a running cluster, "tcp://host:port"; NULL: this process
    const char *scheduler_file;  // or the file in which that scheduler left its address and key
    const char *devices;         // "cpu", "cpu:4", "cpu:4@256MiB"; NULL: all this process may use
    int64_t memory_limit;        // bytes for blocks in memory; 0: most of what the machine allows
    int workers;                 // processes of a local cluster; 0: this process does the work
    int threads;                 // CPU threads; 0: as many as this process may use cores
    int nblocks;                 // entries of .blocks; 0: grids are chosen by cost
    const int64_t *blocks;       // extents along axis 0, 1, ..., the last for all further axes, of
                                 // the blocks of created arrays and of files without chunks
    const char *settings;        // any others of `weft config`: "block_size=16MiB; disable=fuse";
                                 // "--block-size=16MiB" makes that text its origin in reports
    uint64_t reserved[8];        // zero
} weft_options;

// Opens a session. Options are stronger than WEFT_* environment variables, those than settings
// files. Inside a job that `weft run` started, a session without options joins the job's cluster.
// Gives: weft_close. NULL if it fails, with the error pending as by a lazy call: WEFT_INVALID for
// an option out of range or a setting that is not known, WEFT_NOT_FOUND for a device that is not
// there, WEFT_NO_MEMORY for a limit under 64 KiB, in which hardly anything could be computed,
// WEFT_UNSUPPORTED for what this build lacks.
weft_session *weft_open(const weft_options *opts);

// Cancels what still runs, waits for it, and frees the session with its scopes, arrays, kernels and
// requests. A detached array becomes a husk: every use of it fails with WEFT_CLOSED. Accepts NULL.
// Returns the first failure that nobody was told of, such as a spill file that stays; clears this
// thread's pending error. No other thread may be using the session. From then on any call with it
// fails with WEFT_CLOSED, as long as no more than 64 sessions have been opened since.
weft_status weft_close(weft_session *session);

// -------------------------------------------------------------------------------------------------
// Scopes
//
// They form one stack per session and thread, and are reset and closed on the thread that opened
// them (else WEFT_INVALID). A loop resets its scope before it computes:
//
//     weft_scope *turn = weft_scope_open(s);
//     for (...) {
//         x = step(x);
//         if (weft_scope_reset(turn, WEFT_ARRAYS(x)) || weft_compute(WEFT_ARRAYS(x), NULL)) break;
//     }
// -------------------------------------------------------------------------------------------------

// Opens a scope inside this thread's innermost one; arrays made on this thread belong to it from
// now on. Gives: weft_scope_close, at the latest weft_close. NULL if it fails, pending as by a lazy
// call.
weft_scope *weft_scope_open(weft_session *session);

// Frees all arrays made in SCOPE except the N in KEEP, which stay in it; closes the scopes inside
// it. Arrays of other scopes may stand in KEEP too. What a kept array or a request needs is not
// lost: the handle goes, the value stays. A NULL in KEEP returns that chain's error, and nothing is
// freed.
weft_status weft_scope_reset(weft_scope *scope, int n, weft_array *const *keep) WEFT_WARN_UNUSED;

// Closes SCOPE, and those inside it, and frees their arrays except the N in KEEP, which now belong
// to the scope outside, or to the session. Takes SCOPE. A NULL in KEEP returns that chain's error;
// then nothing is freed and the scope stays open.
weft_status weft_scope_close(weft_scope *scope, int n, weft_array *const *keep) WEFT_WARN_UNUSED;

// Removes X from its scope: the caller owns one reference, for weft_release. For bindings, whose
// language frees objects itself. An array that is detached already gains a reference. Returns X.
weft_array *weft_array_detach(weft_array *x);

// Adds a reference to a detached array, and returns it. One that a scope owns is WEFT_INVALID.
weft_array *weft_retain(weft_array *x);

// Drops a reference to a detached array; the last one frees the handle. Accepts NULL. A husk is
// released the same way, after weft_close.
void weft_release(weft_array *x);

// -------------------------------------------------------------------------------------------------
// Making arrays
//
// A shape is NDIM extents (0 to WEFT_MAX_NDIM), each 0 or more; without axes it is one element. A
// negative extent is WEFT_INVALID; bytes that do not fit in 63 bits are WEFT_OVERFLOW. The dtype
// WEFT_DTYPE_DEFAULT means float64 unless said otherwise. What is made here takes no memory until
// it is computed, and none at all where it is fused into what uses it.
// -------------------------------------------------------------------------------------------------

// A weak scalar, without axes: a Python float, int or complex. It takes the dtype of the array it
// meets if that is of its kind or of a wider one; else the result is of its kind: an integer array
// times weft_num is float64. Two weak scalars make float64, int64 or complex128.
// NumPy: a Python scalar in an expression.
weft_array *weft_num(weft_session *session, double value);
weft_array *weft_num_i64(weft_session *session, int64_t value);
weft_array *weft_num_c128(weft_session *session, double re, double im);

// Filled with 0.
// NumPy: np.zeros. Array API: zeros.
weft_array *weft_zeros(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape);

// Filled with 1.
// NumPy: np.ones. Array API: ones.
weft_array *weft_ones(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape);

// With unspecified contents (today 0), to be written by weft_setitem.
// NumPy: np.empty. Array API: empty.
weft_array *weft_empty(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape);

// Filled with a value, converted to DTYPE; the default is the value's own: float64, int64 or
// complex128. WEFT_OVERFLOW if an integer dtype cannot hold it; WEFT_INVALID if it is NaN, infinite
// or a fraction and DTYPE an integer one, or has an imaginary part and DTYPE none.
// NumPy: np.full. Array API: full.
weft_array *weft_full(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape,
                      double value);
weft_array *weft_full_i64(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape,
                          int64_t value);
weft_array *weft_full_c128(weft_session *session, weft_dtype dtype, int ndim, const int64_t *shape,
                           double re, double im);

// With the shape and grid of X and, by default, its dtype. The elements of X are not looked at.
// NumPy: np.zeros_like, np.ones_like, np.empty_like, np.full_like. Array API: the same names.
weft_array *weft_zeros_like(weft_array *x, weft_dtype dtype);
weft_array *weft_ones_like(weft_array *x, weft_dtype dtype);
weft_array *weft_empty_like(weft_array *x, weft_dtype dtype);
weft_array *weft_full_like(weft_array *x, double value, weft_dtype dtype);

// START, START + STEP, ... up to, not including, STOP: ceil((STOP - START) / STEP) elements, none
// if that is negative. Element i is START + i*STEP in double, converted to DTYPE (default float64).
// WEFT_INVALID if STEP is 0 or a number is not finite.
// NumPy: np.arange. Array API: arange.
weft_array *weft_arange(weft_session *session, double start, double stop, double step,
                        weft_dtype dtype);

typedef struct weft_linspace_options {
    bool exclude_endpoint;  // STOP is not one of the points. NumPy: endpoint=False
    uint64_t reserved[8];   // zero
} weft_linspace_options;

// NUM points from START to STOP at equal distances, both ends exact. WEFT_INVALID if NUM is
// negative or an end is not finite.
// NumPy: np.linspace. Array API: linspace.
weft_array *weft_linspace(weft_session *session, double start, double stop, int64_t num,
                          weft_dtype dtype, const weft_linspace_options *opts);

// ROWS x COLS: 1 on the diagonal that lies K above the main one (below, if negative), else 0.
// NumPy: np.eye(rows, cols, k). Array API: eye.
weft_array *weft_eye(weft_session *session, int64_t rows, int64_t cols, int64_t k,
                     weft_dtype dtype);

typedef struct weft_random_options {
    uint64_t seed;         // 0: from the system's entropy, and recorded: weft_explain shows it
    uint64_t stream;       // 0: calls without a stream count up from 1 in each session
    weft_dtype dtype;      // any float (default float64); weft_random_integers: any integer (int64)
    bool zero_seed;        // .seed 0 is the seed 0
    uint64_t reserved[8];  // zero
} weft_random_options;

// Random numbers are counter-based: element i in C order depends on (seed, stream, i) and nothing
// else, so it has the same bits on every grid, on any number of devices, on CPU and GPU, and when
// it is computed again. Philox 4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC'11.

// Uniform in [LOW, HIGH): LOW + (HIGH - LOW)*u, where u has 53 random bits (24 below float64). As
// in NumPy, rounding may give HIGH. WEFT_INVALID unless LOW <= HIGH and both are finite.
// NumPy: np.random.Generator.uniform(low, high, shape).
weft_array *weft_random_uniform(weft_session *session, double low, double high, int ndim,
                                const int64_t *shape, const weft_random_options *opts);

// Normal, of mean 0 and standard deviation 1.
// NumPy: np.random.Generator.standard_normal(shape).
weft_array *weft_random_normal(weft_session *session, int ndim, const int64_t *shape,
                               const weft_random_options *opts);

// Integers in [LOW, HIGH), each with exactly the same chance. WEFT_INVALID unless LOW < HIGH, and
// both fit the dtype (HIGH - 1, that is).
// NumPy: np.random.Generator.integers(low, high, shape).
weft_array *weft_random_integers(weft_session *session, int64_t low, int64_t high, int ndim,
                                 const int64_t *shape, const weft_random_options *opts);

typedef struct weft_memory_options {
    const int64_t *strides;          // bytes between neighbours along each axis: any order, 0 and
                                     // negative too; NULL: C order
    bool borrow;                     // use DATA where it is; else the call copies it
    void (*release)(void *context);  // called once, on any thread, when DATA is needed no more:
                                     // after the copy, or by weft_close at the latest; not if the
                                     // call fails
    void *context;                   // for .release
    uint64_t reserved[8];            // zero
} weft_memory_options;

// An array of memory of yours. DATA is its first element. Borrowed memory stays valid and unchanged
// until .release is called (without one, until weft_close). WEFT_INVALID if DATA is NULL and the
// array is not empty.
// NumPy: np.array(data); with .borrow np.asarray, np.frombuffer. Array API: asarray.
weft_array *weft_from_memory(weft_session *session, const void *data, weft_dtype dtype, int ndim,
                             const int64_t *shape, const weft_memory_options *opts);

// Writes the block of COUNT[axis] elements that begins at START[axis] into OUT, in C order. Called
// on several threads at once, in any order, and again for the same block. A status other than
// WEFT_OK fails the request with that status and the sentence given to weft_error_set.
typedef weft_status weft_read_fn(void *context, const int64_t *start, const int64_t *count,
                                 void *out);

// An array whose blocks READ supplies: any format becomes an array in twenty lines. The blocks are
// those of weft_rechunk, or of the default grid. Borrows CONTEXT: until the session closes.
// Dask: da.map_blocks over no array. NumPy: np.fromfunction.
weft_array *weft_from_reader(weft_session *session, weft_read_fn *read, void *context,
                             weft_dtype dtype, int ndim, const int64_t *shape);

// The same for a library that is not thread safe: all serial readers of the process take turns.
weft_array *weft_from_reader_serial(weft_session *session, weft_read_fn *read, void *context,
                                    weft_dtype dtype, int ndim, const int64_t *shape);

struct DLManagedTensorVersioned;  // of <dlpack/dlpack.h>, not needed here

typedef struct weft_dlpack_options {
    void *stream;          // the CUDA stream that orders the tensor's memory; NULL: the default one
    bool copy;             // copy, even where sharing would do
    uint64_t reserved[8];  // zero
} weft_dlpack_options;

// A tensor of another library's, in host memory, borrowed where it lies if its elements are aligned
// and .copy is not set. Takes TENSOR: its deleter is called once, as .release of weft_from_memory
// is. For now WEFT_UNSUPPORTED for tensors in device memory.
// NumPy: np.from_dlpack. Array API: from_dlpack.
weft_array *weft_from_dlpack(weft_session *session, struct DLManagedTensorVersioned *tensor,
                             const weft_dlpack_options *opts);

// -------------------------------------------------------------------------------------------------
// Looking at a handle
//
// None of these computes or fails. NULL, or an axis that is not there, gives -1,
// WEFT_DTYPE_DEFAULT, NULL or false.
// -------------------------------------------------------------------------------------------------

// The number of axes.
// NumPy: x.ndim.
int weft_array_ndim(const weft_array *x);

// The number of elements along AXIS.
// NumPy: x.shape[axis].
int64_t weft_array_dim(const weft_array *x, int axis);

// All weft_array_ndim(x) extents. Borrows: as long as X lives.
// NumPy: x.shape.
const int64_t *weft_array_shape(const weft_array *x);

// The element type; of a weak scalar float64, int64 or complex128.
// NumPy: x.dtype.
weft_dtype weft_array_dtype(const weft_array *x);

// The number of elements.
// NumPy: x.size.
int64_t weft_array_size(const weft_array *x);

// The bytes that the elements take in memory, once they are there.
// NumPy: x.nbytes.
int64_t weft_array_nbytes(const weft_array *x);

// The number of blocks along AXIS. A plan may walk larger or smaller pieces.
// Dask: x.numblocks[axis].
int64_t weft_array_nblocks(const weft_array *x, int axis);

// The number of elements along AXIS of its block INDEX (from 0).
// Dask: x.chunks[axis][index].
int64_t weft_array_block_dim(const weft_array *x, int axis, int64_t index);

// Whether the array has been computed, so that reading it only copies.
bool weft_array_is_computed(const weft_array *x);

// The session it was made in; NULL for a husk.
weft_session *weft_array_session(const weft_array *x);

// The name that weft_label gave it, or NULL. Borrows: until it is labelled again, or freed.
const char *weft_array_label(const weft_array *x);

// Names X in errors, plans and profiles; TEXT NULL takes the name away. What only shows X otherwise
// (weft_index, weft_rechunk, weft_reshape, transposes) has its name too. Returns X.
weft_array *weft_label(weft_array *x, const char *text);

// -------------------------------------------------------------------------------------------------
// Elementwise
//
// Operands broadcast against each other; where they cannot, WEFT_INVALID names axis and extents.
// They are promoted, and the words below say what happens to the promoted dtype:
//   numeric     computed in and returned
//   real        the same; complex is refused
//   float       the same for floats and complex; integers and bool are first made floats as NumPy
//               does: 8 bits float16, 16 bits float32, else float64
//   real float  as float; complex is refused
//   -> bool     the result is bool
// A dtype that is refused is WEFT_INVALID, and the sentence names it. float16 and bfloat16 are
// computed in float32 and rounded after each operation. Integers wrap; an integer divided by 0 is
// 0; nothing traps. bool is numeric unless "not bool" is said; where NumPy does so it computes as
// int8.
//
// `std` marks a function of the Array API standard (2024.12), which has the same name. The NumPy
// function has the same name too, except where SciPy is named: NumPy has none.
// -------------------------------------------------------------------------------------------------

weft_array *weft_add(weft_array *a, weft_array *b);           // a + b; bool: or. Numeric, std
weft_array *weft_subtract(weft_array *a, weft_array *b);      // a - b. Numeric, not bool, std
weft_array *weft_multiply(weft_array *a, weft_array *b);      // a * b; bool: and. Numeric, std
weft_array *weft_divide(weft_array *a, weft_array *b);        // a / b; integers: float64. Std
weft_array *weft_floor_divide(weft_array *a, weft_array *b);  // floor(a / b). Real, std
weft_array *weft_remainder(weft_array *a, weft_array *b);     // its rest, b's sign. Real, std
weft_array *weft_fmod(weft_array *a, weft_array *b);          // C's rest, a's sign. Real
weft_array *weft_pow(weft_array *a, weft_array *b);           // a ** b. Numeric, std
weft_array *weft_maximum(weft_array *a, weft_array *b);       // the larger; NaN wins. Real, std
weft_array *weft_minimum(weft_array *a, weft_array *b);       // the smaller; NaN wins. Real, std
weft_array *weft_fmax(weft_array *a, weft_array *b);          // the larger; NaN loses. Real
weft_array *weft_fmin(weft_array *a, weft_array *b);          // the smaller; NaN loses. Real
weft_array *weft_atan2(weft_array *a, weft_array *b);         // angle of (b, a). Real float, std
weft_array *weft_hypot(weft_array *a, weft_array *b);         // sqrt(a*a + b*b). Real float, std
weft_array *weft_copysign(weft_array *a, weft_array *b);      // |a| with b's sign. Real float, std
weft_array *weft_nextafter(weft_array *a, weft_array *b);     // next toward b. Real float, std
weft_array *weft_logaddexp(weft_array *a, weft_array *b);     // log(exp a + exp b). Real float, std

weft_array *weft_equal(weft_array *a, weft_array *b);          // a == b. Numeric -> bool, std
weft_array *weft_not_equal(weft_array *a, weft_array *b);      // a != b. Numeric -> bool, std
weft_array *weft_less(weft_array *a, weft_array *b);           // a < b. Real -> bool, std
weft_array *weft_less_equal(weft_array *a, weft_array *b);     // a <= b. Real -> bool, std
weft_array *weft_greater(weft_array *a, weft_array *b);        // a > b. Real -> bool, std
weft_array *weft_greater_equal(weft_array *a, weft_array *b);  // a >= b. Real -> bool, std
weft_array *weft_logical_and(weft_array *a, weft_array *b);    // both not 0. Numeric -> bool, std
weft_array *weft_logical_or(weft_array *a, weft_array *b);     // one not 0. Numeric -> bool, std
weft_array *weft_logical_xor(weft_array *a, weft_array *b);    // exactly one. Numeric -> bool, std

// Integers and bool; the shifts: integers. A shift by the width or more gives 0 (right, of a
// negative number: -1).
weft_array *weft_bitwise_and(weft_array *a, weft_array *b);          // a & b. Std
weft_array *weft_bitwise_or(weft_array *a, weft_array *b);           // a | b. Std
weft_array *weft_bitwise_xor(weft_array *a, weft_array *b);          // a ^ b. Std
weft_array *weft_bitwise_left_shift(weft_array *a, weft_array *b);   // a << b. Std
weft_array *weft_bitwise_right_shift(weft_array *a, weft_array *b);  // a >> b, arithmetic. Std
weft_array *weft_bitwise_invert(weft_array *x);                      // ~x; bool: not. Std

weft_array *weft_abs(weft_array *x);         // |x|; complex: the modulus, in the real dtype. Std
weft_array *weft_negative(weft_array *x);    // -x. Numeric, not bool, std
weft_array *weft_positive(weft_array *x);    // +x. Numeric, not bool, std
weft_array *weft_sign(weft_array *x);        // -1, 0, 1; complex: x/|x|. Numeric, not bool, std
weft_array *weft_square(weft_array *x);      // x * x. Numeric, std
weft_array *weft_sqrt(weft_array *x);        // square root; NaN below 0. Float, std
weft_array *weft_cbrt(weft_array *x);        // cube root. Real float
weft_array *weft_reciprocal(weft_array *x);  // 1 / x; integers truncate. Numeric, not bool, std
weft_array *weft_exp(weft_array *x);         // e ** x. Float, std
weft_array *weft_exp2(weft_array *x);        // 2 ** x. Real float
weft_array *weft_expm1(weft_array *x);       // exp(x) - 1, accurate near 0. Float, std
weft_array *weft_log(weft_array *x);         // natural logarithm. Float, std
weft_array *weft_log2(weft_array *x);        // logarithm to base 2. Float, std
weft_array *weft_log10(weft_array *x);       // logarithm to base 10. Float, std
weft_array *weft_log1p(weft_array *x);       // log(1 + x), accurate near 0. Float, std
weft_array *weft_sin(weft_array *x);         // sine of radians. Float, std
weft_array *weft_cos(weft_array *x);         // cosine of radians. Float, std
weft_array *weft_tan(weft_array *x);         // tangent of radians. Float, std
weft_array *weft_asin(weft_array *x);        // inverse sine, in radians. Float, std
weft_array *weft_acos(weft_array *x);        // inverse cosine, in radians. Float, std
weft_array *weft_atan(weft_array *x);        // inverse tangent, in radians. Float, std
weft_array *weft_sinh(weft_array *x);        // hyperbolic sine. Float, std
weft_array *weft_cosh(weft_array *x);        // hyperbolic cosine. Float, std
weft_array *weft_tanh(weft_array *x);        // hyperbolic tangent. Float, std
weft_array *weft_asinh(weft_array *x);       // inverse hyperbolic sine. Float, std
weft_array *weft_acosh(weft_array *x);       // inverse hyperbolic cosine. Float, std
weft_array *weft_atanh(weft_array *x);       // inverse hyperbolic tangent. Float, std
weft_array *weft_erf(weft_array *x);         // error function. Real float. SciPy: special.erf
weft_array *weft_erfc(weft_array *x);        // 1 - erf(x). Real float. SciPy: special.erfc
weft_array *weft_lgamma(weft_array *x);      // log|gamma(x)|. Real float. SciPy: special.gammaln
weft_array *weft_tgamma(weft_array *x);      // gamma(x). Real float. SciPy: special.gamma

weft_array *weft_floor(weft_array *x);  // largest integer not above x; integers stay. Real, std
weft_array *weft_ceil(weft_array *x);   // smallest integer not below x; integers stay. Real, std
weft_array *weft_trunc(weft_array *x);  // x without its fraction; integers stay. Real, std
weft_array *weft_round(weft_array *x);  // nearest integer, ties to even. Numeric, std
weft_array *weft_conj(weft_array *x);   // complex conjugate; reals stay. Numeric, std
weft_array *weft_real(weft_array *x);   // real part, in the real dtype. Numeric, std
weft_array *weft_imag(weft_array *x);   // imaginary part, in the real dtype; reals: 0. Numeric, std

weft_array *weft_isnan(weft_array *x);        // is NaN. Numeric -> bool, std
weft_array *weft_isinf(weft_array *x);        // is infinite. Numeric -> bool, std
weft_array *weft_isfinite(weft_array *x);     // is neither. Numeric -> bool, std
weft_array *weft_signbit(weft_array *x);      // has its sign bit set. Real -> bool, std
weft_array *weft_logical_not(weft_array *x);  // is 0. Numeric -> bool, std

// A where CONDITION is not 0, else B. All three broadcast; A and B are promoted; any dtype.
// NumPy: np.where. Array API: where.
weft_array *weft_where(weft_array *condition, weft_array *a, weft_array *b);

// X limited to [LO, HI]; all three broadcast and are promoted; NaN wins. Real. NULL is no bound;
// but if an error is pending, it is what a failed chain left, and is passed on.
// NumPy: np.clip. Array API: clip.
weft_array *weft_clip(weft_array *x, weft_array *lo, weft_array *hi);

// X converted to DTYPE, any to any. A float made an integer loses its fraction (out of range the
// value is unspecified), what is not 0 is true, complex loses its imaginary part, a narrower
// float is rounded to nearest, ties to even. WEFT_INVALID if DTYPE is none.
// NumPy: x.astype(dtype). Array API: astype.
weft_array *weft_astype(weft_array *x, weft_dtype dtype);

typedef struct weft_isclose_options {
    double rtol;           // relative to |b|; 0: 1e-5
    double atol;           // absolute; 0: 1e-8
    bool equal_nan;        // NaN is close to NaN
    bool zero_rtol;        // .rtol 0 is 0
    bool zero_atol;        // .atol 0 is 0
    uint64_t reserved[8];  // zero
} weft_isclose_options;

// |a - b| <= atol + rtol*|b|; equal infinities are close. Numeric -> bool. WEFT_INVALID for a
// tolerance that is negative or NaN.
// NumPy: np.isclose.
weft_array *weft_isclose(weft_array *a, weft_array *b, const weft_isclose_options *opts);

typedef struct weft_nan_to_num_options {
    double nan;            // in place of NaN
    double posinf;         // in place of +inf; 0: the largest finite number of the dtype
    double neginf;         // in place of -inf; 0: the lowest finite number of the dtype
    bool zero_posinf;      // .posinf 0 is 0
    bool zero_neginf;      // .neginf 0 is 0
    uint64_t reserved[8];  // zero
} weft_nan_to_num_options;

// X with NaN and infinities replaced, in both parts of a complex number. Numeric; integers stay.
// NumPy: np.nan_to_num.
weft_array *weft_nan_to_num(weft_array *x, const weft_nan_to_num_options *opts);

// -------------------------------------------------------------------------------------------------
// Reductions
//
// Over the NAXES axes in AXES, in one read. AXES NULL is all of them (WEFT_ALL_AXES); a pointer
// with NAXES 0 is none. WEFT_INVALID for an axis that is not there, or there twice. "Of nothing" is
// what an axis of extent 0 gives.
//
// Floats are summed over a fixed tree that depends on the shape alone: any devices, any blocks, any
// memory limit, and a recovered failure give the same bits.
//
// NumPy's functions have the same names, and so have the Array API standard's where `std` is said.
// -------------------------------------------------------------------------------------------------

typedef struct weft_reduce_options {
    weft_dtype dtype;      // to accumulate in and return, for sum, prod, mean, var, std, and their
                           // nan forms; else it must be 0
    bool keepdims;         // reduced axes stay, with extent 1
    double correction;     // var and std divide by n - correction (NumPy: ddof); else it must be 0
    uint64_t reserved[8];  // zero
} weft_reduce_options;

// Sum; of nothing 0. Numeric; bool and integers under 64 bits become int64 or uint64. Std.
weft_array *weft_sum(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// Product; of nothing 1. dtypes as weft_sum. Std.
weft_array *weft_prod(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// Smallest element; NaN wins; of nothing WEFT_INVALID. Real. Std.
weft_array *weft_min(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// Largest element; NaN wins; of nothing WEFT_INVALID. Real. Std.
weft_array *weft_max(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// Arithmetic mean; of nothing NaN. Floats and complex stay; integers and bool give float64. Std.
weft_array *weft_mean(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// Variance: mean of |x - mean(x)|**2, with .correction; NumPy's inf or NaN if n <= correction.
// dtypes as weft_mean; complex gives its real dtype. Std. Moments are merged as in T. Chan, G.
// Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
// 1979.
weft_array *weft_var(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// Standard deviation: the square root of weft_var. Std.
weft_array *weft_std(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// Whether any element is not 0; of nothing false. Numeric -> bool. Std.
weft_array *weft_any(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// Whether no element is 0; of nothing true. Numeric -> bool. Std.
weft_array *weft_all(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
// How many elements are not 0. Numeric -> int64. Std.
weft_array *weft_count_nonzero(weft_array *x, int naxes, const int *axes,
                               const weft_reduce_options *opts);
// Index of the first smallest element along AXIS (WEFT_AXIS_NONE: of the flattened array); the
// first NaN wins; of nothing WEFT_INVALID. Real -> int64. Std.
weft_array *weft_argmin(weft_array *x, int axis, const weft_reduce_options *opts);
// Index of the first largest element, likewise. Std.
weft_array *weft_argmax(weft_array *x, int axis, const weft_reduce_options *opts);

// The same of what is not NaN. Where nothing is left: nansum 0, nanprod 1, the arg forms -1 (NumPy
// raises), the others NaN.
weft_array *weft_nansum(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
weft_array *weft_nanprod(weft_array *x, int naxes, const int *axes,
                         const weft_reduce_options *opts);
weft_array *weft_nanmin(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
weft_array *weft_nanmax(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
weft_array *weft_nanmean(weft_array *x, int naxes, const int *axes,
                         const weft_reduce_options *opts);
weft_array *weft_nanvar(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
weft_array *weft_nanstd(weft_array *x, int naxes, const int *axes, const weft_reduce_options *opts);
weft_array *weft_nanargmin(weft_array *x, int axis, const weft_reduce_options *opts);
weft_array *weft_nanargmax(weft_array *x, int axis, const weft_reduce_options *opts);

// -------------------------------------------------------------------------------------------------
// Running sums
// -------------------------------------------------------------------------------------------------

typedef struct weft_scan_options {
    weft_dtype dtype;      // to accumulate in and return; default as weft_sum
    bool include_initial;  // begin with 0 (products: 1): one element more along the axis
    uint64_t reserved[8];  // zero
} weft_scan_options;

// Sum of the elements up to and including each, along AXIS (WEFT_AXIS_NONE: of the flattened
// array). dtypes as weft_sum.
// NumPy: np.cumulative_sum, np.cumsum. Array API: cumulative_sum.
weft_array *weft_cumulative_sum(weft_array *x, int axis, const weft_scan_options *opts);

// Their product.
// NumPy: np.cumulative_prod, np.cumprod. Array API: cumulative_prod.
weft_array *weft_cumulative_prod(weft_array *x, int axis, const weft_scan_options *opts);

// -------------------------------------------------------------------------------------------------
// Shape
//
// For every dtype. Where they can be, they are folded into what reads them, and move nothing. An
// axis that is not there, or there twice, and shapes that do not fit are WEFT_INVALID, with both
// named.
// -------------------------------------------------------------------------------------------------

// The same elements in C order, in another shape; one extent may be -1, and is then worked out.
// NumPy: np.reshape. Array API: reshape.
weft_array *weft_reshape(weft_array *x, int ndim, const int64_t *shape);

// Axis i of the result is axis AXES[i] of X; all of them, once each. NULL: in reverse.
// NumPy: np.transpose. Array API: permute_dims.
weft_array *weft_permute_dims(weft_array *x, int naxes, const int *axes);

// Axis SOURCE of X becomes axis DESTINATION of the result; the others keep their order.
// NumPy: np.moveaxis. Array API: moveaxis.
weft_array *weft_moveaxis(weft_array *x, int source, int destination);

// The last two axes change places.
// NumPy: np.matrix_transpose. Array API: matrix_transpose.
weft_array *weft_matrix_transpose(weft_array *x);

// Without the axes given, which have extent 1. NULL: without all such axes.
// NumPy: np.squeeze. Array API: squeeze.
weft_array *weft_squeeze(weft_array *x, int naxes, const int *axes);

// With a new axis of extent 1, which is axis AXIS of the result.
// NumPy: np.expand_dims. Array API: expand_dims.
weft_array *weft_expand_dims(weft_array *x, int axis);

// With axes of extent 1 stretched, and axes added in front, to SHAPE; nothing is copied.
// NumPy: np.broadcast_to. Array API: broadcast_to.
weft_array *weft_broadcast_to(weft_array *x, int ndim, const int64_t *shape);

// Reversed along the axes given. NULL: along all.
// NumPy: np.flip. Array API: flip.
weft_array *weft_flip(weft_array *x, int naxes, const int *axes);

// Moved by SHIFTS[i] elements along AXES[i]; what leaves at one end enters at the other. AXES NULL
// and NAXES 1: the flattened array, in its own shape.
// NumPy: np.roll. Array API: roll.
weft_array *weft_roll(weft_array *x, int naxes, const int64_t *shifts, const int *axes);

// N arrays, 1 or more, one after another along AXIS, equal along all others (WEFT_AXIS_NONE:
// flattened first). dtypes are promoted.
// NumPy: np.concat. Array API: concat.
weft_array *weft_concat(int n, weft_array *const *arrays, int axis);

// N arrays, 1 or more, of one shape, along a new axis, which is axis AXIS of the result. dtypes are
// promoted.
// NumPy: np.stack. Array API: stack.
weft_array *weft_stack(int n, weft_array *const *arrays, int axis);

// The whole array REPS[i] times along axis i. N repetitions; the shorter of REPS and X's shape is
// lengthened with 1 in front.
// NumPy: np.tile. Array API: tile.
weft_array *weft_tile(weft_array *x, int n, const int64_t *reps);

// Each element COUNT times along AXIS (WEFT_AXIS_NONE: of the flattened array).
// NumPy: np.repeat. Array API: repeat.
weft_array *weft_repeat(weft_array *x, int64_t count, int axis);

enum {
    WEFT_PAD_CONSTANT = 0,   // .value                        0 0 | 1 2 3 | 0 0
    WEFT_PAD_EDGE = 1,       // the last element              1 1 | 1 2 3 | 3 3
    WEFT_PAD_REFLECT = 2,    // mirrored at the last element  3 2 | 1 2 3 | 2 1
    WEFT_PAD_SYMMETRIC = 3,  // mirrored behind it            2 1 | 1 2 3 | 3 2
    WEFT_PAD_WRAP = 4        // from the other end            2 3 | 1 2 3 | 1 2
};

typedef struct weft_pad_options {
    int mode;              // WEFT_PAD_*
    double value;          // of WEFT_PAD_CONSTANT, converted to X's dtype
    uint64_t reserved[8];  // zero
} weft_pad_options;

// With BEFORE[i] elements in front of axis i and AFTER[i] behind it. N is the number of axes, or 1
// for the same along all. AFTER NULL: as BEFORE.
// NumPy: np.pad.
weft_array *weft_pad(weft_array *x, int n, const int64_t *before, const int64_t *after,
                     const weft_pad_options *opts);

// The same array in blocks of BLOCK[i] elements along axis i, the last perhaps shorter; -1: the
// whole axis. N is the number of axes. On an array from a file, from memory or created, this is how
// it is read; elsewhere a copy between grids, planned for the least traffic.
// Dask: x.rechunk(block).
weft_array *weft_rechunk(weft_array *x, int n, const int64_t *block);

// -------------------------------------------------------------------------------------------------
// Selecting
// -------------------------------------------------------------------------------------------------

// What to take of one axis; one of zeros takes it whole. The macros below write them.
typedef struct weft_cut {
    int32_t kind;     // WEFT_CUT_*
    uint32_t bounds;  // of a slice: 1 if it has a start, plus 2 if it has a stop
    int64_t start;    // of a slice; or the index. Negative: from the end
    int64_t stop;     // of a slice; not included. Negative: from the end
    int64_t step;     // of a slice; 0: 1
} weft_cut;

enum {
    WEFT_CUT_SLICE = 0,
    WEFT_CUT_AT = 1,   // one index; the axis goes
    WEFT_CUT_NEW = 2,  // a new axis of extent 1
    WEFT_CUT_REST = 3  // all axes that no other cut names; at most one of a list
};

#define WEFT_ALL weft_cut_all()                           // :
#define WEFT_SPAN(a, b) weft_cut_slice(a, b, 1)           // a:b
#define WEFT_STEP(a, b, s) weft_cut_slice(a, b, s)        // a:b:s; s is not 0
#define WEFT_FROM(a) weft_cut_slice(a, WEFT_CUT_OPEN, 1)  // a:
#define WEFT_TO(b) weft_cut_slice(WEFT_CUT_OPEN, b, 1)    // :b
#define WEFT_AT(i) weft_cut_at(i)                         // i
#define WEFT_NEW weft_cut_new()                           // None
#define WEFT_REST weft_cut_rest()                         // ...
#define WEFT_CUT_OPEN INT64_MIN  // for no bound: 5::-1 is WEFT_STEP(5, WEFT_CUT_OPEN, -1)

// The part of X that N cuts name, axis by axis; further axes are whole. Bounds beyond an end are
// limited, as in Python. WEFT_INVALID for an index out of range, a step of 0, more cuts than axes.
// NumPy: x[1:-1, ::2, ..., 3].
weft_array *weft_index(weft_array *x, int n, const weft_cut *cuts);

// The same, with the cuts written as in Python: weft_index_text(x, "1:-1, ::2, ..., 3").
weft_array *weft_index_text(weft_array *x, const char *cuts);

// A new array: X with the part that the cuts name replaced by VALUE, which is broadcast to it and
// converted to X's dtype (WEFT_INVALID if it is of a higher kind, as a float for an integer array).
// It takes X's memory over if X's handle is gone when it is computed.
// NumPy: y = x.copy(); y[cuts] = value.
weft_array *weft_setitem(weft_array *x, int n, const weft_cut *cuts, weft_array *value);

// The same, with the cuts written as in Python.
weft_array *weft_setitem_text(weft_array *x, const char *cuts, weft_array *value);

// The elements along AXIS that the integer array INDICES names; INDICES' shape stands in the place
// of that axis. Negative ones count from the end; one out of range is WEFT_INVALID. May compute
// INDICES, to check them.
// NumPy: np.take(x, indices, axis). Array API: take.
weft_array *weft_take(weft_array *x, weft_array *indices, int axis);

// Where X is not 0, in C order: int64 of shape (axes of X, number found), row i the indices along
// axis i. X without axes is WEFT_INVALID. May compute X, to count them.
// NumPy: np.array(np.nonzero(x)). Array API: nonzero.
weft_array *weft_nonzero(weft_array *x);

// The elements of X where the bool array MASK is true, in C order. MASK has the shape of X, or of
// its first axes, in whose place one axis stands. May compute MASK, to count them.
// NumPy: x[mask]. Array API: x[mask].
weft_array *weft_mask(weft_array *x, weft_array *mask);

// -------------------------------------------------------------------------------------------------
// Grouping
// -------------------------------------------------------------------------------------------------

// How often each of 0, 1, ... occurs in X, integers along one axis: int64. With WEIGHTS, an array
// of X's shape, the sum of those where it occurs: float64. The result has MINLENGTH elements or, if
// there are larger numbers, as many as they need; a negative one is WEFT_INVALID. WEIGHTS NULL is
// none; but if an error is pending, it is what a failed chain left, and is passed on. May compute
// X, to find its range.
// NumPy: np.bincount.
weft_array *weft_bincount(weft_array *x, weft_array *weights, int64_t minlength);

// Sums of the elements with equal labels along AXIS. LABELS is an integer array of one axis, as
// long as AXIS, which becomes NGROUPS long. Elements with a negative label are left out; a label of
// NGROUPS or more is WEFT_INVALID. A group without elements is 0. dtypes as weft_sum. May compute
// LABELS, to check them.
// NumPy: for one axis np.bincount(labels, x, ngroups). pandas: x.groupby(labels).sum().
weft_array *weft_group_sum(weft_array *x, weft_array *labels, int64_t ngroups, int axis);

// Their means, likewise; a group without elements is NaN. dtypes as weft_mean.
// pandas: x.groupby(labels).mean().
weft_array *weft_group_mean(weft_array *x, weft_array *labels, int64_t ngroups, int axis);

// -------------------------------------------------------------------------------------------------
// Linear algebra
//
// Operands are promoted; numeric. Integers wrap; bool is `or` of `and`s; float16 and bfloat16 are
// summed in float32. Extents that must agree and do not are WEFT_INVALID, with both named.
//
// Here alone bits depend on blocks: where a product of matrices is cut along the summed axis, the
// pieces are added in their order, and each is the BLAS library's. The same grid on the same kind
// of CPU with the same library gives the same bits. Products of two vectors are sums, and like
// them.
// -------------------------------------------------------------------------------------------------

// The matrix product: over the last axis of A and the last but one of B; axes in front of those
// broadcast. An operand of one axis is a row (A) or a column (B), and that axis goes. An operand
// without axes is WEFT_INVALID.
// NumPy: np.matmul. Array API: matmul.
weft_array *weft_matmul(weft_array *a, weft_array *b);

// The sum of products over N pairs of axes, AXES_A[i] of A with AXES_B[i] of B; the other axes of A
// stay, then those of B. Both NULL: the last N of A with the first N of B, in order.
// NumPy: np.tensordot. Array API: tensordot.
weft_array *weft_tensordot(weft_array *a, weft_array *b, int n, const int *axes_a,
                           const int *axes_b);

// The sum of conj(a)*b along the last axis; the axes in front broadcast.
// NumPy: np.vecdot. Array API: vecdot.
weft_array *weft_vecdot(weft_array *a, weft_array *b);

// All products of two arrays of one axis: element (i, j) is a[i]*b[j].
// NumPy: np.outer. Array API: linalg.outer.
weft_array *weft_outer(weft_array *a, weft_array *b);

// -------------------------------------------------------------------------------------------------
// Expressions as text
// -------------------------------------------------------------------------------------------------

// The value of TEXT, in NumPy's notation: operators, slices, every operation here by its name,
// shapes as tuples, options as keywords; as in random_normal((200, 200), seed=7). NAMES[i] is
// ARRAYS[i]. There may be several statements, divided by ';' or new lines, `m = mean(u); u - m`:
// the value is the last one's. WEFT_INVALID says in which column it went wrong.
// NumPy: eval(text, {names: arrays}).
weft_array *weft_expr(weft_session *session, const char *text, int n, const char *const *names,
                      weft_array *const *arrays);

// -------------------------------------------------------------------------------------------------
// Kernels of your own
//
//     weft_kernel *k = weft_kernel_create(s, &(weft_kernel_desc){
//         .name = "call", .params = "spot, vol; strike, rate",
//         .body = "d = log(spot/strike) + rate\n"
//                 "result = where(d > 0, spot - strike*exp(-rate), 0*vol)\n" });
//     weft_array *value = weft_kernel_map(k, WEFT_ARRAYS(spot, vol), 2,
//                                         (const double[]){ 100, 0.03 });
// -------------------------------------------------------------------------------------------------

// What a C kernel is asked for: COUNT elements of the result from as many of each operand. Element
// j of operand i is at (const char *)in[i] + j*in_stride[i], in its own dtype; a stride may be 0.
typedef struct weft_kernel_call {
    int64_t count;
    int nin;                     // arrays
    int nparams;                 // scalars
    const void *const *in;       // nin
    const int64_t *in_stride;    // nin; bytes
    const weft_dtype *in_dtype;  // nin
    void *out;
    int64_t out_stride;  // bytes
    weft_dtype out_dtype;
    const double *params;  // nparams
} weft_kernel_call;

// A C kernel. Called on several threads at once, in any order, and again for the same elements; it
// borrows CALL until it returns. A status other than WEFT_OK fails the request with that status and
// the sentence given to weft_error_set.
typedef weft_status weft_cpu_kernel_fn(const weft_kernel_call *call);

// What `u[-1, 0]` in a body reads where that lies outside the array.
enum {
    WEFT_BOUNDARY_NEAREST = 0,  // the nearest element
    WEFT_BOUNDARY_ZERO = 1,     // 0
    WEFT_BOUNDARY_WRAP = 2,     // from the other end
    WEFT_BOUNDARY_REFLECT = 3   // mirrored at the last element
};

typedef struct weft_kernel_desc {
    const char *name;         // for errors, plans and profiles
    const char *params;       // names of the arrays; then, after a semicolon, of the scalars
    const char *body;         // statements of the expression language; the last is `result = ...`
    const char *cuda;         // CUDA text for GPUs. For now WEFT_UNSUPPORTED
    const char *library;      // a library that workers load. For now WEFT_UNSUPPORTED
    const char *symbol;       // the name of a weft_cpu_kernel_fn in it
    weft_cpu_kernel_fn *cpu;  // a C function of this process; on a cluster WEFT_UNSUPPORTED
    weft_dtype result;        // default: what the body gives; without one, the promoted dtype
    int boundary;             // WEFT_BOUNDARY_*
    uint64_t reserved[8];     // zero
} weft_kernel_desc;

// An elementwise operation of your own, from .body, .cpu or both. A body becomes a program: it
// fuses with what surrounds it, and runs wherever the blocks are. In a body u[-1, 0] is not an
// index but the neighbour at that offset: one constant per axis. Belongs to the session. NULL if it
// fails, pending as by a lazy call: WEFT_INVALID names line and column.
weft_kernel *weft_kernel_create(weft_session *session, const weft_kernel_desc *desc);

// The kernel applied to NIN arrays, which broadcast, and NPARAMS scalars: as many as .params names,
// else WEFT_INVALID. It shares KERNEL.
// NumPy: np.vectorize, compiled. Numba: @vectorize, @stencil.
weft_array *weft_kernel_map(weft_kernel *kernel, int nin, weft_array *const *in, int nparams,
                            const double *params);

// Frees the handle before the session does. Accepts NULL.
void weft_kernel_free(weft_kernel *kernel);

// -------------------------------------------------------------------------------------------------
// Files
// -------------------------------------------------------------------------------------------------

typedef struct weft_load_options {
    bool raw;              // a file of elements and nothing else, in C order, little endian
    weft_dtype dtype;      // of a raw file
    int ndim;              // of a raw file
    const int64_t *shape;  // of a raw file
    uint64_t reserved[8];  // zero
} weft_load_options;

// The array in a file: .npy, Zarr v2 ("store.zarr", "store.zarr/group/array"), or raw. Only its
// description is read; blocks follow the file's chunks, and are read as they are needed: the file
// must not change meanwhile. WEFT_NOT_FOUND, WEFT_DENIED, WEFT_IO; WEFT_FORMAT says what is
// malformed and where; WEFT_UNSUPPORTED names the codec or dtype; a Zarr group is WEFT_INVALID, and
// the sentence names its arrays.
// NumPy: np.load(path, mmap_mode="r"), np.memmap. Dask: da.from_zarr.
weft_array *weft_load(weft_session *session, const char *path, const weft_load_options *opts);

typedef struct weft_save_options {
    bool overwrite;          // replace what is there, once the new array is complete
    int nregion;             // entries of .region; 0: a new array. Axes not named are whole
    const weft_cut *region;  // write into this part of the array that is there; steps are 1
    int nchunks;             // entries of .chunks, one per axis; 0: X's blocks, halved
                             // until five chunks fit in each slot's share of the memory
    const int64_t *chunks;   // Zarr: elements of a chunk along each axis
    const char *codec;       // Zarr: "blosc" (default) or "blosc:lz4:5:shuffle", "zstd:9", "zlib",
                             // "gzip", "lz4", "none"
    int zarr_format;         // default 2; for now 3 is WEFT_UNSUPPORTED
    const char *dims;        // names of the axes, "time,lat,lon": stored
    const char *attributes;  // a JSON object: stored
    uint64_t reserved[8];    // zero
} weft_save_options;

// A lazy write of X to PATH, in the format of its ending: .npy, .zarr (or a path inside one), .raw
// or .bin (elements alone, in C order), or .png (an array of two axes as a picture: see below). The
// result stands for the write: give it to weft_compute, with others if you like, and one plan does
// all. As an operand it is WEFT_INVALID. The array is written beside PATH and put in its place by
// one rename, so that an interrupted write leaves the old one, or none, and what replaces a file
// has its mode. What a killed process leaves, a hidden ".NAME.weft-...tmp", goes with the next
// write into that folder from the same host. A region is written into the array, each chunk whole
// or not at all; X is broadcast to it and converted to the file's dtype, float64 to float32 as
// weft_astype does, but WEFT_INVALID if X's is of a higher kind. WEFT_EXISTS if PATH does, without
// .overwrite or .region; when computed WEFT_DENIED, WEFT_NO_SPACE, WEFT_IO.
//
// Chunks. Without .chunks they are X's blocks: those of the file it came from or of weft_rechunk,
// else whole rows up to the setting block_size (64 MiB), halved until a task that writes one fits
// the memory limit. Chunks that were asked for stay as they are: such a task holds one as it is,
// one more packed if it is compressed, and the inputs of that chunk.
//
// Pictures. One pixel per element up to 4096 on a side, then the mean of a block of elements; small
// arrays are drawn larger. Colours run from dark blue (the smallest finite value) over green to
// light yellow (the largest); NaN and infinities are grey; a bar with numbers stands beside, so
// that the picture is larger than the array. Complex is WEFT_UNSUPPORTED: take weft_abs or
// weft_real.
weft_array *weft_sink(weft_array *x, const char *path, const weft_save_options *opts);

// Writes X to PATH: one sink, computed, with the errors of both.
// NumPy: np.save. Dask: da.to_zarr.
weft_status weft_save(weft_array *x, const char *path,
                      const weft_save_options *opts) WEFT_WARN_UNUSED;

// Stores DATA, in C order, as the block of COUNT[axis] elements that begins at START[axis]. Called
// for every block of X once or, after a loss, again; on several threads at once, in any order. A
// status other than WEFT_OK fails the request with that status and the sentence given to
// weft_error_set.
typedef weft_status weft_write_fn(void *context, const int64_t *start, const int64_t *count,
                                  const void *data);

// A lazy write of X through WRITE: a sink, as weft_sink gives. Borrows CONTEXT: until the requests
// that compute it have ended.
// Dask: da.store.
weft_array *weft_to_writer(weft_array *x, weft_write_fn *write, void *context);

// -------------------------------------------------------------------------------------------------
// Computing
// -------------------------------------------------------------------------------------------------

typedef struct weft_progress {
    int64_t blocks_done;   // of work
    int64_t blocks_total;  // as far as is known: it grows when a stage depends on data
    int64_t bytes;         // read of files and by readers, and written, so far
    double seconds;        // since the start
    double eta;            // seconds left; negative: not known
} weft_progress;

// Told how far a request is: when it starts, some ten times a second, and when it ends. On a thread
// of Weft's, one call at a time per request. It may call weft_cancel; waiting in it is WEFT_BUSY.
typedef void weft_progress_fn(void *context, const weft_progress *progress);

typedef struct weft_compute_options {
    weft_progress_fn *progress;  // NULL: none
    void *context;               // for .progress. Borrows: until the request has ended
    double timeout;              // seconds until it ends with WEFT_TIMEOUT; 0: never
    uint64_t reserved[8];        // zero
} weft_compute_options;

// Computes N arrays and sinks in one plan, which shares what they share. Then the handles hold
// their blocks, in memory or spilled, until they are freed, and the sinks are written. If it fails
// the arrays are as they were. A NULL among them returns its chain's error. WEFT_NO_MEMORY, before
// anything runs, if no plan fits the limit: the sentence names the operation, the bytes it wants
// and those there are. WEFT_CANCELLED, WEFT_TIMEOUT; WEFT_BUSY from a callback; else what a block
// failed with: the sentence names operation, label, block, device and the place in your program,
// "made at function+0x1f" or, where the program has no symbols to look up, "made at
// program+0x401f", which `addr2line -e program 0x401f` turns into file and line.
// Dask: dask.persist.
weft_status weft_compute(int n, weft_array *const *arrays,
                         const weft_compute_options *opts) WEFT_WARN_UNUSED;

// The same without waiting. Shares the arrays: scopes may close. Gives: weft_request_free, at the
// latest weft_close. NULL if it fails, pending as by a lazy call; weft_wait passes that on.
// Dask: client.compute.
weft_request *weft_start(int n, weft_array *const *arrays, const weft_compute_options *opts);

// Waits until the request has ended and returns what weft_compute would. After SECONDS without
// that: WEFT_TIMEOUT, and the request goes on. SECONDS 0 looks; negative waits as long as it takes.
// Any thread, any number of times. WEFT_BUSY from a callback.
weft_status weft_wait(weft_request *request, double seconds) WEFT_WARN_UNUSED;

// Whether the request has ended, well or not; true for NULL.
bool weft_request_done(const weft_request *request);

// Asks the request to end with WEFT_CANCELLED, and returns at once. Safe in a signal handler. A
// request that has ended, and NULL, are left alone.
void weft_cancel(weft_request *request);

// Frees the handle; a request that still runs is cancelled and waited for. Accepts NULL.
void weft_request_free(weft_request *request);

// -------------------------------------------------------------------------------------------------
// Reading
//
// Each computes X first, if that has not been done, with the errors of weft_compute.
// -------------------------------------------------------------------------------------------------

// Copies the elements of X to OUT, in C order, as dtype AS (default: X's). WEFT_INVALID unless
// weft_dtype_can_cast allows it and BYTES is exactly the room they take; OUT is then untouched.
// NumPy: np.asarray(x, as).
weft_status weft_get(weft_array *x, weft_dtype as, void *out, size_t bytes) WEFT_WARN_UNUSED;

// The only element of an array that has one, by a safe cast (uint64 to int64: if it fits, else
// WEFT_OVERFLOW). WEFT_INVALID for more elements, or another dtype. *OUT is written on success
// only; a complex number as its two parts.
// NumPy: x.item().
weft_status weft_item_f64(weft_array *x, double *out) WEFT_WARN_UNUSED;
weft_status weft_item_i64(weft_array *x, int64_t *out) WEFT_WARN_UNUSED;
weft_status weft_item_c128(weft_array *x, double out[2]) WEFT_WARN_UNUSED;

// X as a tensor for another library: a copy in host memory, in C order. Gives: the tensor's own
// deleter; it may outlive the session.
// Array API: x.__dlpack__().
weft_status weft_to_dlpack(weft_array *x, struct DLManagedTensorVersioned **out,
                           const weft_dlpack_options *opts) WEFT_WARN_UNUSED;

// -------------------------------------------------------------------------------------------------
// Looking inside
// -------------------------------------------------------------------------------------------------

// Prints X to FILE as NumPy would; of a large array it computes and prints only the corners.
// NumPy: print(x).
weft_status weft_print(FILE *file, weft_array *x) WEFT_WARN_UNUSED;

// The plan for X, as text: layers, programs, grids, bytes, and the bound on memory. Nothing runs.
// "(500 by 64, 400)" is an axis of 500 elements in blocks of 64 and one of 400 in one block. Of a
// reduction the program is what is reduced, and its name, such as sum or moments, says how; it may
// write several partial results, which "combine" layers put together. More about what a session did
// is in weft/daemon.h: profiles over time, several results of one text, and the reports of `weft
// info`, `config` and `doctor`. Gives: weft_text_free. NULL if it fails; weft_last_status() is then
// the status.
// Dask: x.visualize().
char *weft_explain(weft_array *x);

// The one plan for N arrays and sinks, likewise.
char *weft_plan_explain(int n, weft_array *const *arrays);

// Frees text that this library gave. Accepts NULL.
void weft_text_free(char *text);

typedef struct weft_session_stats {
    int64_t device_bytes;                    // now in blocks in devices' own memory
    int64_t pinned_bytes;                    // now in host memory that devices copy to and from
    int64_t host_bytes;                      // now in other host memory
    int64_t disk_bytes;                      // now spilled
    int64_t peak_bytes;                      // most in memory at once
    int64_t peak_spilled;                    // most on disk at once
    int64_t bytes_read, bytes_written;       // of files (mapped ones too; as stored) and callbacks
    int64_t bytes_spilled, bytes_unspilled;  // moved to disk, and back
    int64_t bytes_copied;                    // between devices and host
    int64_t blocks_made, blocks_reused;      // by tasks; of those, in the memory of an input
    int64_t blocks_spilled, blocks_dropped;  // written to disk; clean, so only forgotten
    int64_t blocks_recomputed;               // made again after a loss
    int64_t requests, tasks, retries;        // started; finished; tasks begun again
    int64_t plans_made, plans_cached;        // made; found in the cache
    int64_t programs_built;                  // fused chains
    int64_t kernels_compiled;                // for a device
    int64_t fallbacks;                       // times a slower way was taken; the log says which
    int64_t devices_lost;                    // whose memory was lost
    uint64_t reserved[16];                   // zero
} weft_session_stats;

// What the session has done since it was opened.
weft_status weft_stats(weft_session *session, weft_session_stats *out) WEFT_WARN_UNUSED;

// Warnings: a device that lost its memory, work begun again, a slower way taken. Information: what
// was spilled. Debugging: files opened and written, plans made or found, what each request did.
enum { WEFT_LOG_ERROR = 1, WEFT_LOG_WARN = 2, WEFT_LOG_INFO = 3, WEFT_LOG_DEBUG = 4 };

// One sentence of the log, without a newline. LEVEL is WEFT_LOG_*. On any thread, on several at
// once.
typedef void weft_log_fn(void *context, int level, const char *text);

// Sends the log of this process to LOG, every level; NULL, as at first: to nobody. When this
// returns, the function set before is called no more.
void weft_set_log(weft_log_fn *log, void *context);

// -------------------------------------------------------------------------------------------------
// What the macros are made of. Not for direct use.
// -------------------------------------------------------------------------------------------------

static inline weft_cut weft_cut_all(void)
{
    weft_cut cut = { WEFT_CUT_SLICE, 0, 0, 0, 0 };
    return cut;
}

// A step of 0 is passed on as INT64_MIN, for weft_index to refuse: in a zeroed cut 0 means 1.
static inline weft_cut weft_cut_slice(int64_t start, int64_t stop, int64_t step)
{
    weft_cut cut = weft_cut_all();
    if (start != WEFT_CUT_OPEN) cut.bounds |= 1u, cut.start = start;
    if (stop != WEFT_CUT_OPEN) cut.bounds |= 2u, cut.stop = stop;
    cut.step = step != 0 ? step : INT64_MIN;
    return cut;
}

static inline weft_cut weft_cut_at(int64_t index)
{
    weft_cut cut = { WEFT_CUT_AT, 0, 0, 0, 0 };
    cut.start = index;
    return cut;
}

static inline weft_cut weft_cut_new(void)
{
    weft_cut cut = { WEFT_CUT_NEW, 0, 0, 0, 0 };
    return cut;
}

static inline weft_cut weft_cut_rest(void)
{
    weft_cut cut = { WEFT_CUT_REST, 0, 0, 0, 0 };
    return cut;
}

// clang-format off
#ifndef __cplusplus

#define WEFT_INTS_(T, ...) WEFT_ITEMS_(T, __VA_ARGS__)
#define WEFT_ITEMS_(T, ...) \
    (int)(sizeof((T const[]){ __VA_ARGS__ }) / sizeof(T)), (T const[]){ __VA_ARGS__ }

#else
}  // extern "C"

// C++ has no compound literals: temporaries do the same until the end of the full expression.
#define WEFT_INTS_(T, ...) \
    static_cast<int>(sizeof(weft_ints<T>(__VA_ARGS__)) / sizeof(T)), \
        weft_ints<T>(__VA_ARGS__).begin()
#define WEFT_ITEMS_(T, ...) \
    static_cast<int>(sizeof(weft_items_count<T>({ __VA_ARGS__ }))), weft_items<T>({ __VA_ARGS__ })

template <class T, size_t N>
struct weft_ints_held {
    T item[N];
    const T *begin() const { return item; }
};

template <class T, class... Integer>
inline weft_ints_held<T, sizeof...(Integer)> weft_ints(Integer... values)
{
    return { { static_cast<T>(values)... } };
}

template <class T, size_t N>
inline const T *weft_items(const T (&items)[N])
{
    return items;
}

template <class T, size_t N>
char (&weft_items_count(const T (&items)[N]))[N];  // for its size alone: it has no body

#endif
// clang-format on

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
