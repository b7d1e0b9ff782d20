// SPDX-License-Identifier: Apache-2.0
// settings_load - settings from YAML files, from the environment and from the program, each value
// with its place.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"

extern char **environ;

#define MAX_FILE (1 << 20)  // a settings file of more bytes is none

#ifdef WF_HAVE_YAML
#include <yaml.h>

typedef struct reader {
    yaml_parser_t parser;
    yaml_event_t event;  // the current one; deleted by the next read and at the end
    const char *name;
    wf_settings *settings;
} reader;

static unsigned line_of(const reader *r) { return (unsigned)r->event.start_mark.line + 1; }

static weft_status fail_here(const reader *r, const char *expected)
{
    return wf_fail(WEFT_FORMAT, "settings: %s line %u: expected %s", r->name, line_of(r), expected);
}

static weft_status read_event(reader *r)
{
    yaml_event_delete(&r->event);
    memset(&r->event, 0, sizeof r->event);
    if (yaml_parser_parse(&r->parser, &r->event)) return WEFT_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return wf_fail(WEFT_NO_MEMORY, "settings: %s: out of host memory", r->name);
    return wf_fail(WEFT_FORMAT, "settings: %s line %u: %s", r->name,
                   (unsigned)r->parser.problem_mark.line + 1,
                   r->parser.problem ? r->parser.problem : "not YAML");
}

// Appends the current scalar, which must have no NUL inside.
static weft_status add_scalar(reader *r, wf_text *text)
{
    const char *value = (const char *)r->event.data.scalar.value;
    size_t length = r->event.data.scalar.length;

    if (memchr(value, 0, length)) return fail_here(r, "text, got a NUL byte");
    wf_text_add_bytes(text, value, length);
    return wf_text_status(text);
}

static weft_status read_list(reader *r, wf_text *value)
{
    for (bool first = true;; first = false) {
        WF_TRY(read_event(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) return WEFT_OK;
        if (r->event.type != YAML_SCALAR_EVENT) return fail_here(r, "a list of plain values");
        if (!first) wf_text_add_bytes(value, ",", 1);
        WF_TRY(add_scalar(r, value));
    }
}

static weft_status read_value(reader *r, wf_text *value)
{
    WF_TRY(read_event(r));
    wf_text_add_bytes(value, "", 0);  // an empty list is an empty text, not NULL
    switch (r->event.type) {
    case YAML_SCALAR_EVENT: return add_scalar(r, value);
    case YAML_SEQUENCE_START_EVENT: return read_list(r, value);
    default: return fail_here(r, "'key: value' or 'key: [a, b]', without nesting or aliases");
    }
}

// One "key: value", the key being the current event.
static weft_status read_pair(reader *r, wf_text *key, wf_text *value)
{
    char origin[300];

    if (r->event.type != YAML_SCALAR_EVENT) return fail_here(r, "a key");
    snprintf(origin, sizeof origin, "%s line %u", r->name, line_of(r));
    WF_TRY(add_scalar(r, key));
    WF_TRY(read_value(r, value));
    WF_TRY(wf_text_status(key));
    WF_TRY(wf_text_status(value));
    return wf_settings_set(r->settings, key->data, value->data, origin);
}

static weft_status read_mapping(reader *r)
{
    for (;;) {
        wf_text key = { 0 }, value = { 0 };

        WF_TRY(read_event(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) return WEFT_OK;
        weft_status st = read_pair(r, &key, &value);
        wf_text_fini(&key);
        wf_text_fini(&value);
        WF_TRY(st);
    }
}

// One document that is a mapping, or nothing at all.
static weft_status read_stream(reader *r)
{
    WF_TRY(read_event(r));  // the stream's start
    WF_TRY(read_event(r));
    if (r->event.type == YAML_STREAM_END_EVENT) return WEFT_OK;
    WF_TRY(read_event(r));
    if (r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0)
        return WEFT_OK;  // "---" alone
    if (r->event.type != YAML_MAPPING_START_EVENT) return fail_here(r, "lines of 'key: value'");
    WF_TRY(read_mapping(r));
    WF_TRY(read_event(r));  // the document's end
    WF_TRY(read_event(r));
    return r->event.type == YAML_STREAM_END_EVENT ? WEFT_OK
                                                  : fail_here(r, "one document, got a second");
}

weft_status wf_settings_parse_yaml(wf_settings *settings, const char *name, const char *text,
                                   size_t n)
{
    reader r = { .name = name, .settings = settings };

    if (!yaml_parser_initialize(&r.parser))
        return wf_fail(WEFT_NO_MEMORY, "settings: %s: out of host memory", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    weft_status st = read_stream(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return st;
}

#else

weft_status wf_settings_parse_yaml(wf_settings *settings, const char *name, const char *text,
                                   size_t n)
{
    (void)settings, (void)text, (void)n;
    return wf_fail(WEFT_UNSUPPORTED, "settings: reading %s needs libyaml, which this build lacks",
                   name);
}

#endif

static weft_status read_open_file(FILE *file, const char *path, wf_settings *settings)
{
    char *text = wf_alloc(MAX_FILE + 1);
    if (!text) return WEFT_NO_MEMORY;

    size_t n = fread(text, 1, MAX_FILE + 1, file);
    weft_status st;
    if (ferror(file)) st = wf_fail_errno(errno, "settings: %s", path);
    else if (n > MAX_FILE)
        st = wf_fail(WEFT_FORMAT, "settings: %s: expected a file of at most 1 MiB", path);
    else st = wf_settings_parse_yaml(settings, path, text, n);
    wf_free(text);
    return st;
}

weft_status wf_settings_read_file(wf_settings *settings, const char *path, bool required)
{
    FILE *file = fopen(path, "re");

    if (!file) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        return absent && !required ? WEFT_OK : wf_fail_errno(errno, "settings: %s", path);
    }
    weft_status st = read_open_file(file, path, settings);
    fclose(file);
    return st;
}

// Variables that are no settings: the file's name, and what the scripts of a source tree pass to
// each other.
static bool is_foreign(const char *name)
{
    static const char *const prefixes[] = { "CONFIG=", "SOURCE_DIR=", "BINARY_DIR=", "COMMAND=",
                                            "DEV_",    "BENCH_",      "CI_" };

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

// ENTRY is "WEFT_NAME=value".
static weft_status parse_variable(wf_settings *settings, const char *entry)
{
    char key[64], origin[sizeof key + 5];
    const char *name = entry + 5, *equals = strchr(name, '=');

    if (!equals || equals[1] == '\0' || is_foreign(name)) return WEFT_OK;
    size_t length = (size_t)(equals - name);
    if (length >= sizeof key) length = sizeof key - 1;
    for (size_t i = 0; i < length; i++)
        key[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    key[length] = '\0';
    snprintf(origin, sizeof origin, "%.*s", (int)length + 5, entry);
    return wf_settings_set(settings, key, equals + 1, origin);
}

weft_status wf_settings_parse_env(wf_settings *settings, char *const *env)
{
    for (; env && *env; env++)
        if (strncmp(*env, "WEFT_", 5) == 0) WF_TRY(parse_variable(settings, *env));
    return WEFT_OK;
}

static weft_status read_user_file(wf_settings *settings)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool has_config = config && *config == '/';

    if (!has_config && !(home && *home == '/')) return WEFT_OK;
    char *path =
        has_config ? wf_format("%s/weft.yaml", config) : wf_format("%s/.config/weft.yaml", home);
    if (!path) return WEFT_NO_MEMORY;
    weft_status st = wf_settings_read_file(settings, path, false);
    wf_free(path);
    return st;
}

static weft_status load_all(wf_settings *settings, int n, const wf_setting_override *overrides)
{
    const char *tmp = getenv("TMPDIR"), *config = getenv("WEFT_CONFIG");

    if (tmp && *tmp) WF_TRY(wf_settings_set(settings, "spill_dir", tmp, "TMPDIR"));
    WF_TRY(wf_settings_read_file(settings, "/etc/weft.yaml", false));
    WF_TRY(read_user_file(settings));
    if (config && *config) WF_TRY(wf_settings_read_file(settings, config, true));
    WF_TRY(wf_settings_parse_env(settings, environ));
    for (int i = 0; i < n; i++)
        if (overrides[i].value)
            WF_TRY(wf_settings_set(settings, overrides[i].key, overrides[i].value,
                                   overrides[i].origin));
    return WEFT_OK;
}

weft_status wf_settings_load(int n, const wf_setting_override *overrides, wf_settings **out)
{
    wf_settings *settings;

    WF_TRY(wf_settings_create(&settings));
    weft_status st = load_all(settings, n, overrides);
    if (st != WEFT_OK) {
        wf_settings_destroy(settings);
        return st;
    }
    *out = settings;
    return WEFT_OK;
}
