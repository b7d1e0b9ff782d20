// SPDX-License-Identifier: Apache-2.0
// settings - the table, the values and their types. Where values come from is settings_load.c's.
#include "base/settings.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

typedef enum setting_type { SIZE, INT, DOUBLE, BOOL, STRING, CHOICE, INTS, NAMES } setting_type;

static const struct {
    const char *key;
    setting_type type;
    const char *initial, *allowed, *doc;
} table[WF_SETTING_COUNT] = {
#define SETTING_ROW(NAME, key, type, initial, allowed, doc) { #key, type, initial, allowed, doc },
    WF_SETTING_LIST(SETTING_ROW)
#undef SETTING_ROW
};

#define MAX_INTS WEFT_MAX_NDIM

typedef struct parsed {
    int64_t i;
    double f;
    bool b;
    int count;
    int64_t ints[MAX_INTS];
} parsed;

typedef struct setting_value {
    char *text, *origin;  // owned; NULL: the default
    parsed parsed;
} setting_value;

struct wf_settings {
    setting_value value[WF_SETTING_COUNT];
};

const char *wf_setting_key(wf_setting key) { return table[key].key; }

const char *wf_setting_doc(wf_setting key) { return table[key].doc; }

#define MAX_KEY 32  // longer keys are compared by their beginning

// Levenshtein's distance over one row of his matrix.
static int edit_distance(const char *a, const char *b)
{
    int row[MAX_KEY + 1], na = (int)strnlen(a, MAX_KEY), nb = (int)strnlen(b, MAX_KEY);

    for (int j = 0; j <= nb; j++) row[j] = j;
    for (int i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            int insert = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < insert ? change : insert;
        }
    }
    return row[nb];
}

// The known key nearest to KEY, and how far off that is; 0: it is KEY.
static wf_setting find_nearest(const char *key, int *distance)
{
    char name[MAX_KEY + 2];
    wf_setting nearest = WF_SETTING_COUNT;
    size_t n = strnlen(key, MAX_KEY + 1);

    for (size_t i = 0; i < n; i++) name[i] = key[i] == '-' ? '_' : key[i];
    name[n] = '\0';
    *distance = INT_MAX;
    for (int k = 0; k < WF_SETTING_COUNT; k++) {
        int d = edit_distance(name, table[k].key);
        if (d < *distance) *distance = d, nearest = (wf_setting)k;
    }
    if (n > MAX_KEY && *distance == 0) *distance = 1;  // only its beginning was compared
    return nearest;
}

bool wf_setting_find(const char *key, wf_setting *out)
{
    int distance;
    wf_setting nearest = find_nearest(key, &distance);
    if (distance == 0) *out = nearest;
    return distance == 0;
}

weft_status wf_setting_fail_unknown(const char *where, const char *key)
{
    int distance;
    wf_setting nearest = find_nearest(key, &distance);
    size_t n = strlen(key);

    if (distance > (n < 4 ? 1 : n < 9 ? 2 : 3))
        return wf_fail(WEFT_INVALID, "%s: unknown key '%.80s'", where, key);
    return wf_fail(WEFT_INVALID, "%s: unknown key '%.80s', did you mean '%s'?", where, key,
                   table[nearest].key);
}

char wf_setting_form(wf_setting key)
{
    switch (table[key].type) {
    case SIZE:
    case INT: return 'i';
    case DOUBLE: return 'f';
    case BOOL: return 'b';
    case INTS: return 'I';
    case NAMES: return 'S';
    default: return 's';
    }
}

const char *wf_setting_allowed(wf_setting key)
{
    bool names = table[key].type == CHOICE || table[key].type == NAMES;
    return names ? table[key].allowed + (*table[key].allowed == '|') : NULL;
}

// The next piece of LIST up to SEPARATOR, spaces around it cut off; false at the end. Moves *LIST
// behind it.
static bool next_piece(const char **list, char separator, const char **piece, int *length)
{
    const char *start = *list, *end;

    if (!start) return false;
    end = strchr(start, separator);
    *list = end ? end + 1 : NULL;
    if (!end) end = start + strlen(start);
    while (*start == ' ') start++;
    while (end > start && end[-1] == ' ') end--;
    *piece = start;
    *length = (int)(end - start);
    return true;
}

static bool is_allowed(const char *allowed, const char *name, int length)
{
    const char *piece;
    int n;

    while (next_piece(&allowed, '|', &piece, &n))
        if (n == length && memcmp(piece, name, (size_t)n) == 0) return true;
    return false;
}

static weft_status parse_bool(const char *text, bool *out)
{
    if (is_allowed("true|yes|on|1|True|TRUE", text, (int)strlen(text))) *out = true;
    else if (is_allowed("false|no|off|0|False|FALSE", text, (int)strlen(text))) *out = false;
    else return wf_fail(WEFT_INVALID, "expected true or false, got '%.80s'", text);
    return WEFT_OK;
}

static weft_status check_least(wf_setting key, int64_t value, const char *text)
{
    int64_t least = *table[key].allowed == '1';

    if (value < least)
        return wf_fail(WEFT_INVALID, "expected at least %" PRId64 ", got '%.80s'", least, text);
    if (table[key].type == INT && value > INT_MAX)
        return wf_fail(WEFT_INVALID, "expected at most %d, got '%.80s'", INT_MAX, text);
    return WEFT_OK;
}

static weft_status parse_double(const char *text, double *out)
{
    double value;

    WF_TRY(wf_number_parse_f64(text, &value));
    if (!isfinite(value) || value < 0)
        return wf_fail(WEFT_INVALID, "expected a number from 0 up, got '%.80s'", text);
    *out = value;
    return WEFT_OK;
}

// An empty list is written as nothing.
static weft_status parse_ints(wf_setting key, const char *text, parsed *out)
{
    const char *rest = *text ? text : NULL, *piece;
    int length;

    while (next_piece(&rest, ',', &piece, &length)) {
        char number[WF_NUMBER_TEXT];
        int64_t value;

        if (out->count == MAX_INTS)
            return wf_fail(WEFT_INVALID, "expected at most %d integers, got '%.80s'", MAX_INTS,
                           text);
        if (length >= (int)sizeof number) length = (int)sizeof number - 1;
        memcpy(number, piece, (size_t)length);
        number[length] = '\0';
        WF_TRY(wf_number_parse_i64(number, &value));
        WF_TRY(check_least(key, value, number));
        out->ints[out->count++] = value;
    }
    return WEFT_OK;
}

static weft_status parse_names(wf_setting key, const char *text)
{
    const char *rest = *text ? text : NULL, *piece;
    int length;

    while (next_piece(&rest, ',', &piece, &length))
        if (!is_allowed(table[key].allowed, piece, length))
            return wf_fail(WEFT_INVALID, "expected names among %s, got '%.*s'", table[key].allowed,
                           length < 80 ? length : 80, piece);
    return WEFT_OK;
}

static weft_status parse_choice(wf_setting key, const char *text)
{
    const char *allowed = table[key].allowed;

    if (is_allowed(allowed, text, (int)strlen(text))) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "expected one of %s, got '%.80s'", allowed + (*allowed == '|'),
                   text);
}

static weft_status parse_value(wf_setting key, const char *text, parsed *out)
{
    switch (table[key].type) {
    case SIZE: WF_TRY(wf_number_parse_bytes(text, &out->i)); return check_least(key, out->i, text);
    case INT: WF_TRY(wf_number_parse_i64(text, &out->i)); return check_least(key, out->i, text);
    case DOUBLE: return parse_double(text, &out->f);
    case BOOL: return parse_bool(text, &out->b);
    case CHOICE: return parse_choice(key, text);
    case INTS: return parse_ints(key, text, out);
    case NAMES: return parse_names(key, text);
    case STRING: break;
    }
    return WEFT_OK;
}

weft_status wf_settings_create(wf_settings **out)
{
    wf_settings *s = wf_alloc(sizeof *s);

    if (!s) return WEFT_NO_MEMORY;
    for (int k = 0; k < WF_SETTING_COUNT; k++) {
        weft_status st = parse_value((wf_setting)k, table[k].initial, &s->value[k].parsed);
        WF_ASSERT(st == WEFT_OK);
    }
    *out = s;
    return WEFT_OK;
}

void wf_settings_destroy(wf_settings *settings)
{
    if (!settings) return;
    for (int k = 0; k < WF_SETTING_COUNT; k++) {
        wf_free(settings->value[k].text);
        wf_free(settings->value[k].origin);
    }
    wf_free(settings);
}

static weft_status set_value(wf_settings *s, wf_setting key, const char *value, const char *origin)
{
    setting_value made = { 0 };
    weft_status st = parse_value(key, value, &made.parsed);

    if (st != WEFT_OK)
        return wf_fail(st, "settings: %s: %s: %s", origin, table[key].key, wf_last_error());
    made.text = wf_strdup(value);
    made.origin = wf_strdup(origin);
    if (!made.text || !made.origin) {
        wf_free(made.text);
        wf_free(made.origin);
        return WEFT_NO_MEMORY;
    }
    wf_free(s->value[key].text);
    wf_free(s->value[key].origin);
    s->value[key] = made;
    return WEFT_OK;
}

weft_status wf_settings_set(wf_settings *settings, const char *key, const char *value,
                            const char *origin)
{
    wf_setting k;

    if (!wf_setting_find(key, &k)) {
        char where[400];
        snprintf(where, sizeof where, "settings: %s", origin);
        return wf_setting_fail_unknown(where, key);
    }
    return set_value(settings, k, value, origin);
}

weft_status wf_settings_set_i64(wf_settings *settings, wf_setting key, int64_t value,
                                const char *origin)
{
    char text[WF_NUMBER_TEXT];

    if (table[key].type == SIZE && value >= 0) wf_number_format_size(value, text);
    else snprintf(text, sizeof text, "%" PRId64, value);
    return set_value(settings, key, text, origin);
}

int64_t wf_settings_i64(const wf_settings *settings, wf_setting key)
{
    WF_ASSERT(table[key].type == SIZE || table[key].type == INT);
    return settings->value[key].parsed.i;
}

double wf_settings_f64(const wf_settings *settings, wf_setting key)
{
    WF_ASSERT(table[key].type == DOUBLE);
    return settings->value[key].parsed.f;
}

bool wf_settings_bool(const wf_settings *settings, wf_setting key)
{
    WF_ASSERT(table[key].type == BOOL);
    return settings->value[key].parsed.b;
}

const char *wf_settings_text(const wf_settings *settings, wf_setting key)
{
    const char *text = settings->value[key].text;
    return text ? text : table[key].initial;
}

int wf_settings_ints(const wf_settings *settings, wf_setting key, const int64_t **out)
{
    WF_ASSERT(table[key].type == INTS);
    *out = settings->value[key].parsed.ints;
    return settings->value[key].parsed.count;
}

bool wf_settings_names(const wf_settings *settings, wf_setting key, const char *name)
{
    const char *rest = wf_settings_text(settings, key), *piece;
    int length;

    WF_ASSERT(table[key].type == NAMES);
    while (next_piece(&rest, ',', &piece, &length))
        if ((int)strlen(name) == length && memcmp(piece, name, (size_t)length) == 0) return true;
    return false;
}

const char *wf_settings_origin(const wf_settings *settings, wf_setting key)
{
    const char *origin = settings->value[key].origin;
    return origin ? origin : "default";
}

// Quoted, so that no value can be read as anything but a string.
static void print_string(const char *value, wf_text *text)
{
    wf_text_add(text, "\"");
    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        if (*p == '"' || *p == '\\') wf_text_add(text, "\\%c", *p);
        else if (*p < ' ' || *p == 0x7F) wf_text_add(text, "\\x%02x", *p);
        else if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0)
            wf_text_add(text, "\\x%02x", *++p);  // C1 controls
        else if (*p == 0xEF && p[1] == 0xBB && p[2] == 0xBF) wf_text_add(text, "\\ufeff"), p += 2;
        else if (*p == 0xEF && p[1] == 0xBF && p[2] >= 0xBE)
            wf_text_add(text, "\\uff%02x", p[2] + 0x40), p += 2;
        else wf_text_add_bytes(text, p, 1);
    }
    wf_text_add(text, "\"");
}

// Whether VALUE is made of letters, digits and MARKS alone, so that YAML needs no quotes around it.
static bool is_plain(const char *value, const char *marks)
{
    for (const char *p = value; *p; p++)
        if (!(*p >= '0' && *p <= '9') && !((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') &&
            !strchr(marks, *p))
            return false;
    return true;
}

static void print_value(setting_type type, const char *value, wf_text *text)
{
    if ((type == INTS || type == NAMES) && is_plain(value, ", ")) wf_text_add(text, "[%s]", value);
    else if (type != STRING && *value && is_plain(value, "_.+-")) wf_text_add(text, "%s", value);
    else print_string(value, text);
}

void wf_settings_print(const wf_settings *settings, const char *const *note, wf_text *text)
{
    for (int k = 0; k < WF_SETTING_COUNT; k++) {
        int64_t start = text->length;

        wf_text_add(text, "%s: ", table[k].key);
        print_value(table[k].type, wf_settings_text(settings, (wf_setting)k), text);
        int column = (int)(text->length - start);
        wf_text_add(text, "%*s  # %s", column < 32 ? 32 - column : 0, "",
                    wf_settings_origin(settings, (wf_setting)k));
        wf_text_add(text, note && note[k] ? ": %s\n" : "\n", note ? note[k] : "");
    }
}
