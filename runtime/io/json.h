// SPDX-License-Identifier: Apache-2.0
// json - reading JSON text in place: the text is checked once, whole and strictly, and every value
// after that is a span of it. No tree, no allocation, integers to the last digit, any locale.
// Beyond the standard it takes the bare NaN, Infinity and -Infinity that Python writes. Any thread
// may call; the text must outlive the spans.
#ifndef WF_IO_JSON_H
#define WF_IO_JSON_H

#include "base/text.h"

typedef enum wf_json_kind {
    WF_JSON_NULL,
    WF_JSON_BOOL,
    WF_JSON_NUMBER,
    WF_JSON_STRING,
    WF_JSON_ARRAY,
    WF_JSON_OBJECT,
} wf_json_kind;

// One value: its bytes in the text, without spaces around them.
typedef struct wf_json {
    const char *at, *end;
} wf_json;

// Checks that TEXT is one JSON value. WHERE begins the error: WEFT_FORMAT "WHERE: expected ',' or
// '}' at byte 12".
weft_status wf_json_check(const char *where, const char *text, size_t length,
                          wf_json *out) WEFT_WARN_UNUSED;

wf_json_kind wf_json_get_kind(wf_json value);
bool wf_json_is_true(wf_json value);
// The value of KEY in an object; the last one where a key stands twice, as in Python. False when
// there is none, or VALUE is no object.
bool wf_json_member(wf_json value, const char *key, wf_json *out);
// Steps through an array or object: *AT starts as NULL; false at the end. KEY (may be NULL) is set
// for objects only.
bool wf_json_next(wf_json value, const char **at, wf_json *key, wf_json *out);

// An integer number that fits; false for anything else, also 1.5 and 1e3.
bool wf_json_i64(wf_json value, int64_t *out);
bool wf_json_u64(wf_json value, uint64_t *out);
// Any number, NaN and infinities among them; false when VALUE is none.
bool wf_json_f64(wf_json value, double *out);
// A string, decoded to UTF-8; false when VALUE is none or it does not fit CAPACITY with its NUL, or
// holds a NUL.
bool wf_json_string(wf_json value, char *out, size_t capacity);
bool wf_json_equals(wf_json value, const char *text);  // VALUE is a string and reads TEXT

// Appends VALUE on one line, as strict JSON: what is no number there becomes "NaN", "Infinity",
// "-Infinity".
void wf_json_compact(wf_text *out, wf_json value);
// Appends TEXT as a JSON string, with quotes.
void wf_json_quote(wf_text *out, const char *text);

#endif
