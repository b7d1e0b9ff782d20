// SPDX-License-Identifier: Apache-2.0
// thread_test - Weft's threads have a name, take no signals and a default floating-point mode;
// timed waits end.
#include <gtest/gtest.h>

#include <cfenv>
#include <csignal>
#include <cstring>
#include <string>

extern "C" {
#include "base/clock.h"
#include "base/thread.h"
}

namespace {

struct Seen {
    char name[16];
    bool blocked;
    int rounding;
};

void look(void *context) {
    auto *seen = (Seen *)context;
    sigset_t mask;
    wf_thread_name(seen->name);
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    seen->blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGCHLD);
    seen->rounding = fegetround();
}

TEST(Thread, HasANameAndLeavesSignalsAndRoundingToTheHost) {
    wf_thread thread = {};
    Seen seen = {};
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    fesetround(FE_UPWARD);

    ASSERT_EQ(wf_thread_start(&thread, "weft a-rather-long-name", look, &seen), WEFT_OK);
    wf_thread_join(&thread);
    int mine = fegetround();
    fesetround(FE_TONEAREST);

    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    EXPECT_STREQ(seen.name, "weft a-rather-l");
    EXPECT_TRUE(seen.blocked);
    EXPECT_EQ(seen.rounding, FE_TONEAREST);
    EXPECT_EQ(mine, FE_UPWARD);
    EXPECT_EQ(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
}

TEST(Thread, JoinAcceptsWhatNeverStarted) {
    wf_thread thread = {};

    wf_thread_join(&thread);

    EXPECT_FALSE(thread.started);
}

TEST(Cond, TimedWaitEndsAtItsDeadline) {
    wf_mutex mutex;
    wf_cond cond;
    wf_mutex_init(&mutex);
    wf_cond_init(&cond);
    int64_t deadline = wf_clock_ns() + 5000000;

    wf_mutex_lock(&mutex);
    while (wf_cond_wait_until(&cond, &mutex, deadline)) {
    }
    int64_t now = wf_clock_ns();
    EXPECT_FALSE(wf_cond_wait_until(&cond, &mutex, -1));
    wf_mutex_unlock(&mutex);

    EXPECT_GE(now, deadline);
    wf_cond_fini(&cond);
    wf_mutex_fini(&mutex);
}

struct Box {
    wf_mutex mutex;
    wf_cond cond;
    bool full;
};

void fill(void *context) {
    auto *box = (Box *)context;
    wf_mutex_lock(&box->mutex);
    box->full = true;
    wf_cond_signal(&box->cond);
    wf_mutex_unlock(&box->mutex);
}

TEST(Cond, WakesTheWaiter) {
    Box box = {};
    wf_thread thread = {};
    wf_mutex_init(&box.mutex);
    wf_cond_init(&box.cond);

    ASSERT_EQ(wf_thread_start(&thread, "fill", fill, &box), WEFT_OK);
    wf_mutex_lock(&box.mutex);
    while (!box.full) wf_cond_wait(&box.cond, &box.mutex);
    wf_mutex_unlock(&box.mutex);
    wf_thread_join(&thread);

    EXPECT_TRUE(box.full);
    wf_cond_fini(&box.cond);
    wf_mutex_fini(&box.mutex);
}

}  // namespace
