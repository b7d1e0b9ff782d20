// SPDX-License-Identifier: Apache-2.0
// session - opening and closing: options to settings, the engine, and the order in which everything
// that a session owns goes.
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "api/session.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/number.h"

enum { PLAN_CACHE = 256, LEAST_MEMORY = 64 << 10 };

// --- fork ---

static atomic_uint_fast64_t forks;  // of this process's line, counted in the child

static void count_fork(void) { atomic_fetch_add(&forks, 1); }

static void watch_forks(void) { pthread_atfork(NULL, NULL, count_fork); }

bool wf_forked_since(uint64_t then)
{
    return atomic_load_explicit(&forks, memory_order_relaxed) != then;
}

weft_status wf_session_check(const char *where, const weft_session *session)
{
    if (!session) return wf_null_status(where, "session");
    if (!atomic_load_explicit(&session->open, memory_order_relaxed))
        return wf_fail(WEFT_CLOSED, "%s: this session is closed", where);
    if (wf_forked_since(session->forks))
        return wf_fail(
            WEFT_CLOSED,
            "%s: this session belongs to the parent process; a child made by fork cannot use it",
            where);
    return WEFT_OK;
}

// --- settings ---

enum { NFIELDS = 6, MAX_TEXT_SETTINGS = 64 };

typedef struct override_list {
    int n;
    wf_setting_override item[NFIELDS + MAX_TEXT_SETTINGS];
    char number[4][WF_NUMBER_TEXT];
    wf_text blocks;
    char *text;  // of .settings, cut into keys and values
} override_list;

static void add_override(override_list *list, const char *key, const char *value,
                         const char *origin)
{
    list->item[list->n++] = (wf_setting_override){ key, value, origin };
}

static void add_number(override_list *list, int slot, const char *key, int64_t value)
{
    snprintf(list->number[slot], sizeof list->number[slot], "%" PRId64, value);
    if (value) add_override(list, key, list->number[slot], "weft_options");
}

static weft_status add_blocks(override_list *list, const weft_options *opts)
{
    if (opts->nblocks < 0 || opts->nblocks > WEFT_MAX_NDIM)
        return wf_fail(WEFT_INVALID, "open: .nblocks must be 0 to %d, got %d", WEFT_MAX_NDIM,
                       opts->nblocks);
    if (opts->nblocks == 0) return WEFT_OK;
    if (!opts->blocks)
        return wf_fail(WEFT_INVALID, "open: .nblocks is %d but .blocks is NULL", opts->nblocks);
    for (int i = 0; i < opts->nblocks; i++) {
        if (opts->blocks[i] < 1)
            return wf_fail(WEFT_INVALID, "open: .blocks[%d] must be >= 1, got %" PRId64, i,
                           opts->blocks[i]);
        wf_text_add(&list->blocks, "%s%" PRId64, i ? "," : "", opts->blocks[i]);
    }
    WF_TRY(wf_text_status(&list->blocks));
    add_override(list, "blocks", list->blocks.data, "weft_options");
    return WEFT_OK;
}

static char *trim(char *text)
{
    text += strspn(text, " \t\n");
    for (char *end = text + strlen(text); end > text && strchr(" \t\n", end[-1]);) *--end = '\0';
    return text;
}

// Cuts "key=value", or "--key=value" and "--set key=value" as on the command line, which are then the
// origin of the value.
static weft_status add_item(override_list *list, char *item)
{
    const char *origin = "weft_options.settings";
    char *key = item, *equals = strchr(item, '=');

    if (!equals)
        return wf_fail(WEFT_INVALID, "open: .settings: expected key=value, got '%s'", item);
    *equals = '\0';
    if (strncmp(item, "--", 2) == 0) {
        char *space = strchr(item, ' ');
        origin = item;
        key = space ? space + 1 : item + 2;
        if (space) *space = '\0';
    }
    add_override(list, trim(key), trim(equals + 1), origin);
    return WEFT_OK;
}

// "key=value; key=value"
static weft_status add_text(override_list *list, const char *settings)
{
    if (!settings) return WEFT_OK;
    list->text = wf_strdup(settings);
    if (!list->text) return WEFT_NO_MEMORY;
    int count = 0;
    for (char *rest = list->text, *item; (item = strsep(&rest, ";"));) {
        item = trim(item);
        if (!*item) continue;
        if (++count > MAX_TEXT_SETTINGS)
            return wf_fail(WEFT_INVALID, "open: .settings: more than %d entries",
                           MAX_TEXT_SETTINGS);
        WF_TRY(add_item(list, item));
    }
    return WEFT_OK;
}

static weft_status add_fields(override_list *list, const weft_options *opts)
{
    if (opts->memory_limit < 0)
        return wf_fail(WEFT_INVALID, "open: .memory_limit must be >= 0 bytes, got %" PRId64,
                       opts->memory_limit);
    if (opts->workers < 0)
        return wf_fail(WEFT_INVALID, "open: .workers must be >= 0, got %d", opts->workers);
    if (opts->threads < 0)
        return wf_fail(WEFT_INVALID, "open: .threads must be >= 0, got %d", opts->threads);
    if (opts->scheduler) add_override(list, "scheduler", opts->scheduler, "weft_options");
    if (opts->scheduler_file)
        add_override(list, "scheduler_file", opts->scheduler_file, "weft_options");
    if (opts->devices) add_override(list, "devices", opts->devices, "weft_options");
    add_number(list, 0, "memory_limit", opts->memory_limit);
    add_number(list, 1, "workers", opts->workers);
    add_number(list, 2, "threads", opts->threads);
    return WEFT_OK;
}

weft_status wf_session_settings(const weft_options *opts, wf_settings **out)
{
    WF_TRY(WF_CHECK_TAIL("open", opts));
    if (!opts) return wf_settings_load(0, NULL, out);

    override_list *list = wf_alloc(sizeof *list);
    if (!list) return WEFT_NO_MEMORY;
    weft_status st = add_text(list, opts->settings);  // the fields are said more plainly, and win
    if (st == WEFT_OK) st = add_fields(list, opts);
    if (st == WEFT_OK) st = add_blocks(list, opts);
    if (st == WEFT_OK) st = wf_settings_load(list->n, list->item, out);
    wf_text_fini(&list->blocks);
    wf_free(list->text);
    wf_free(list);
    return st;
}

static weft_status refuse_cluster(const wf_settings *settings)
{
    if (*wf_settings_text(settings, WF_SETTING_SCHEDULER) ||
        *wf_settings_text(settings, WF_SETTING_SCHEDULER_FILE))
        return wf_fail(WEFT_UNSUPPORTED,
                       "open: connecting to a scheduler is not supported by this version");
    if (wf_settings_i64(settings, WF_SETTING_WORKERS) > 0)
        return wf_fail(WEFT_UNSUPPORTED,
                       "open: workers in processes of their own are not supported by this version");
    return WEFT_OK;
}

// --- places ---

// Sessions lie in places that are never freed and are used in turn, so that a closed one is known as
// closed until as many more have been opened. A program with more at once has the rest on the heap.
enum { PLACES = 64 };
static weft_session place[PLACES];
static atomic_bool place_taken[PLACES];

static weft_session *take_place(void)
{
    static atomic_uint next;

    for (int tries = 0; tries < PLACES; tries++) {
        unsigned i = atomic_fetch_add(&next, 1) % PLACES;
        if (atomic_exchange(&place_taken[i], true)) continue;
        memset(&place[i], 0, sizeof place[i]);
        return &place[i];
    }
    weft_session *s = wf_alloc(sizeof *s);
    if (s) s->on_heap = true;
    return s;
}

static void leave_place(weft_session *s)
{
    if (s->on_heap) wf_free(s);
    else atomic_store(&place_taken[s - place], false);
}

// --- open and close ---

static uint64_t draw_entropy(void)
{
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits) {
        int64_t now[2] = { wf_clock_ns(), getpid() };
        bits = wf_hash_bytes(0, now, sizeof now);
    }
    return bits >> 1 | 1;  // never 0, and no larger than what int64 settings and files can say
}

static weft_status init_session(weft_session *s, const weft_options *opts)
{
    static atomic_uint_fast64_t last_id;
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    s->id = atomic_fetch_add(&last_id, 1) + 1;
    s->forks = atomic_load(&forks);
    wf_mutex_init(&s->plan_lock);
    wf_mutex_init(&s->scope_lock);
    wf_mutex_init(&s->request_lock);
    for (int i = 0; i < WF_LIST_LOCKS; i++) wf_mutex_init(&s->list_lock[i]);
    s->cache.capacity = PLAN_CACHE;
    s->entropy = draw_entropy();

    WF_TRY(wf_session_settings(opts, &s->settings));
    WF_TRY(refuse_cluster(s->settings));
    s->check = wf_settings_bool(s->settings, WF_SETTING_CHECK);
    unsigned disabled;
    WF_TRY(wf_pass_parse(wf_settings_text(s->settings, WF_SETTING_DISABLE), &disabled));
    WF_TRY(wf_engine_create(s->settings, &s->engine));
    wf_engine_disable_passes(s->engine, disabled);
    if (wf_session_plan_options(s)->budget < LEAST_MEMORY)
        return wf_fail(WEFT_NO_MEMORY,
                       "open: expected a memory limit of at least %d bytes, got %" PRId64,
                       LEAST_MEMORY, wf_session_plan_options(s)->budget);
    return WEFT_OK;
}

static void free_list(wf_array_list *list, bool husks)
{
    while (list->first) {
        weft_array *x = list->first;
        wf_list_remove(x);
        if (husks) {
            if (x->grid) wf_grid_fini(x->grid);
            wf_free(x->grid);
            x->grid = NULL;
            wf_node_release(x->node);
            x->node = NULL;
            x->session = NULL;
            x->state = WF_ARRAY_HUSK;
        } else {
            x->session->check = false;  // really free
            wf_array_free(x);
        }
    }
}

static void free_quarantine(wf_array_list *list)
{
    while (list->first) {
        weft_array *x = list->first;
        wf_list_remove(x);
        wf_free(x->freed_label);
        wf_free(x);
    }
}

// Accepts a session half made.
static void destroy_session(weft_session *s)
{
    wf_requests_close(s);
    s->check = false;
    wf_scopes_free(s);
    free_list(&s->arrays, false);
    free_list(&s->detached, true);
    free_quarantine(&s->freed);
    while (s->owned) {
        wf_owned *owned = s->owned;
        wf_session_disown(s, owned);
        owned->destroy(owned);
    }
    wf_plan_cache_fini(&s->cache);
    wf_outline_fini(&s->outline);
    wf_engine_destroy(s->engine);
    wf_settings_destroy(s->settings);
    for (int i = 0; i < WF_LIST_LOCKS; i++) wf_mutex_fini(&s->list_lock[i]);
    wf_mutex_fini(&s->request_lock);
    wf_mutex_fini(&s->scope_lock);
    wf_mutex_fini(&s->plan_lock);
    atomic_store(&s->open, false);
    leave_place(s);
}

weft_session *weft_open(const weft_options *opts)
{
    weft_session *s = take_place();
    if (!s) return (void)wf_pend(), NULL;
    if (init_session(s, opts) == WEFT_OK) {
        atomic_store(&s->open, true);
        return s;
    }
    wf_pend();
    destroy_session(s);
    return NULL;
}

weft_status weft_close(weft_session *session)
{
    wf_pending_clear();
    if (!session) return WEFT_OK;
    WF_TRY(wf_session_check("close", session));
    WF_TRY(wf_callback_refuse("close"));
    destroy_session(session);
    return WEFT_OK;
}

void wf_session_own(weft_session *session, wf_owned *owned, void (*destroy)(wf_owned *))
{
    owned->destroy = destroy;
    wf_mutex_lock(&session->scope_lock);
    owned->prev = NULL;
    owned->next = session->owned;
    if (owned->next) owned->next->prev = owned;
    session->owned = owned;
    wf_mutex_unlock(&session->scope_lock);
}

void wf_session_disown(weft_session *session, wf_owned *owned)
{
    wf_mutex_lock(&session->scope_lock);
    if (owned->prev) owned->prev->next = owned->next;
    else session->owned = owned->next;
    if (owned->next) owned->next->prev = owned->prev;
    wf_mutex_unlock(&session->scope_lock);
}

// For tests that take a device away.
wf_engine *wf_session_engine(weft_session *session) { return session->engine; }
