// SPDX-License-Identifier: Apache-2.0
// spill - the disk tier: one nameless file, cut into granules of 64 KiB that a bitmap hands out.
// Any thread may call; the lock guards the bitmap, the buffers and the figures, never a transfer.
//
// An extent is a run of granules that holds one write, in chunks: each with its own checksum, its
// own start (a multiple of the page size, which direct I/O wants) and its own choice of raw or LZ4.
// Raw writes from aligned memory go out in one call without a copy; all else passes through a
// staging buffer of a few MiB. The index stays in memory: the file without its process is worth
// nothing.
//
// Freeing an extent cannot fail because the bitmap never grows there: that is why it is no list of
// holes.
#include "memory/spill.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef WF_HAVE_LZ4
#include <lz4.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/machine.h"
#include "base/thread.h"

enum {
    PAGE = 4096,
    GRANULE = 65536,
    STAGE_BYTES = 5 << 20,  // writes of 4 MiB and what one more chunk needs
    FLUSH_BYTES = 4 << 20,
    SAMPLE_BYTES = 65536,
    MAX_STAGES = 2,  // kept when nobody uses them
};
#define HASH_SEED UINT64_C(0x77656674)

typedef struct chunk {
    uint64_t sum;     // of the raw bytes
    uint32_t page;    // where it starts, in pages from the start of the extent
    uint32_t stored;  // bytes on disk; the raw length when not compressed
} chunk;

struct wf_extent {
    atomic_int refs;
    bool plain;  // no chunk is compressed: chunks lie as in memory
    int64_t granule, ngranules;
    int64_t bytes, chunk_bytes, nchunk;
    chunk chunk[];
};

// A buffer aligned for direct I/O. RAW holds one chunk as it is in memory, OUT what goes to disk.
typedef struct stage {
    struct stage *next;
    char *raw, *out;
} stage;

struct wf_spill {
    char *dir;
    bool is_memory;
    wf_mutex lock;
    int fd;  // -1 until the first write
    atomic_bool direct;
    uint64_t *taken;   // one bit per granule
    int64_t capacity;  // words of TAKEN
    int64_t end;       // granules: the length of the file
    int64_t hint;      // no free granule lies below it
    int64_t used;      // granules
    stage *free_stages;
    int nstages;  // in free_stages
    wf_spill_compress compress;
    double write_ns;  // per byte, smoothed
    atomic_int_fast64_t bytes_written, bytes_read;
};

// --- buffers ---

static void stage_destroy(stage *stage) { wf_free(stage); }

// One heap object holds the structure and both buffers.
static weft_status stage_take(wf_spill *spill, stage **out)
{
    wf_mutex_lock(&spill->lock);
    stage *got = spill->free_stages;
    if (got) {
        spill->free_stages = got->next;
        spill->nstages--;
    }
    wf_mutex_unlock(&spill->lock);
    if (!got) {
        got = wf_alloc(sizeof *got + PAGE + (size_t)WF_SPILL_CHUNK + STAGE_BYTES);
        if (!got) return WEFT_NO_MEMORY;
        got->raw = (char *)(((uintptr_t)(got + 1) + PAGE - 1) / PAGE * PAGE);
        got->out = got->raw + WF_SPILL_CHUNK;
    }
    *out = got;
    return WEFT_OK;
}

static void stage_give(wf_spill *spill, stage *given)
{
    wf_mutex_lock(&spill->lock);
    const bool keep = spill->nstages < MAX_STAGES;
    if (keep) {
        given->next = spill->free_stages;
        spill->free_stages = given;
        spill->nstages++;
    }
    wf_mutex_unlock(&spill->lock);
    if (!keep) stage_destroy(given);
}

// --- the file ---

// Opens a file that has no name, or loses it at once. The name it has for a moment is of the
// process and the store.
static int open_nameless(const wf_spill *spill, int flags)
{
    int fd = -1;
#ifdef O_TMPFILE
    fd = open(spill->dir, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
#endif
    char *path = wf_format("%s/weft-spill-%ld-%p", spill->dir, (long)getpid(), (const void *)spill);
    if (!path) {
        errno = ENOMEM;
        return -1;
    }
    fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | flags, 0600);
    const int err = errno;
    if (fd >= 0 || err == EINVAL) unlink(path);  // O_DIRECT may be refused after the file was made
    wf_free(path);
    errno = err;
    return fd;
}

static weft_status open_locked(wf_spill *spill)
{
    if (spill->fd >= 0) return WEFT_OK;
    bool direct = true;
    int fd = open_nameless(spill, O_DIRECT);
    if (fd < 0 && errno == EINVAL) {
        direct = false;
        fd = open_nameless(spill, 0);
    }
    if (fd < 0) return wf_fail_errno(errno, "spill: cannot make a file in '%s'", spill->dir);
    spill->fd = fd;
    atomic_store(&spill->direct, direct);
    return WEFT_OK;
}

// Some file systems take O_DIRECT at open and refuse it at the first transfer: true once per
// transfer, to try again without.
// (Another thread may have left it already.)
static bool leave_direct(wf_spill *spill, int *retries)
{
    if (errno != EINVAL || (*retries)++ > 0) return false;
    const int flags = fcntl(spill->fd, F_GETFL);
    atomic_store(&spill->direct, false);
    return fcntl(spill->fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

// Keeps what was transferred out of the page cache, where direct I/O could not.
static void drop_cache(wf_spill *spill, int64_t offset, int64_t bytes, bool written)
{
    if (atomic_load_explicit(&spill->direct, memory_order_relaxed)) return;
    if (written)
        (void)sync_file_range(spill->fd, offset, bytes,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
    (void)posix_fadvise(spill->fd, offset, bytes, POSIX_FADV_DONTNEED);
}

static weft_status write_all(wf_spill *spill, int64_t offset, const char *data, int64_t bytes)
{
    const int64_t start = offset, total = bytes, begin = wf_clock_ns();
    int retries = 0;

    while (bytes > 0) {
        const ssize_t n =
            pwrite(spill->fd, data, (size_t)(bytes < 1 << 30 ? bytes : 1 << 30), offset);
        if (n > 0) {
            offset += n;
            data += n;
            bytes -= n;
        } else if (n == 0 || (errno != EINTR && !leave_direct(spill, &retries))) {
            return wf_fail_errno(n == 0 ? ENOSPC : errno,
                                 "spill: cannot write %" PRId64 " bytes to '%s'", total,
                                 spill->dir);
        }
    }
    drop_cache(spill, start, total, true);
    atomic_fetch_add_explicit(&spill->bytes_written, total, memory_order_relaxed);
    const double ns = (double)(wf_clock_ns() - begin) / (double)total;
    wf_mutex_lock(&spill->lock);
    spill->write_ns += (ns - spill->write_ns) / 8;
    wf_mutex_unlock(&spill->lock);
    return WEFT_OK;
}

// Fewer bytes than asked for is damage: the file was ours and was long enough.
static weft_status read_all(wf_spill *spill, int64_t offset, char *out, int64_t bytes)
{
    const int64_t start = offset, total = bytes;
    int retries = 0;

    while (bytes > 0) {
        const ssize_t n =
            pread(spill->fd, out, (size_t)(bytes < 1 << 30 ? bytes : 1 << 30), offset);
        if (n > 0) {
            offset += n;
            out += n;
            bytes -= n;
        } else if (n == 0) {
            return wf_fail(WEFT_LOST,
                           "spill: the file in '%s' ends at byte %" PRId64 ", expected %" PRId64
                           " more",
                           spill->dir, offset, bytes);
        } else if (errno != EINTR && !leave_direct(spill, &retries)) {
            return wf_fail_errno(errno, "spill: cannot read %" PRId64 " bytes from '%s'", total,
                                 spill->dir);
        }
    }
    drop_cache(spill, start, total, false);
    atomic_fetch_add_explicit(&spill->bytes_read, total, memory_order_relaxed);
    return WEFT_OK;
}

// --- granules ---

static bool is_taken(const wf_spill *spill, int64_t granule)
{
    return spill->taken[granule / 64] >> (granule % 64) & 1;
}

static void mark(wf_spill *spill, int64_t granule, int64_t n, bool taken)
{
    for (int64_t i = granule; i < granule + n; i++)
        if (taken) spill->taken[i / 64] |= UINT64_C(1) << (i % 64);
        else spill->taken[i / 64] &= ~(UINT64_C(1) << (i % 64));
    spill->used += taken ? n : -n;
}

// The first run of N free granules; its start may be so near the end that the file must grow for
// it.
static int64_t find_granules(wf_spill *spill, int64_t n)
{
    int64_t start = -1, first_free = -1;

    for (int64_t i = spill->hint; i < spill->end; i++) {
        if (i % 64 == 0 && spill->taken[i / 64] == UINT64_MAX) {
            i += 63;
            start = -1;
        } else if (is_taken(spill, i)) {
            start = -1;
        } else {
            if (start < 0) start = i;
            if (first_free < 0) spill->hint = first_free = i;
            if (i - start + 1 == n) return start;
        }
    }
    if (first_free < 0) spill->hint = spill->end;
    return start >= 0 ? start : spill->end;
}

static weft_status take_granules(wf_spill *spill, int64_t n, int64_t *out)
{
    wf_mutex_lock(&spill->lock);
    weft_status st = open_locked(spill);
    const int64_t granule = st == WEFT_OK ? find_granules(spill, n) : 0;
    if (st == WEFT_OK)
        st =
            wf_grow(&spill->taken, &spill->capacity, (granule + n + 63) / 64, sizeof *spill->taken);
    if (st == WEFT_OK) {
        // Words past the old end may be fresh from the heap.
        for (; spill->end < granule + n; spill->end++)
            spill->taken[spill->end / 64] &= ~(UINT64_C(1) << (spill->end % 64));
        mark(spill, granule, n, true);
        *out = granule;
    }
    wf_mutex_unlock(&spill->lock);
    return st;
}

static void give_granules(wf_spill *spill, int64_t granule, int64_t n)
{
    if (n == 0) return;
    wf_mutex_lock(&spill->lock);
    mark(spill, granule, n, false);
    if (granule < spill->hint) spill->hint = granule;
    wf_mutex_unlock(&spill->lock);
}

// --- writing ---

typedef struct writer {
    wf_spill *spill;
    const wf_spill_source *source;
    wf_extent *extent;
    stage *stage;
    int64_t written;  // bytes of the extent that are on disk
    int64_t filled;   // bytes in stage->out, a multiple of PAGE
    bool compress;
} writer;

static int64_t extent_offset(const wf_extent *extent) { return extent->granule * GRANULE; }

static int64_t chunk_length(const wf_extent *extent, int64_t i)
{
    const int64_t left = extent->bytes - i * extent->chunk_bytes;
    return left < extent->chunk_bytes ? left : extent->chunk_bytes;
}

static weft_status flush(writer *w)
{
    if (w->filled == 0) return WEFT_OK;
    WF_TRY(write_all(w->spill, extent_offset(w->extent) + w->written, w->stage->out, w->filled));
    w->written += w->filled;
    w->filled = 0;
    return WEFT_OK;
}

// Puts LENGTH bytes at RAW behind what is staged, compressed if that saves a page; gives the bytes
// they take.
static int64_t pack(writer *w, const char *raw, int64_t length)
{
    char *out = w->stage->out + w->filled;
#ifdef WF_HAVE_LZ4
    if (w->compress && length > PAGE) {
        const int n = LZ4_compress_default(raw, out, (int)length, (int)(length - PAGE));
        if (n > 0) return n;
    }
#endif
    memcpy(out, raw, (size_t)length);
    return length;
}

static weft_status write_chunk(writer *w, int64_t i)
{
    const int64_t length = chunk_length(w->extent, i), offset = i * w->extent->chunk_bytes;
    const char *raw = w->source->data ? (const char *)w->source->data + offset : NULL;
    chunk *entry = &w->extent->chunk[i];

    if (!w->source->data) {
        raw = w->stage->raw;
        WF_TRY(w->source->fetch(w->source->context, offset, length, w->stage->raw));
    }
    entry->sum = wf_hash_bytes(HASH_SEED, raw, (size_t)length);
    entry->page = (uint32_t)((w->written + w->filled) / PAGE);
    const int64_t stored = pack(w, raw, length);
    entry->stored = (uint32_t)stored;
    const int64_t padded = (stored + PAGE - 1) / PAGE * PAGE;
    memset(w->stage->out + w->filled + stored, 0, (size_t)(padded - stored));
    w->filled += padded;
    if (stored < length) w->extent->plain = false;
    return w->filled >= FLUSH_BYTES ? flush(w) : WEFT_OK;
}

// All whole pages in one call straight from the caller's memory; the rest of the last page through
// the buffer.
static weft_status write_direct(writer *w)
{
    const char *data = w->source->data;
    const int64_t whole = w->extent->bytes / PAGE * PAGE, rest = w->extent->bytes - whole;

    for (int64_t i = 0; i < w->extent->nchunk; i++)
        w->extent->chunk[i] = (chunk){
            .sum = wf_hash_bytes(HASH_SEED, data + i * w->extent->chunk_bytes,
                                 (size_t)chunk_length(w->extent, i)),
            .page = (uint32_t)(i * w->extent->chunk_bytes / PAGE),
            .stored = (uint32_t)chunk_length(w->extent, i),
        };
    if (whole > 0) WF_TRY(write_all(w->spill, extent_offset(w->extent), data, whole));
    w->written = whole;
    if (rest == 0) return WEFT_OK;
    memcpy(w->stage->out, data + whole, (size_t)rest);
    memset(w->stage->out + rest, 0, (size_t)(PAGE - rest));
    w->filled = PAGE;
    return flush(w);
}

// Whether LZ4 saves time: its speed and ratio on a sample from the middle against how fast the disk
// has been.
static bool pays_to_compress(writer *w)
{
    bool pays = w->spill->compress == WF_COMPRESS_ALWAYS;
#ifdef WF_HAVE_LZ4
    if (w->spill->compress != WF_COMPRESS_AUTO || w->extent->bytes < 4 * SAMPLE_BYTES) return pays;
    const int64_t at = w->extent->bytes / 2 / PAGE * PAGE;
    const char *sample = w->stage->raw;
    if (w->source->data) sample = (const char *)w->source->data + at;
    else if (w->source->fetch(w->source->context, at, SAMPLE_BYTES, w->stage->raw) != WEFT_OK)
        return false;
    const int64_t begin = wf_clock_ns();
    const int n = LZ4_compress_default(sample, w->stage->out, SAMPLE_BYTES, SAMPLE_BYTES);
    const double ns = (double)(wf_clock_ns() - begin) / SAMPLE_BYTES,
                 ratio = n > 0 ? (double)n / SAMPLE_BYTES : 1;
    wf_mutex_lock(&w->spill->lock);
    const double disk = w->spill->write_ns;
    wf_mutex_unlock(&w->spill->lock);
    pays = ratio < 0.8 && ns + ratio * disk < disk;
#endif
    return pays;
}

static weft_status write_extent(writer *w)
{
    const bool aligned = w->source->data && (uintptr_t)w->source->data % PAGE == 0;

    w->compress = pays_to_compress(w);
    if (aligned && !w->compress) return write_direct(w);
    for (int64_t i = 0; i < w->extent->nchunk; i++) WF_TRY(write_chunk(w, i));
    return flush(w);
}

weft_status wf_spill_write(wf_spill *spill, const wf_spill_source *source, int64_t bytes,
                           int64_t chunk_bytes, wf_extent **out)
{
    WF_ASSERT(bytes >= 1 && chunk_bytes % PAGE == 0 && chunk_bytes >= PAGE &&
              chunk_bytes <= WF_SPILL_CHUNK);
    const int64_t nchunk = (bytes + chunk_bytes - 1) / chunk_bytes;
    writer w = { .spill = spill, .source = source };
    weft_status st = WEFT_OK;

    w.extent = wf_alloc(sizeof *w.extent + (size_t)nchunk * sizeof(chunk));
    if (!w.extent) return WEFT_NO_MEMORY;
    w.extent->bytes = bytes;
    w.extent->chunk_bytes = chunk_bytes;
    w.extent->nchunk = nchunk;
    w.extent->plain = true;
    w.extent->ngranules = (bytes + GRANULE - 1) / GRANULE;
    atomic_init(&w.extent->refs, 1);
    if ((st = stage_take(spill, &w.stage)) != WEFT_OK) goto undo_extent;
    if ((st = take_granules(spill, w.extent->ngranules, &w.extent->granule)) != WEFT_OK)
        goto undo_stage;
    if ((st = write_extent(&w)) != WEFT_OK) goto undo_granules;

    const int64_t kept = (w.written + GRANULE - 1) / GRANULE;
    give_granules(spill, w.extent->granule + kept, w.extent->ngranules - kept);
    w.extent->ngranules = kept;
    stage_give(spill, w.stage);
    *out = w.extent;
    return WEFT_OK;

undo_granules:
    give_granules(spill, w.extent->granule, w.extent->ngranules);
undo_stage:
    stage_give(spill, w.stage);
undo_extent:
    wf_free(w.extent);
    return st;
}

// --- reading ---

static weft_status verify(const wf_spill *spill, const wf_extent *extent, int64_t i,
                          const char *raw)
{
    const uint64_t sum = wf_hash_bytes(HASH_SEED, raw, (size_t)chunk_length(extent, i));

    if (sum == extent->chunk[i].sum) return WEFT_OK;
    return wf_fail(WEFT_LOST,
                   "spill: chunk %" PRId64 " of %" PRId64
                   " bytes spilled to '%s' is damaged: expected checksum %016" PRIx64
                   ", got %016" PRIx64,
                   i, extent->bytes, spill->dir, extent->chunk[i].sum, sum);
}

// Whole plain chunks [first, first + n) straight into the caller's memory.
static weft_status read_direct(wf_spill *spill, const wf_extent *extent, int64_t first, int64_t n,
                               char *out)
{
    WF_TRY(read_all(spill, extent_offset(extent) + first * extent->chunk_bytes, out,
                    n * extent->chunk_bytes));
    for (int64_t i = 0; i < n; i++)
        WF_TRY(verify(spill, extent, first + i, out + i * extent->chunk_bytes));
    return WEFT_OK;
}

// Reads chunk I into the staging buffers, verified; *RAW is where it lies.
static weft_status read_chunk(wf_spill *spill, const wf_extent *extent, int64_t i, stage *stage,
                              const char **raw)
{
    const chunk *entry = &extent->chunk[i];
    const int64_t padded = ((int64_t)entry->stored + PAGE - 1) / PAGE * PAGE;

    WF_TRY(
        read_all(spill, extent_offset(extent) + (int64_t)entry->page * PAGE, stage->out, padded));
    *raw = stage->out;
#ifdef WF_HAVE_LZ4
    const int64_t length = chunk_length(extent, i);
    if (entry->stored < length) {
        if (LZ4_decompress_safe(stage->out, stage->raw, (int)entry->stored, (int)length) != length)
            return wf_fail(WEFT_LOST,
                           "spill: chunk %" PRId64 " of %" PRId64
                           " bytes spilled to '%s' is damaged: LZ4 cannot "
                           "decode it",
                           i, extent->bytes, spill->dir);
        *raw = stage->raw;
    }
#endif
    return verify(spill, extent, i, *raw);
}

static weft_status read_staged(wf_spill *spill, const wf_extent *extent, int64_t offset,
                               int64_t bytes, char *out)
{
    stage *stage = NULL;
    weft_status st = WEFT_OK;

    WF_TRY(stage_take(spill, &stage));
    while (bytes > 0 && st == WEFT_OK) {
        const int64_t i = offset / extent->chunk_bytes, within = offset % extent->chunk_bytes;
        const int64_t left = chunk_length(extent, i) - within, n = bytes < left ? bytes : left;
        const char *raw = NULL;
        st = read_chunk(spill, extent, i, stage, &raw);
        if (st == WEFT_OK) memcpy(out, raw + within, (size_t)n);
        offset += n;
        out += n;
        bytes -= n;
    }
    stage_give(spill, stage);
    return st;
}

weft_status wf_spill_read(wf_spill *spill, const wf_extent *extent, int64_t offset, int64_t bytes,
                          void *out)
{
    WF_ASSERT(offset >= 0 && bytes >= 0 && offset <= extent->bytes - bytes);
    char *to = out;
    const int64_t skew = offset % extent->chunk_bytes;
    int64_t head = skew ? extent->chunk_bytes - skew : 0;  // up to the first whole chunk

    if (head > bytes) head = bytes;
    const int64_t whole = (bytes - head) / extent->chunk_bytes;
    const bool direct = extent->plain && whole > 0 && (uintptr_t)(to + head) % PAGE == 0;
    if (!direct) return read_staged(spill, extent, offset, bytes, to);
    if (head > 0) WF_TRY(read_staged(spill, extent, offset, head, to));
    WF_TRY(read_direct(spill, extent, (offset + head) / extent->chunk_bytes, whole, to + head));
    const int64_t done = head + whole * extent->chunk_bytes;
    return done < bytes ? read_staged(spill, extent, offset + done, bytes - done, to + done)
                        : WEFT_OK;
}

// --- life ---

void wf_extent_retain(wf_extent *extent)
{
    atomic_fetch_add_explicit(&extent->refs, 1, memory_order_relaxed);
}

int64_t wf_extent_stored(const wf_extent *extent) { return extent->ngranules * GRANULE; }

void wf_extent_release(wf_spill *spill, wf_extent *extent)
{
    if (!extent || atomic_fetch_sub(&extent->refs, 1) != 1) return;
    give_granules(spill, extent->granule, extent->ngranules);
    wf_free(extent);
}

weft_status wf_spill_create(const char *dir, wf_spill **out)
{
    wf_spill *spill = wf_alloc(sizeof *spill);
    if (!spill) return WEFT_NO_MEMORY;
    spill->dir = wf_strdup(dir);
    if (!spill->dir) {
        wf_free(spill);
        return WEFT_NO_MEMORY;
    }
    // The first write says what is wrong
    if (wf_machine_is_tmpfs(dir, &spill->is_memory) != WEFT_OK) spill->is_memory = false;
    wf_mutex_init(&spill->lock);
    spill->fd = -1;
    spill->write_ns = 1;  // 1 GB/s until measured
    *out = spill;
    return WEFT_OK;
}

void wf_spill_destroy(wf_spill *spill)
{
    if (!spill) return;
    WF_ASSERT(spill->used == 0);
    wf_spill_trim(spill);
    if (spill->fd >= 0) close(spill->fd);
    wf_mutex_fini(&spill->lock);
    wf_free(spill->taken);
    wf_free(spill->dir);
    wf_free(spill);
}

void wf_spill_set_compress(wf_spill *spill, wf_spill_compress how) { spill->compress = how; }

bool wf_spill_is_memory(const wf_spill *spill) { return spill->is_memory; }

void wf_spill_get_usage(wf_spill *spill, wf_spill_usage *out)
{
    wf_mutex_lock(&spill->lock);
    *out = (wf_spill_usage){
        .file_bytes = spill->end * GRANULE,
        .bytes_written = atomic_load(&spill->bytes_written),
        .bytes_read = atomic_load(&spill->bytes_read),
        .direct = spill->fd >= 0 && atomic_load(&spill->direct),
    };
    wf_mutex_unlock(&spill->lock);
}

void wf_spill_trim(wf_spill *spill)
{
    wf_mutex_lock(&spill->lock);
    stage *stages = spill->free_stages;
    spill->free_stages = NULL;
    spill->nstages = 0;
    // Whoever writes has taken granules first. When the file system refuses, its space stays ours.
    if (spill->used == 0 && spill->end > 0 && ftruncate(spill->fd, 0) == 0)
        spill->end = spill->hint = 0;
    wf_mutex_unlock(&spill->lock);
    while (stages) {
        stage *next = stages->next;
        stage_destroy(stages);
        stages = next;
    }
}
