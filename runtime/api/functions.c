// SPDX-License-Identifier: Apache-2.0
// functions - the list of what expressions can call, for people: each function with what it takes,
// what it does and its other names. All of it comes from op.def and the binder's table.
#include <errno.h>
#include <string.h>

#include "api/binder_table.h"
#include "weft/daemon.h"

// What op.def says of a function, and what stands here for those that are written in terms of
// others.
static const struct {
    const char *name, *doc;
} docs[] = {
    { "where", "x1 where condition is true, else x2" },
#define WEFT_OP(NAME, name, arity, types, cost, doc) { #name, doc },
#define WEFT_REDUCTION(NAME, name, result, doc) { #name, doc },
#define WEFT_SCAN(NAME, name, doc) { #name, doc },
#define WEFT_STRUCTURE(NAME, name, doc) { #name, doc },
#define WEFT_CREATION(NAME, name, doc) { #name, doc },
#include "weft/op.def"
    { "allclose", "isclose everywhere" },
    { "zeros_like", "zeros of x's shape and dtype" },
    { "ones_like", "ones of x's shape and dtype" },
    { "empty_like", "empty of x's shape and dtype" },
    { "full_like", "full of x's shape and dtype" },
    { "asarray", "numbers in lists, or arrays of one shape stacked" },
    { "random.normal", "loc + scale * random_normal" },
    { "ravel", "one axis, in C order" },
    { "swapaxes", "exchange two axes" },
    { "dot", "NumPy's dot: matmul, or over the last and the last but one axis" },
};

static const char *find_doc(const char *name)
{
    for (size_t i = 0; i < sizeof docs / sizeof *docs; i++)
        if (strcmp(docs[i].name, name) == 0) return docs[i].doc;
    return "";
}

// One argument of a signature: "axis?" is "[axis]", "x|a" is "x", "+shape" is "shape...".
static void add_argument(wf_text *out, const char *word, size_t n)
{
    bool optional = memchr(word, '?', n) != NULL, many = *word == '+';
    size_t name = strcspn(word + many, "|? ");

    wf_text_add(out, "%s%.*s%s%s", optional ? "[" : "", (int)name, word + many, many ? "..." : "",
                optional ? "]" : "");
}

static void add_signature(wf_text *out, const wf_function *f)
{
    const char *comma = "";

    wf_text_add(out, "%s(", f->name);
    for (const char *p = f->signature; *p;) {
        size_t n = strcspn(p, " ");
        wf_text_add(out, "%s", comma);
        add_argument(out, p, n);
        comma = ", ";
        p += n;
        p += *p == ' ';
    }
    wf_text_add(out, ")");
}

static void add_other_names(wf_text *out, const wf_function *f)
{
    const char *comma = "; also ";

    for (int i = 0; wf_function_name(i); i++) {
        const char *name = wf_function_name(i);
        if (strcmp(name, f->name) == 0 || wf_function_find(name) != f) continue;
        wf_text_add(out, "%s%s", comma, name);
        comma = ", ";
    }
}

weft_status weft_functions_print(FILE *out)
{
    wf_text text = { 0 };

    for (int i = 0; wf_function_name(i); i++) {
        const wf_function *f = wf_function_find(wf_function_name(i));
        bool twice = i > 0 && strcmp(f->name, "round") == 0;  // op.def's, behind the table's own
        if (strcmp(f->name, wf_function_name(i)) != 0 || twice) continue;
        int64_t start = text.length;
        add_signature(&text, f);
        int width = (int)(text.length - start);
        wf_text_add(&text, "%*s%s", width < 34 ? 34 - width : 2, "", find_doc(f->name));
        add_other_names(&text, f);
        wf_text_add(&text, "\n");
    }
    weft_status st = wf_text_status(&text);
    errno = 0;
    if (st == WEFT_OK && fputs(text.data, out ? out : stdout) == EOF)
        st = wf_fail_errno(errno ? errno : EIO, "functions: cannot write");
    wf_text_fini(&text);
    return st;
}
