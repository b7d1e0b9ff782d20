// SPDX-License-Identifier: Apache-2.0
// binder - what turns a parsed expression into arrays: names and numbers become values, and every
// operation one public call. Shared by weft_expr and by the bodies of kernels. Not thread safe: a
// binder lives on the stack of one call.
#ifndef WF_API_BINDER_H
#define WF_API_BINDER_H

#include "api/session.h"
#include "array/expr.h"

typedef enum wf_term_kind {
    WF_TERM_NONE,
    WF_TERM_BOOL,      // i
    WF_TERM_INT,       // i
    WF_TERM_FLOAT,     // f
    WF_TERM_COMPLEX,   // c
    WF_TERM_STRING,    // text
    WF_TERM_DTYPE,     // i
    WF_TERM_SEQUENCE,  // item, count: a tuple or a list
    WF_TERM_SLICE,     // item: start, stop, step
    WF_TERM_ELLIPSIS,
    WF_TERM_ARRAY,   // array
    WF_TERM_MODULE,  // text: the "random" of random.normal(...)
} wf_term_kind;

// The value of one part of the text. Numbers stay numbers, as in Python, until they meet an array:
// so shapes may be computed, and 2*pi*x has the dtype of x.
typedef struct wf_term wf_term;
struct wf_term {
    uint8_t kind;
    int32_t node;  // where it stands: for errors
    int32_t count;
    union {
        int64_t i;
        double f;
        double c[2];
        const char *text;
        const wf_term *item;
        weft_array *array;
    } as;
};

typedef struct wf_binding {
    const char *name;
    wf_term value;
    bool assigned;  // by a statement, not given
} wf_binding;

typedef struct wf_binder {
    const wf_expr *expr;
    weft_session *session;
    const void *site;  // what the arrays say of where they were made
    bool relative;     // a kernel's body: x[-1, 0] is a neighbour
    int boundary;      // WEFT_BOUNDARY_*
    wf_term *value;    // one per node of the expression
    wf_binding *binding;
    int64_t nbinding, capacity;
    void **memory;  // of sequences: freed with the binder
    int64_t nmemory, memory_capacity;
} wf_binder;

// EXPR, names and texts are borrowed until wf_binder_fini.
void wf_binder_init(wf_binder *b, weft_session *session, const wf_expr *expr, const void *site);
void wf_binder_fini(wf_binder *b);
weft_status wf_binder_set(wf_binder *b, const char *name, const wf_term *value,
                          bool assigned) WEFT_WARN_UNUSED;
const wf_binding *wf_binder_find(const wf_binder *b, const char *name);  // NULL: not bound
// Evaluates all statements. Every failure has the column. The pending error must be clear, and is
// clear afterwards.
weft_status wf_binder_run(wf_binder *b) WEFT_WARN_UNUSED;
// Memory of SIZE bytes that lives as long as the binder; NULL when there is none.
void *wf_binder_alloc(wf_binder *b, size_t size) __attribute__((warn_unused_result));

// --- conversions; errors point at the value ---

weft_status wf_term_array(wf_binder *b, const wf_term *v,
                          weft_array **out) WEFT_WARN_UNUSED;  // numbers and lists too
weft_status wf_term_i64(wf_binder *b, const wf_term *v, int64_t *out) WEFT_WARN_UNUSED;
weft_status wf_term_int(wf_binder *b, const wf_term *v, int *out) WEFT_WARN_UNUSED;
weft_status wf_term_f64(wf_binder *b, const wf_term *v, double *out) WEFT_WARN_UNUSED;
weft_status wf_term_bool(wf_binder *b, const wf_term *v, bool *out) WEFT_WARN_UNUSED;
weft_status wf_term_dtype(wf_binder *b, const wf_term *v, weft_dtype *out) WEFT_WARN_UNUSED;
weft_status wf_term_text(wf_binder *b, const wf_term *v, const char **out) WEFT_WARN_UNUSED;
// An integer or a sequence of up to MAX.
weft_status wf_term_ints(wf_binder *b, const wf_term *v, int max, int *n,
                         int64_t *out) WEFT_WARN_UNUSED;
weft_status wf_term_axes(wf_binder *b, const wf_term *v, int *n,
                         int out[WEFT_MAX_NDIM]) WEFT_WARN_UNUSED;
bool wf_term_is_number(const wf_term *v);        // BOOL to COMPLEX
const char *wf_term_describe(const wf_term *v);  // "a tuple", "an array": for errors
// What ends a public call: X as a value, or its error with the column of NODE.
weft_status wf_term_give(wf_binder *b, int32_t node, weft_array *x, wf_term *out) WEFT_WARN_UNUSED;
// The array of a list of numbers, or of arrays stacked (binder_list.c).
weft_status wf_term_list(wf_binder *b, const wf_term *v, weft_array **out) WEFT_WARN_UNUSED;

// --- numbers (binder_number.c) ---

// A op B of two numbers, as Python computes it.
weft_status wf_number_binary(wf_binder *b, int32_t node, wf_expr_op op, const wf_term *x,
                             const wf_term *y, wf_term *out) WEFT_WARN_UNUSED;
weft_status wf_number_unary(wf_binder *b, int32_t node, wf_expr_op op, const wf_term *x,
                            wf_term *out) WEFT_WARN_UNUSED;

// --- indices (binder_index.c) ---

weft_status wf_binder_index(wf_binder *b, int32_t node, wf_term *out) WEFT_WARN_UNUSED;
weft_status wf_binder_neighbour(wf_binder *b, int32_t node, wf_term *out) WEFT_WARN_UNUSED;

// --- functions (binder_call.c) ---

weft_status wf_binder_call(wf_binder *b, int32_t node,
                           wf_term *out) WEFT_WARN_UNUSED;  // CALL and METHOD
weft_status wf_binder_attribute(wf_binder *b, int32_t node, wf_term *out) WEFT_WARN_UNUSED;
// The operation behind an operator.
weft_status wf_binder_operate(wf_binder *b, int32_t node, int n, weft_array *const *x,
                              wf_term *out) WEFT_WARN_UNUSED;
bool wf_function_is_known(const char *name);
bool wf_function_is_elementwise(const char *name);
bool wf_constant_find(const char *name, wf_term *out);  // pi, newaxis, float32, random
// The known name nearest to NAME, or NULL if none is near: of a function, or else also of a
// constant and of what is bound in B (may be NULL).
const char *wf_name_suggest(const wf_binder *b, const char *name, bool function);

// --- results (expr.c) ---

// What a call of the text leaves: this thread's errors as they were, so that errors inside can be
// told apart from those before.
typedef struct wf_error_mark {
    wf_error last, pending;
} wf_error_mark;
void wf_error_mark_set(wf_error_mark *mark);  // and clears the pending error
void wf_error_mark_reset(const wf_error_mark *mark,
                         weft_status status);  // STATUS is the last error, where it is one

#endif
