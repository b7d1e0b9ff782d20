// SPDX-License-Identifier: Apache-2.0
// fake_device - two kinds of devices for tests of the store: one whose memory the host sees, and one whose addresses crash when the
// host touches them, so that a store that forgets the device's copy slots is found out.
#ifndef WF_TESTS_FAKE_DEVICE_H
#define WF_TESTS_FAKE_DEVICE_H

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include "base/alloc.h"
#include "base/error.h"
#include "device/device.h"
#include "memory/store.h"
#include "observe/stats.h"
}

namespace fake {

// A bit that makes an address non-canonical: touching it faults.
constexpr uintptr_t HIDDEN = UINT64_C(1) << 60;

struct Device {
    bool hidden = false;
    int64_t capacity = INT64_MAX;
    std::atomic<int64_t> live{ 0 }, bytes{ 0 }, peak{ 0 };
    std::atomic<int64_t> copies_in{ 0 }, copies_out{ 0 }, copies_peer{ 0 }, trims{ 0 };
    std::atomic<bool> fail_copies{ false };
    std::function<void()> during_copy_out;  // called once, before the bytes are copied

    void *real(const void *p) const
    {
        return reinterpret_cast<void *>(reinterpret_cast<uintptr_t>(p) & ~HIDDEN);
    }
};

inline Device *of(weft_device *d) { return reinterpret_cast<Device *>(d); }
inline Device *of(weft_stream *s) { return reinterpret_cast<Device *>(s); }

inline weft_status allocate(weft_device *handle, int64_t bytes, void **out)
{
    Device *d = of(handle);
    const int64_t now = d->bytes.fetch_add(bytes) + bytes;
    if (now > d->capacity) {
        d->bytes -= bytes;
        return wf_fail(WEFT_NO_MEMORY, "fake: device is full");
    }
    for (int64_t seen = d->peak; seen < now && !d->peak.compare_exchange_weak(seen, now);) {}
    void *p = std::aligned_alloc(4096, static_cast<size_t>((bytes + 4096) / 4096 * 4096));
    if (!p) return wf_fail(WEFT_NO_MEMORY, "fake: no memory");
    d->live++;
    *out = reinterpret_cast<void *>(reinterpret_cast<uintptr_t>(p) | (d->hidden ? HIDDEN : 0));
    return WEFT_OK;
}

inline void release(weft_device *handle, void *memory, int64_t bytes)
{
    Device *d = of(handle);
    d->bytes -= bytes;
    d->live--;
    std::free(d->real(memory));
}

inline weft_status stream_open(weft_device *handle, weft_stream **out)
{
    *out = reinterpret_cast<weft_stream *>(handle);
    return WEFT_OK;
}

inline weft_status copy(Device *d, std::atomic<int64_t> &count, void *dst, const void *src,
                        int64_t bytes)
{
    count++;
    if (d->fail_copies) return wf_fail(WEFT_DEVICE, "fake: copy failed");
    std::memcpy(dst, src, static_cast<size_t>(bytes));
    return WEFT_OK;
}

inline const weft_device_ops *ops()
{
    static weft_device_ops table = [] {
        weft_device_ops t = {};
        t.abi = WEFT_PLUGIN_ABI;
        t.kind = "fake";
        t.allocate = allocate;
        t.release = release;
        t.trim = [](weft_device *d) { of(d)->trims++; };
        t.stream_open = stream_open;
        t.stream_close = [](weft_stream *) {};
        t.stream_wait = [](weft_stream *) -> weft_status { return WEFT_OK; };
        t.copy_in = [](weft_stream *s, void *dst, const void *src, int64_t n) -> weft_status {
            return copy(of(s), of(s)->copies_in, of(s)->real(dst), src, n);
        };
        t.copy_out = [](weft_stream *s, void *dst, const void *src, int64_t n) -> weft_status {
            if (of(s)->during_copy_out) std::exchange(of(s)->during_copy_out, nullptr)();
            return copy(of(s), of(s)->copies_out, dst, of(s)->real(src), n);
        };
        t.copy_peer = [](weft_stream *s, void *dst, weft_device *peer, const void *src,
                         int64_t n) -> weft_status {
            return copy(of(s), of(s)->copies_peer, of(s)->real(dst), of(peer)->real(src), n);
        };
        return t;
    }();
    return &table;
}

// The same without copy_peer.
inline const weft_device_ops *ops_without_peer()
{
    static weft_device_ops table = [] {
        weft_device_ops t = *ops();
        t.copy_peer = nullptr;
        return t;
    }();
    return &table;
}

// A folder that goes away with its test.
struct Folder {
    std::string path;
    Folder()
    {
        const char *base = getenv("TMPDIR");
        path = std::string(base && *base ? base : "/tmp") + "/weft-test-XXXXXX";
        if (!mkdtemp(path.data())) path.clear();
    }
    ~Folder() { (void)!system(("rm -rf '" + path + "'").c_str()); }
};

// A store over fake devices: "v" visible, "h" hidden.
struct World {
    std::vector<std::unique_ptr<Device>> device;
    std::vector<wf_device> handle;
    wf_store *store = nullptr;
    wf_stats stats = {};

    weft_status open(const std::string &kinds, std::vector<int64_t> limits, int64_t host_limit,
                     const char *spill_dir, const weft_device_ops *table = ops())
    {
        std::vector<wf_device *> list;
        device.clear();
        handle.assign(kinds.size(), wf_device{});
        for (size_t i = 0; i < kinds.size(); i++) {
            device.push_back(std::make_unique<Device>());
            device[i]->hidden = kinds[i] == 'h';
            handle[i].ops = table;
            handle[i].handle = reinterpret_cast<weft_device *>(device[i].get());
            snprintf(handle[i].info.name, sizeof handle[i].info.name, "fake%zu", i);
            handle[i].info.host_visible = kinds[i] == 'v';
            list.push_back(&handle[i]);
        }
        wf_store_options opts = {};
        opts.ndevice = static_cast<int>(kinds.size());
        opts.device = list.data();
        opts.device_limit = limits.data();
        opts.host_limit = host_limit;
        opts.spill_dir = spill_dir;
        opts.stats = &stats;
        return wf_store_create(&opts, &store);
    }
    void close()
    {
        wf_store_destroy(store);
        store = nullptr;
    }
    ~World()
    {
        close();
        for (auto &d : device)
            if (d->live != 0) abort();  // memory of the device was leaked
    }

    wf_store_usage usage(int d = 0) const
    {
        wf_store_usage u = {};
        wf_store_get_usage(store, d, &u);
        return u;
    }
    int64_t stat(wf_stat which) const { return wf_stats_get(&stats, which); }

    // Fills the block's memory, wherever it is, with bytes that tell SEED and place, and that no codec makes smaller.
    static unsigned char value(int seed, int64_t i)
    {
        uint64_t x = (static_cast<uint64_t>(i) + static_cast<uint64_t>(seed) * 1000003) *
                     UINT64_C(0x9E3779B97F4A7C15);
        x = (x ^ x >> 32) * UINT64_C(0xD1B54A32D192ED03);
        return static_cast<unsigned char>(x >> 56);
    }
    void fill(int d, void *data, int64_t bytes, int seed) const
    {
        auto *p = static_cast<unsigned char *>(device[static_cast<size_t>(d)]->real(data));
        for (int64_t i = 0; i < bytes; i++) p[i] = value(seed, i);
    }
    bool holds(int d, const void *data, int64_t bytes, int seed) const
    {
        auto *p = static_cast<unsigned char *>(device[static_cast<size_t>(d)]->real(data));
        for (int64_t i = 0; i < bytes; i++)
            if (p[i] != value(seed, i)) return false;
        return true;
    }

    // A sealed block of BYTES filled from SEED, or the status of what failed.
    weft_status make(int d, int64_t bytes, int seed, wf_block **out, double cost = 0) const
    {
        wf_reservation r = {};
        wf_block *block = nullptr;
        weft_status st = wf_store_reserve(store, d, bytes, &r);
        if (st != WEFT_OK) return st;
        st = wf_block_create(store, &r, bytes, &block);
        wf_store_unreserve(store, &r);
        if (st != WEFT_OK) return st;
        fill(d, data_of(block, d), bytes, seed);
        wf_block_seal(block, cost);
        *out = block;
        return WEFT_OK;
    }
    // The memory of a block that this thread has pinned.
    static void *data_of(wf_block *block, int d)
    {
        wf_reservation none = { d, 0 };
        void *data = nullptr;
        if (wf_block_pin(block, d, &none, &data) != WEFT_OK) return nullptr;
        wf_block_unpin(block, d);
        return data;
    }
    // Pins, compares, unpins.
    weft_status check(wf_block *block, int d, int seed, bool *same) const
    {
        wf_reservation r = {};
        void *data = nullptr;
        weft_status st = wf_store_reserve(store, d, wf_block_pin_bytes(block, d), &r);
        if (st != WEFT_OK) return st;
        st = wf_block_pin(block, d, &r, &data);
        wf_store_unreserve(store, &r);
        if (st != WEFT_OK) return st;
        *same = holds(d, data, wf_block_bytes(block), seed);
        wf_block_unpin(block, d);
        return WEFT_OK;
    }
};

}  // namespace fake

#endif
