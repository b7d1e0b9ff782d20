// SPDX-License-Identifier: Apache-2.0
// cut - see cut.h. The text is read by the expression language's lexer; the meaning of a slice is
// that of Python's.
#include "array/cut.h"

#include <string.h>

#include "array/expr_lex.h"

enum { HAS_START = 1, HAS_STOP = 2 };  // weft_cut.bounds

// -------------------------------------------------------------------------------------------- text

typedef struct reader {
    wf_lexer lexer;  // stands behind `token`
    wf_token token;
} reader;

static weft_status advance(reader *r) { return wf_lexer_next(&r->lexer, &r->token); }

static weft_status fail_expected(const reader *r, const char *expected)
{
    char got[64];
    wf_token_describe(&r->lexer, &r->token, got);
    return wf_source_fail(&r->lexer.source, r->token.offset, WEFT_INVALID, "expected %s, got %s",
                          expected, got);
}

static bool at_sign(const reader *r)
{
    return wf_token_is(&r->token, '-') || wf_token_is(&r->token, '+');
}

static bool at_number(const reader *r) { return r->token.kind == WF_TOKEN_INT || at_sign(r); }

static weft_status read_number(reader *r, int64_t *out)
{
    bool minus = wf_token_is(&r->token, '-');

    if (at_sign(r)) WF_TRY(advance(r));
    if (r->token.kind != WF_TOKEN_INT) return fail_expected(r, "an integer");
    uint64_t u = r->token.as.u;
    if (u > INT64_MAX && !minus)
        return wf_source_fail(&r->lexer.source, r->token.offset, WEFT_INVALID,
                              "integer %" PRIu64 " does not fit in int64", u);
    *out = minus ? (int64_t)(0 - u) : (int64_t)u;
    return advance(r);
}

static weft_status read_step(reader *r, int64_t *out)
{
    int32_t offset = r->token.offset;

    WF_TRY(read_number(r, out));
    if (*out == 0)
        return wf_source_fail(&r->lexer.source, offset, WEFT_INVALID, "slice step cannot be zero");
    if (*out == INT64_MIN)
        *out = -INT64_MAX;  // no axis is long enough to tell; INT64_MIN means "was 0"
    return WEFT_OK;
}

// What follows the start of a slice; the current token is its first ':'.
static weft_status read_slice(reader *r, weft_cut *cut)
{
    cut->kind = WEFT_CUT_SLICE;
    cut->step = 1;
    WF_TRY(advance(r));
    if (at_number(r)) {
        WF_TRY(read_number(r, &cut->stop));
        cut->bounds |= HAS_STOP;
    }
    if (!wf_token_is(&r->token, ':')) return WEFT_OK;
    WF_TRY(advance(r));
    return at_number(r) ? read_step(r, &cut->step) : WEFT_OK;
}

static weft_status read_cut(reader *r, weft_cut *out)
{
    weft_cut cut = { .kind = WEFT_CUT_AT };

    if (wf_token_is(&r->token, WF_SYMBOL3('.', '.', '.'))) {
        cut.kind = WEFT_CUT_REST;
        WF_TRY(advance(r));
    } else if (wf_token_is_word(&r->lexer, &r->token, "None") ||
               wf_token_is_word(&r->lexer, &r->token, "newaxis")) {
        cut.kind = WEFT_CUT_NEW;
        WF_TRY(advance(r));
    } else {
        if (at_number(r)) {
            WF_TRY(read_number(r, &cut.start));
            cut.bounds = HAS_START;
        } else if (!wf_token_is(&r->token, ':')) {
            return fail_expected(r, "an integer, a slice, '...' or None");
        }
        if (wf_token_is(&r->token, ':')) WF_TRY(read_slice(r, &cut));
        else cut.bounds = 0;
    }
    *out = cut;
    return WEFT_OK;
}

weft_status wf_cuts_parse(const char *where, const char *text, int *n, weft_cut out[WF_CUTS_MAX])
{
    weft_cut cuts[WF_CUTS_MAX];
    int count = 0;

    if (!text) return wf_fail(WEFT_INVALID, "%s: the text is NULL", where);
    size_t length = strlen(text);
    if (length > WF_EXPR_MAX_LENGTH)
        return wf_fail(WEFT_INVALID, "%s: a text of at most %d bytes is accepted, got %zu", where,
                       WF_EXPR_MAX_LENGTH, length);
    // One bracket counts as open, so newlines are blanks.
    reader r = { .lexer = { .source = { where, text, (int32_t)length }, .nesting = 1 } };
    WF_TRY(advance(&r));
    do {
        if (count == WF_CUTS_MAX)
            return wf_source_fail(&r.lexer.source, r.token.offset, WEFT_INVALID,
                                  "more than %d cuts", WF_CUTS_MAX);
        WF_TRY(read_cut(&r, &cuts[count++]));
        if (!wf_token_is(&r.token, ',')) break;
        WF_TRY(advance(&r));
    } while (r.token.kind != WF_TOKEN_END);
    if (r.token.kind != WF_TOKEN_END) return fail_expected(&r, "',' or the end of the text");
    memcpy(out, cuts, (size_t)count * sizeof *cuts);
    *n = count;
    return WEFT_OK;
}

static void print_slice(const weft_cut *cut, wf_text *out)
{
    if (cut->bounds & HAS_START) wf_text_add(out, "%" PRId64, cut->start);
    wf_text_add(out, ":");
    if (cut->bounds & HAS_STOP) wf_text_add(out, "%" PRId64, cut->stop);
    if (cut->step == INT64_MIN) wf_text_add(out, ":0");
    else if (cut->step != 0 && cut->step != 1) wf_text_add(out, ":%" PRId64, cut->step);
}

void wf_cuts_print(int n, const weft_cut *cuts, wf_text *out)
{
    for (int i = 0; i < n; i++) {
        if (i) wf_text_add(out, ", ");
        switch (cuts[i].kind) {
        case WEFT_CUT_SLICE: print_slice(&cuts[i], out); break;
        case WEFT_CUT_AT: wf_text_add(out, "%" PRId64, cuts[i].start); break;
        case WEFT_CUT_NEW: wf_text_add(out, "None"); break;
        case WEFT_CUT_REST: wf_text_add(out, "..."); break;
        default: wf_text_add(out, "?");
        }
    }
}

// ----------------------------------------------------------------------------------------- meaning

// Where a bound of a slice falls on an axis of DIM elements: 0..DIM going up, -1..DIM-1 going down.
static int64_t clip_bound(int64_t bound, int64_t dim, bool down)
{
    if (bound < 0) {
        bound += dim;
        return bound < 0 ? (down ? -1 : 0) : bound;
    }
    return bound < dim ? bound : (down ? dim - 1 : dim);
}

static wf_cut_axis resolve_slice(const weft_cut *cut, int input, int64_t dim)
{
    int64_t step = cut->step ? cut->step : 1;
    bool down = step < 0;
    int64_t start = cut->bounds & HAS_START ? clip_bound(cut->start, dim, down)
                    : down                  ? dim - 1
                                            : 0;
    int64_t stop = cut->bounds & HAS_STOP ? clip_bound(cut->stop, dim, down) : down ? -1 : dim;
    int64_t span = down ? start - stop : stop - start;

    if (span <= 0) return (wf_cut_axis){ .input = input, .step = 1 };
    int64_t count = (span - 1) / (down ? -step : step) + 1;
    return (wf_cut_axis){
        .input = input, .start = start, .step = count > 1 ? step : 1, .count = count
    };
}

static weft_status add_axis(const char *where, wf_selection *s, wf_cut_axis axis)
{
    if (s->ndim == WEFT_MAX_NDIM)
        return wf_fail(WEFT_INVALID, "%s: the result has more than %d axes", where, WEFT_MAX_NDIM);
    s->axis[s->ndim++] = axis;
    return WEFT_OK;
}

static weft_status add_whole(const char *where, wf_selection *s, int input, int64_t dim)
{
    return add_axis(where, s, (wf_cut_axis){ .input = input, .step = 1, .count = dim });
}

// Checks the cuts one by one; *OUT is how many axes they name.
static weft_status check_cuts(const char *where, int ndim, int ncuts, const weft_cut *cuts,
                              int *out)
{
    int named = 0, nrest = 0;

    for (int i = 0; i < ncuts; i++) {
        if (cuts[i].kind < WEFT_CUT_SLICE || cuts[i].kind > WEFT_CUT_REST || cuts[i].bounds > 3)
            return wf_fail(WEFT_INVALID, "%s: cut %d is malformed: kind %d, bounds 0x%x", where, i,
                           (int)cuts[i].kind, (unsigned)cuts[i].bounds);
        if (cuts[i].kind == WEFT_CUT_SLICE && cuts[i].step == INT64_MIN)
            return wf_fail(WEFT_INVALID, "%s: slice step cannot be zero", where);
        named += cuts[i].kind == WEFT_CUT_SLICE || cuts[i].kind == WEFT_CUT_AT;
        nrest += cuts[i].kind == WEFT_CUT_REST;
    }
    if (nrest > 1)
        return wf_fail(WEFT_INVALID, "%s: an index can have only one ellipsis ('...'), got %d",
                       where, nrest);
    if (named > ndim)
        return wf_fail(WEFT_INVALID, "%s: too many indices: array has %d %s, got %d", where, ndim,
                       ndim == 1 ? "axis" : "axes", named);
    *out = named;
    return WEFT_OK;
}

static weft_status apply_at(const char *where, const weft_cut *cut, int input, int64_t dim,
                            wf_selection *s)
{
    int64_t at = cut->start < 0 ? cut->start + dim : cut->start;

    if (at < 0 || at >= dim)
        return wf_fail(WEFT_INVALID,
                       "%s: index %" PRId64 " is out of bounds for axis %d with size %" PRId64,
                       where, cut->start, input, dim);
    s->index[input] = at;
    return WEFT_OK;
}

// Applies one cut; *AXIS is the next axis of the input.
static weft_status apply_cut(const char *where, const weft_cut *cut, const int64_t *shape,
                             int nrest, int *axis, wf_selection *s)
{
    switch (cut->kind) {
    case WEFT_CUT_NEW: return add_whole(where, s, -1, 1);
    case WEFT_CUT_REST:
        for (int i = 0; i < nrest; i++, ++*axis) WF_TRY(add_whole(where, s, *axis, shape[*axis]));
        return WEFT_OK;
    case WEFT_CUT_AT:
        WF_TRY(apply_at(where, cut, *axis, shape[*axis], s));
        ++*axis;
        return WEFT_OK;
    default:
        WF_TRY(add_axis(where, s, resolve_slice(cut, *axis, shape[*axis])));
        ++*axis;
        return WEFT_OK;
    }
}

weft_status wf_cuts_resolve(const char *where, int ndim, const int64_t *shape, int ncuts,
                            const weft_cut *cuts, wf_selection *out)
{
    wf_selection s = { 0 };
    int named = 0, axis = 0;

    if (ncuts < 0 || (ncuts > 0 && !cuts))
        return wf_fail(WEFT_INVALID, "%s: expected a count and as many cuts, got %d at %s", where,
                       ncuts, cuts ? "a pointer" : "NULL");
    WF_TRY(check_cuts(where, ndim, ncuts, cuts, &named));
    for (int i = 0; i < ndim; i++) s.index[i] = -1;
    for (int i = 0; i < ncuts; i++)
        WF_TRY(apply_cut(where, &cuts[i], shape, ndim - named, &axis, &s));
    for (; axis < ndim; axis++) WF_TRY(add_whole(where, &s, axis, shape[axis]));
    *out = s;
    return WEFT_OK;
}
