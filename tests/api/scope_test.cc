// SPDX-License-Identifier: Apache-2.0
// scope_test - scopes free what they should and nothing else; detached arrays are counted; freed ones are named.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "api/fixture.h"

extern "C" {
#include "base/alloc.h"
}

namespace {

using Scopes = Api;

TEST_F(Scopes, ResetFreesAllButWhatIsKept) {
    weft_scope *turn = weft_scope_open(s);
    weft_array *x = weft_add(count_to(5), weft_num(s, 1));
    EXPECT_EQ(weft_compute(1, &x, nullptr), WEFT_OK);
    ASSERT_EQ(weft_scope_reset(turn, 1, &x), WEFT_OK);
    int64_t before = wf_alloc_live();

    for (int i = 0; i < 50; i++) {
        weft_array *y = weft_multiply(x, weft_num(s, 0.5));
        x = weft_add(y, y);
        ASSERT_EQ(weft_scope_reset(turn, 1, &x), WEFT_OK);
        ASSERT_EQ(weft_compute(1, &x, nullptr), WEFT_OK);
        if (i == 10) before = wf_alloc_live();
    }

    EXPECT_EQ(wf_alloc_live(), before);
    EXPECT_EQ(values(x), (std::vector<double>{ 1, 2, 3, 4, 5 }));
    EXPECT_EQ(weft_scope_close(turn, 0, nullptr), WEFT_OK);
}

TEST_F(Scopes, KeptArraysNeedNothingThatIsFreed) {
    weft_scope *scope = weft_scope_open(s);
    weft_array *x = count_to(4);
    for (int i = 0; i < 1000; i++) x = weft_add(x, weft_num(s, 1));  // its history goes by value, not by handle

    ASSERT_EQ(weft_scope_close(scope, 1, &x), WEFT_OK);

    EXPECT_EQ(values(x), (std::vector<double>{ 1000, 1001, 1002, 1003 }));
}

TEST_F(Scopes, ClosingAnOuterScopeClosesTheInnerOnes) {
    weft_scope *outer = weft_scope_open(s);
    weft_scope_open(s);
    weft_array *inner = count_to(3);

    ASSERT_EQ(weft_scope_close(outer, 1, &inner), WEFT_OK);

    EXPECT_EQ(values(inner), (std::vector<double>{ 0, 1, 2 }));
    weft_scope *next = weft_scope_open(s);
    EXPECT_EQ(weft_scope_close(next, 0, nullptr), WEFT_OK);
}

TEST_F(Scopes, ResetMovesKeptArraysOfInnerScopesOut) {
    weft_scope *outer = weft_scope_open(s);
    weft_scope_open(s);
    weft_array *x = count_to(3);

    ASSERT_EQ(weft_scope_reset(outer, 1, &x), WEFT_OK);
    EXPECT_EQ(values(x), (std::vector<double>{ 0, 1, 2 }));
    ASSERT_EQ(weft_scope_reset(outer, 1, &x), WEFT_OK);  // it is outer's own now
    EXPECT_EQ(values(x), (std::vector<double>{ 0, 1, 2 }));
    EXPECT_EQ(weft_scope_close(outer, 0, nullptr), WEFT_OK);
}

TEST_F(Scopes, ANullAmongTheKeptFreesNothing) {
    weft_scope *scope = weft_scope_open(s);
    weft_array *x = count_to(3), *lost = weft_reshape(x, WEFT_SHAPE(7));
    weft_array *keep[] = { lost };

    EXPECT_FAILS(weft_scope_reset(scope, 1, keep), WEFT_INVALID, "reshape: 3 elements of shape (3,) do not make (7,)");
    EXPECT_EQ(values(x), (std::vector<double>{ 0, 1, 2 }));
    EXPECT_FAILS(weft_scope_close(scope, 1, keep), WEFT_INVALID, 
                 "scope_close: array is NULL; this thread's last failure was told before: reshape: 3 elements of shape (3,) do not make (7,)");
    EXPECT_EQ(weft_scope_close(scope, 0, nullptr), WEFT_OK);
}

TEST_F(Scopes, BelongToTheirThread) {
    weft_scope *scope = weft_scope_open(s);
    weft_array *elsewhere = nullptr;

    std::thread([&] {
        EXPECT_FAILS(weft_scope_reset(scope, 0, nullptr), WEFT_INVALID, "scope_reset: another thread opened this scope");
        elsewhere = count_to(2);  // no scope is open on this thread: the session's
    }).join();

    EXPECT_EQ(weft_scope_close(scope, 0, nullptr), WEFT_OK);
    EXPECT_EQ(values(elsewhere), (std::vector<double>{ 0, 1 }));
}

TEST_F(Scopes, OfSeveralSessionsDoNotMix) {
    std::vector<weft_session *> sessions;
    std::vector<weft_scope *> scopes;
    std::vector<weft_array *> arrays;
    for (int i = 0; i < 12; i++) sessions.push_back(weft_open(nullptr));
    for (auto *session : sessions) scopes.push_back(weft_scope_open(session));
    for (auto *session : sessions) arrays.push_back(weft_arange(session, 0, 3, 1, WEFT_FLOAT64));

    EXPECT_EQ(weft_scope_close(scopes[5], 1, &arrays[5]), WEFT_OK);
    weft_array *wrong[] = { arrays[4] };
    EXPECT_FAILS(weft_scope_close(scopes[6], 1, wrong), WEFT_INVALID, "scope_close: the arrays are of another session");

    EXPECT_EQ(values(arrays[5]), (std::vector<double>{ 0, 1, 2 }));
    for (auto *session : sessions) EXPECT_EQ(weft_close(session), WEFT_OK);
}

TEST_F(Scopes, DetachedArraysOutliveThem) {
    weft_scope *scope = weft_scope_open(s);
    weft_array *x = weft_array_detach(count_to(3));
    EXPECT_EQ(weft_scope_close(scope, 0, nullptr), WEFT_OK);

    EXPECT_EQ(values(weft_retain(x)), (std::vector<double>{ 0, 1, 2 }));
    weft_release(x);
    EXPECT_EQ(values(x), (std::vector<double>{ 0, 1, 2 }));
    weft_release(x);
    EXPECT_PENDS(weft_retain(count_to(2)), WEFT_INVALID, "retain: a scope owns this array; detach it first");
}

TEST_F(Scopes, ADetachedArrayThatOutlivesItsSessionIsAHusk) {
    weft_array *x = weft_array_detach(count_to(3));
    double v[3] = { 5, 5, 5 };
    close();

    EXPECT_FAILS(weft_get(x, WEFT_DTYPE_DEFAULT, v, 24), WEFT_CLOSED, "get: the session of this array is closed");
    EXPECT_PENDS(weft_add(x, x), WEFT_CLOSED, "add: the session of this array is closed");
    EXPECT_EQ(weft_array_session(x), nullptr);
    EXPECT_EQ(weft_array_ndim(x), -1);
    EXPECT_EQ(v[0], 5);
    weft_release(x);
}

TEST_F(Scopes, CheckNamesAnyUseOfAFreedArray) {
    open("check=true");
    weft_scope *scope = weft_scope_open(s);
    weft_array *x = weft_label(count_to(3), "speed"), *y = count_to(3);
    double v[3];
    ASSERT_EQ(weft_scope_reset(scope, 0, nullptr), WEFT_OK);

    EXPECT_FAILS(weft_get(x, WEFT_DTYPE_DEFAULT, v, 24), WEFT_INVALID, 
                 "get: array 'speed' was freed (its scope was reset or closed, or its session closed, or it was released)");
    EXPECT_PENDS(weft_sqrt(y), WEFT_INVALID, 
                 "sqrt: this array was freed (its scope was reset or closed, or its session closed, or it was released)");
}

TEST_F(Scopes, AChildMadeByForkCannotUseTheSession) {
    weft_array *x = count_to(3);
    pid_t child = fork();
    if (child == 0) {
        double v;
        bool ok = weft_compute(1, &x, nullptr) == WEFT_CLOSED && weft_num(s, 1) == nullptr && weft_error_take() == WEFT_CLOSED &&
                  weft_item_f64(x, &v) == WEFT_CLOSED && weft_scope_open(s) == nullptr && weft_close(s) == WEFT_CLOSED &&
                  std::string(weft_last_error()) == "close: this session belongs to the parent process; a child made by fork cannot use it";
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);

    EXPECT_EQ(status, 0);
    EXPECT_EQ(values(x), (std::vector<double>{ 0, 1, 2 }));
}

TEST(Session, LeavesNothingBehind) {
    weft_close(weft_open(nullptr));
    int64_t before = wf_alloc_live();

    weft_session *s = weft_open(nullptr);
    weft_scope_open(s);
    weft_array *x = weft_arange(s, 0, 1000, 1, WEFT_FLOAT64);
    for (int i = 0; i < 20; i++) x = weft_add(x, x);
    weft_array *m = weft_mask(x, weft_greater(x, weft_num(s, 10)));
    EXPECT_EQ(weft_compute(1, &m, nullptr), WEFT_OK);
    EXPECT_EQ(weft_close(s), WEFT_OK);

    EXPECT_EQ(wf_alloc_live(), before);
}

}  // namespace
