// SPDX-License-Identifier: Apache-2.0
// bound - a tile of the CPU's tests on any device.
#ifndef CUDA_BOUND_H
#define CUDA_BOUND_H

#include "cuda/gpu.h"
#include "device/programs.h"

namespace programs {

// The tile's operands on PLACE, as long as this lives.
struct Bound {
    gpu::Place &place;
    std::vector<wf_operand> in, out;
    std::vector<std::pair<char *, size_t>> memory;  // of the outputs

    Bound(gpu::Place &place, const Tile &tile) : place(place)
    {
        for (const Strided &s : tile.in)
            in.push_back(s.memory.empty() ? view(s, tile.in[0]) : put(s));
        for (const Strided &s : tile.out) {
            out.push_back(put(s));
            memory.emplace_back(base(s, out.back()), s.memory.size());
        }
    }
    ~Bound() { place.clear(); }

    wf_launch launch(const Tile &tile) const
    {
        wf_launch l = tile.launch();
        l.in = in.data();
        l.out = out.data();
        return l;
    }
    std::vector<Bytes> results()
    {
        std::vector<Bytes> all;
        for (auto &[p, n] : memory) all.push_back(place.get<unsigned char>(p, n));
        return all;
    }

  private:
    // The element keeps its alignment to 16 bytes.
    static int64_t lead(const Strided &s)
    {
        return int64_t(reinterpret_cast<uintptr_t>(s.memory.data()) % 16);
    }
    static char *base(const Strided &s, const wf_operand &o)
    {
        return static_cast<char *>(o.data) - (static_cast<const char *>(s.operand.data) -
                                              reinterpret_cast<const char *>(s.memory.data()));
    }
    // S lies in the memory of FIRST, the first operand.
    wf_operand view(const Strided &s, const Strided &first)
    {
        wf_operand o = s.operand;
        o.data = static_cast<char *>(in[0].data) +
                 (static_cast<char *>(o.data) - static_cast<char *>(first.operand.data));
        return o;
    }
    wf_operand put(const Strided &s)
    {
        wf_operand o = s.operand;
        if (s.operand.data == nullptr) return o;
        Bytes padded(size_t(lead(s)), 0);
        padded.insert(padded.end(), s.memory.begin(), s.memory.end());
        char *p = place.put(padded) + lead(s);
        o.data = p + (static_cast<const char *>(s.operand.data) -
                      reinterpret_cast<const char *>(s.memory.data()));
        return o;
    }
};

}  // namespace programs
#endif
