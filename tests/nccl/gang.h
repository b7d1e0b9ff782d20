// SPDX-License-Identifier: Apache-2.0
// gang - for tests of the NCCL module's table: the module, members of a gang with a device each,
// phases made from a plan that all members share, and members in processes of their own. NCCL and
// CUDA are the stand-in's (tests/cudasim) or the machine's own, as LD_LIBRARY_PATH says.
#ifndef NCCL_GANG_H
#define NCCL_GANG_H

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "base/alloc.h"
#include "base/error.h"
#include "device/device.h"
#include "weft/transport.h"
}

namespace gang {

constexpr int64_t patience = 20000;  // milliseconds until what should end has not

inline std::string folder()
{
    const char *set = getenv("WEFT_BINARY_DIR");
    return set ? set : WEFT_BUILD_FOLDER;
}

inline void log_line(int, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

inline void no_cache(char *out, size_t size) { snprintf(out, size, "off"); }

inline const weft_fabric_ops *fabrics()
{
    static const weft_host host = {
        WEFT_PLUGIN_ABI, wf_fail_record, wf_alloc, wf_free, log_line, no_cache,
    };
    static const weft_fabric_ops *ops = nullptr;
    if (ops) return ops;
    void *library = dlopen((folder() + "/libweft_nccl.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "%s\n", dlerror()), abort();
    const auto module =
        reinterpret_cast<weft_fabric_module_fn *>(dlsym(library, "weft_fabric_module"));
    return ops = module(&host);
}

inline const weft_device_ops *devices()
{
    static const weft_device_ops *ops = nullptr;
    if (!ops && wf_device_module_load("cuda", folder().c_str(), &ops) != WEFT_OK)
        fprintf(stderr, "%s\n", wf_last_error()), abort();
    return ops;
}

// A call of the stand-in's own; NULL on a real GPU.
template <typename F> F *stand_in(const char *symbol)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    return driver ? reinterpret_cast<F *>(dlsym(driver, symbol)) : nullptr;
}
inline bool is_stand_in() { return stand_in<void()>("cudasim_reset") != nullptr; }

// --- plans ---

struct Message {
    int from, to;
    int64_t bytes;
    unsigned seed;
    std::vector<unsigned char> content() const
    {
        std::mt19937 random(seed);
        std::vector<unsigned char> v((size_t)bytes);
        for (auto &x : v) x = (unsigned char)random();
        return v;
    }
};

// The messages of a phase, the same for every member.
inline std::vector<Message> plan(unsigned seed, int count)
{
    std::mt19937 random(seed);
    const int64_t sizes[] = { 0, 1, 7, 4096, 65536, 65537, 200000 };
    std::vector<Message> all(count > 1 ? random() % (4 * count) : 0);
    for (auto &m : all) {
        m.from = (int)(random() % count);
        m.to = (int)((m.from + 1 + random() % (count - 1)) % count);
        m.bytes = sizes[random() % 7];
        m.seed = (unsigned)random();
    }
    return all;
}

// --- members ---

struct Member {
    weft_fabric *fabric = nullptr;
    weft_device *device = nullptr;
    weft_stream *stream = nullptr;
    int rank = 0, count = 0;

    struct Piece {
        void *memory;
        Message message;
    };
    struct Phase {
        int64_t ticket = -1;
        std::vector<Piece> pieces;
    };

    weft_status open(const weft_fabric_id &id, int rank_, int count_, int number)
    {
        const weft_fabric_member member = { id, rank_, count_, number };
        rank = rank_, count = count_;
        weft_status st = devices()->open(number, 64 << 20, 1, &device);
        if (st == WEFT_OK) st = devices()->stream_open(device, &stream);
        return st == WEFT_OK ? fabrics()->open(&member, &fabric) : st;
    }
    void close(int64_t wait = patience)
    {
        fabrics()->close(fabric, wait);
        fabric = nullptr;
        if (stream) devices()->stream_close(stream);
        if (device) devices()->close(device);
        stream = nullptr, device = nullptr;
    }
    weft_status poll(int64_t ticket, int64_t wait = patience)
    {
        return fabrics()->poll(fabric, ticket, wait);
    }
    void *room(int64_t bytes)
    {
        void *p = nullptr;
        return devices()->allocate(device, bytes, &p) == WEFT_OK ? p : nullptr;
    }
    weft_status move(std::vector<weft_fabric_move> moves, int64_t *ticket)
    {
        return fabrics()->phase(fabric, moves.data(), (int64_t)moves.size(), ticket);
    }

    // Queues this member's part of plan(SEED).
    weft_status start(unsigned seed, Phase *out)
    {
        std::vector<weft_fabric_move> moves;
        std::vector<std::vector<unsigned char>> contents;  // until the stream has drained
        for (const Message &m : plan(seed, count)) {
            if (m.from != rank && m.to != rank) continue;
            const bool send = m.from == rank;
            void *p = room(m.bytes ? m.bytes : 1);
            if (send && m.bytes) {
                contents.push_back(m.content());
                devices()->copy_in(stream, p, contents.back().data(), m.bytes);
            }
            moves.push_back({ send ? m.to : m.from, send, p, m.bytes });
            out->pieces.push_back({ p, m });
        }
        devices()->stream_wait(stream);
        return move(moves, &out->ticket);
    }
    // Waits for it; "" when all that came is what was sent.
    std::string finish(Phase *phase)
    {
        std::string wrong;
        if (poll(phase->ticket) != WEFT_OK) wrong = wf_last_error();
        for (auto &[p, m] : phase->pieces) {
            std::vector<unsigned char> came((size_t)m.bytes);
            if (wrong.empty() && m.bytes) {
                devices()->copy_out(stream, came.data(), p, m.bytes);
                devices()->stream_wait(stream);
                if (came != m.content())
                    wrong = "other bytes than were sent from " + std::to_string(m.from);
            }
        }
        drop(phase);
        return wrong;
    }
    void drop(Phase *phase)
    {
        for (auto &[p, m] : phase->pieces) devices()->release(device, p, m.bytes ? m.bytes : 1);
        phase->pieces.clear();
    }
    std::string run(unsigned seed)
    {
        Phase phase;
        return start(seed, &phase) == WEFT_OK ? finish(&phase) : wf_last_error();
    }
    // As the fabric does it, in order.
    void move_up(const std::vector<int> &lost)
    {
        int below = 0;
        for (int r : lost) below += r < rank;
        rank -= below, count -= (int)lost.size();
    }
    weft_status shrink(const std::vector<int> &lost, const weft_fabric_id *id, int64_t *ticket)
    {
        const weft_status st = fabrics()->shrink(fabric, lost.data(), (int)lost.size(), id, ticket);
        if (st == WEFT_OK) move_up(lost);
        return st;
    }
};

inline weft_fabric_id new_id()
{
    weft_fabric_id id;
    EXPECT_EQ(fabrics()->make_id(&id), WEFT_OK) << wf_last_error();
    return id;
}

// Calls WORK(i) for each i below N, all at once.
template <typename F> void together(int n, F work)
{
    std::vector<std::thread> threads;
    for (int i = 0; i < n; i++) threads.emplace_back(work, i);
    for (auto &t : threads) t.join();
}

// --- members in processes ---

// A process with one member, which does what lines tell it (see child_main in processes_test.cc)
// and answers each with one.
struct Process {
    pid_t pid = -1;
    int to = -1, from = -1;
    explicit Process(const std::vector<std::string> &environment);
    ~Process();
    Process(const Process &) = delete;
    void tell(const std::string &line);
    std::string answer();  // "no answer" when none comes in time
    std::string ask(const std::string &line) { return tell(line), answer(); }
    void kill();
};

}  // namespace gang
#endif
