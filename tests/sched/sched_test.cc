// SPDX-License-Identifier: Apache-2.0
// sched_test - the scheduler core alone: virtual devices, a seeded order of events, losses. No thread, no clock.
#include <gtest/gtest.h>

#include <random>
#include <set>

extern "C" {
#include "sched/sched.h"
}

namespace {

// Layers in a row: layer 0 reads nothing; task t of layer l reads `fan` consecutive tasks of layer l - 1.
struct Model {
    std::vector<int64_t> ntask;
    int64_t fan = 1;
    std::vector<wf_sched_layer> layer;
    std::vector<std::vector<char>> have;  // which blocks exist
    std::vector<std::vector<int>> runs;

    explicit Model(std::vector<int64_t> n, int64_t f) : ntask(n), fan(f)
    {
        for (size_t l = 0; l < n.size(); l++) {
            layer.push_back({n[l], 4, l + 1 == n.size(), l > 0});
            have.emplace_back(n[l], 0);
            runs.emplace_back(n[l], 0);
        }
    }
    static weft_status deps(void *context, int l, int64_t task, wf_deps *out)
    {
        auto *m = static_cast<Model *>(context);
        for (int64_t k = 0; k < m->fan; k++) {
            int64_t t = (task * m->fan + k) % m->ntask[l - 1];
            if (out->count == out->capacity && wf_grow(&out->item, &out->capacity, out->count + 1, sizeof *out->item) != WEFT_OK) return WEFT_NO_MEMORY;
            out->item[out->count++] = {l - 1, t};
        }
        return WEFT_OK;
    }
    wf_sched *create(int ndevice)
    {
        int root = (int)ntask.size() - 1;
        wf_sched_options opts = {(int)ntask.size(), ndevice, layer.data(), 1, &root, deps, this};
        wf_sched *s = nullptr;
        EXPECT_EQ(wf_sched_create(&opts, &s), WEFT_OK);
        return s;
    }
    bool inputs_exist(const wf_range &r)
    {
        if (r.layer == 0) return true;
        for (int64_t t = r.first; t < r.first + r.count; t++)
            for (int64_t k = 0; k < fan; k++)
                if (!have[r.layer - 1][(t * fan + k) % ntask[r.layer - 1]]) return false;
        return true;
    }
};

// Devices ask and finish in a seeded order; with losses, blocks vanish now and then. Returns how many steps it took, -1 for a hang.
int64_t simulate(Model &m, wf_sched *s, int ndevice, unsigned seed, double loss)
{
    std::mt19937 rng(seed);
    std::vector<std::pair<int, wf_range>> running;
    std::uniform_real_distribution<double> u(0, 1);
    for (int64_t step = 0; step < 200000; step++) {
        int device = (int)(rng() % ndevice);
        wf_range r;
        if (running.size() < (size_t)(2 * ndevice) && u(rng) < 0.6) {
            wf_sched_answer a = wf_sched_next(s, device, false, &r);
            if (a == WF_SCHED_DONE && running.empty()) return step;
            if (a == WF_SCHED_RUN) running.push_back({device, r});
            if (a == WF_SCHED_FAILED) return -2;
            if (a == WF_SCHED_WAIT && running.empty()) {
                bool any = false;  // some other device must be able to go on
                for (int d = 0; d < ndevice && !any; d++) any = wf_sched_next(s, d, false, &r) == WF_SCHED_RUN ? (running.push_back({d, r}), true) : false;
                if (!any) return -1;
            }
        } else if (!running.empty()) {
            size_t k = rng() % running.size();
            auto [d, range] = running[k];
            running.erase(running.begin() + (long)k);
            if (!m.inputs_exist(range)) {
                if (wf_sched_retry(s, &range, d) != WEFT_OK) return -2;
                continue;
            }
            for (int64_t t = range.first; t < range.first + range.count; t++) m.have[range.layer][t] = 1, m.runs[range.layer][t]++;
            if (wf_sched_done(s, &range) != WEFT_OK) return -2;
        }
        if (u(rng) < loss) {
            int l = (int)(rng() % m.ntask.size());
            int64_t t = (int64_t)(rng() % (uint64_t)m.ntask[l]);
            if (m.have[l][t]) {
                m.have[l][t] = 0;
                if (wf_sched_forget(s, l, t) != WEFT_OK) return -2;
            }
        }
    }
    return -1;
}

TEST(Sched, RunsEveryTaskOnceWhateverTheOrder) {
    for (unsigned seed = 1; seed <= 200; seed++) {
        int devices = 1 + (int)(seed % 4);
        Model m({37, 37, 19, 5}, 1 + seed % 3);
        wf_sched *s = m.create(devices);

        int64_t steps = simulate(m, s, devices, seed, 0);

        ASSERT_GE(steps, 0) << "seed " << seed;
        for (int64_t t = 0; t < 5; t++) EXPECT_EQ(m.runs[3][t], 1) << "seed " << seed;
        for (auto &layer : m.runs)
            for (int n : layer) EXPECT_LE(n, 1) << "seed " << seed;
        wf_sched_destroy(s);
    }
}

TEST(Sched, MakesLostBlocksAgainAndEnds) {
    for (unsigned seed = 1; seed <= 200; seed++) {
        int devices = 1 + (int)(seed % 3);
        Model m({29, 29, 11}, 2);
        wf_sched *s = m.create(devices);

        int64_t steps = simulate(m, s, devices, seed, 0.02);

        ASSERT_GE(steps, 0) << "seed " << seed;
        for (int64_t t = 0; t < 11; t++) EXPECT_TRUE(m.have[2][t]) << "seed " << seed;
        wf_sched_destroy(s);
    }
}

// As the engine loses things: when nothing runs, many at once, and a device with them. From then on device 0 never asks.
int64_t simulate_losses(Model &m, wf_sched *s, int ndevice, unsigned seed)
{
    std::mt19937 rng(seed);
    std::vector<wf_range> running;
    int64_t losses = 0, first = 0, next = (int64_t)(rng() % (uint64_t)(20 * m.ntask[3]));
    for (int64_t step = 0; step < 100000; step++) {
        bool drain = losses < 3 && step > next;
        wf_range r;
        if (drain && running.empty()) {
            for (size_t l = 0; l < m.ntask.size(); l++)
                for (int64_t t = 0; t < m.ntask[l]; t++)
                    if (m.have[l][t] && rng() % 2) {
                        m.have[l][t] = 0;
                        if (wf_sched_forget(s, (int)l, t) != WEFT_OK) return -2;
                    }
            next = step + (int64_t)(rng() % 200);
            if (losses++ == 0 && ndevice > 1) {
                first = 1;
                if (wf_sched_drop_device(s, 0) != WEFT_OK) return -2;
            }
        } else if (!drain && running.size() < 4 && rng() % 2) {
            int64_t n = ndevice - first, from = (int64_t)(rng() % (uint64_t)n);
            wf_sched_answer a = WF_SCHED_WAIT;
            for (int64_t k = 0; k < n && a == WF_SCHED_WAIT; k++) a = wf_sched_next(s, (int)(first + (from + k) % n), false, &r);
            if (a == WF_SCHED_DONE && running.empty()) return step;
            if (a == WF_SCHED_FAILED || (a == WF_SCHED_WAIT && running.empty())) return -1;
            if (a != WF_SCHED_RUN) continue;
            EXPECT_TRUE(m.inputs_exist(r)) << "layer " << r.layer << ", task " << r.first << ", after " << losses << " losses";
            running.push_back(r);
        } else if (!running.empty()) {
            size_t k = rng() % running.size();
            wf_range done = running[k];
            running.erase(running.begin() + (long)k);
            for (int64_t t = done.first; t < done.first + done.count; t++) m.have[done.layer][t] = 1;
            if (wf_sched_done(s, &done) != WEFT_OK) return -2;
        }
    }
    return -1;
}

TEST(Sched, NothingRunsWithoutInputsAfterALossAndNothingIsForgotten) {
    for (unsigned seed = 1; seed <= 300; seed++) {
        int devices = 1 + (int)(seed % 3);
        int64_t roots = seed % 2 ? 20 : 2;  // deep and narrow, too: little else to do while one waits for the other
        Model m({3 * roots, 3 * roots, 3 * roots, roots}, 1 + seed / 2 % 4);
        wf_sched *s = m.create(devices);

        ASSERT_GE(simulate_losses(m, s, devices, seed), 0) << "seed " << seed;

        for (int64_t t = 0; t < roots; t++) EXPECT_TRUE(m.have[3][t]) << "seed " << seed;
        wf_sched_destroy(s);
        if (HasFailure()) return;
    }
}

TEST(Sched, GoesDepthFirstSoThatFewBlocksAreAliveAtOnce) {
    Model m({64, 64, 64}, 1);
    wf_sched *s = m.create(1);
    wf_range r;
    std::vector<int> order;

    while (wf_sched_next(s, 0, false, &r) == WF_SCHED_RUN) {
        order.push_back(r.layer);
        ASSERT_EQ(wf_sched_done(s, &r), WEFT_OK);
    }

    int open = 0, most = 0;
    for (int l : order) {
        open += l == 0 ? 1 : l == 2 ? -1 : 0;
        most = std::max(most, open);
    }
    EXPECT_LE(most, 1);
    wf_sched_destroy(s);
}

TEST(Sched, HandsOutRangesWhereTasksNeedNothing) {
    Model m({100}, 1);
    m.layer[0].range_max = 16;
    wf_sched *s = m.create(1);
    wf_range r;

    ASSERT_EQ(wf_sched_next(s, 0, false, &r), WF_SCHED_RUN);

    EXPECT_EQ(r.first, 0);
    EXPECT_EQ(r.count, 16);
    wf_sched_destroy(s);
}

TEST(Sched, IdleDeviceStealsHalfOfTheRest) {
    Model m({100}, 1);
    m.layer[0].range_max = 1;
    wf_sched *s = m.create(2);
    wf_range r;
    for (int i = 0; i < 50; i++) ASSERT_EQ(wf_sched_next(s, 1, false, &r), WF_SCHED_RUN);

    ASSERT_EQ(wf_sched_next(s, 1, false, &r), WF_SCHED_RUN);

    EXPECT_EQ(r.first, 25);  // device 0 had 0..49 and keeps 0..24
    wf_sched_destroy(s);
}

TEST(Sched, AFailedAllocationAtAnySiteIsReportedAndLeaksNothing) {
    for (int64_t n = 1; n < 60; n++) {
        int64_t live = wf_alloc_live();
        Model m({9, 9, 3}, 2);
        int root = 2;
        wf_sched_options opts = {3, 1, m.layer.data(), 1, &root, Model::deps, &m};
        wf_sched *s = nullptr;
        wf_alloc_fail_at(n);
        if (wf_sched_create(&opts, &s) == WEFT_OK) (void)simulate(m, s, 1, 5, 0);
        wf_alloc_fail_at(0);
        wf_sched_destroy(s);
        EXPECT_EQ(wf_alloc_live(), live) << "allocation " << n;
    }
}

}  // namespace
