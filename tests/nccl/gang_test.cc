// SPDX-License-Identifier: Apache-2.0
// gang_test - gangs whose members are threads of this process, each with a GPU of its own.
#include <unistd.h>

#include <chrono>

#include "nccl/gang.h"

namespace {

using gang::devices;
using gang::fabrics;
using gang::Member;
using gang::new_id;
using gang::patience;
using gang::together;

struct Gang : testing::Test {
    std::vector<Member> member;

    void SetUp() override
    {
        const char *why = nullptr;
        if (!fabrics()->available(&why)) GTEST_SKIP() << why;
    }
    void TearDown() override
    {
        together((int)member.size(), [&](int i) { member[i].close(2000); });
        if (const auto reset = gang::stand_in<void()>("cudasim_reset")) reset();
    }
    bool has_gpus(int n) { return devices()->count() >= n; }

    // A gang that stands.
    void make(int count)
    {
        const auto id = new_id();
        member.resize(count);
        for (int i = 0; i < count; i++)
            ASSERT_EQ(member[i].open(id, i, count, i), WEFT_OK) << wf_last_error();
        for (auto &m : member) ASSERT_EQ(m.poll(0), WEFT_OK) << wf_last_error();
    }
    weft_status first_end(std::vector<int64_t> ticket, std::string *text)
    {
        weft_status st = WEFT_OK;
        for (size_t i = 0; i < member.size(); i++)
            if (member[i].poll(ticket[i]) != WEFT_OK && st == WEFT_OK) {
                st = wf_last_status();
                *text = wf_last_error();
            }
        return st;
    }
};
#define NEED_GPUS(n) \
    if (!has_gpus(n)) GTEST_SKIP() << "needs " #n " GPUs, and there are " << devices()->count()
#define NEED_STAND_IN()       \
    if (!gang::is_stand_in()) \
    GTEST_SKIP() << "a real NCCL would hang here, or cannot be made to fail"

TEST_F(Gang, PhasesBringWhatWasPlanned)
{
    NEED_GPUS(2);
    for (int count = 2; count <= 8 && has_gpus(count); count++) {
        make(count);
        for (unsigned seed = 1; seed <= 12; seed += 3)
            together(count, [&](int i) {
                Member::Phase phase[3];
                for (unsigned k = 0; k < 3; k++)
                    ASSERT_EQ(member[i].start(100 * count + seed + k, &phase[k]), WEFT_OK);
                for (auto &p : phase) EXPECT_EQ(member[i].finish(&p), "") << count << " " << seed;
            });
        together(count, [&](int i) { member[i].close(); });
        member.clear();
    }
}

TEST_F(Gang, PhasesMayBeQueuedBeforeItStands)
{
    NEED_GPUS(2);
    const auto id = new_id();
    member.resize(2);
    Member::Phase phase[2];
    for (int i = 0; i < 2; i++) {
        ASSERT_EQ(member[i].open(id, i, 2, i), WEFT_OK) << wf_last_error();
        ASSERT_EQ(member[i].start(5, &phase[i]), WEFT_OK);
        EXPECT_EQ(phase[i].ticket, 1);
    }
    for (int i = 0; i < 2; i++) EXPECT_EQ(member[i].finish(&phase[i]), "");
}

// As CUDA does: it may not be done, and on the stand-in one sees that it was.
TEST_F(Gang, FreeingMemoryWaitsForThePhaseInFlight)
{
    NEED_GPUS(2);
    NEED_STAND_IN();
    make(2);
    void *p[2] = { member[0].room(10), member[1].room(10) }, *other = member[0].room(5 << 20);
    int64_t ticket[2];
    devices()->release(member[0].device, other, 5 << 20);
    ASSERT_EQ(member[0].move({ { 1, false, p[0], 10 } }, &ticket[0]), WEFT_OK);
    EXPECT_EQ(member[0].poll(ticket[0], 50), WEFT_BUSY);
    std::thread late([&] {
        usleep(50000);
        EXPECT_EQ(member[1].move({ { 0, true, p[1], 10 } }, &ticket[1]), WEFT_OK);
    });

    const auto begin = std::chrono::steady_clock::now();
    devices()->trim(member[0].device);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(40));

    late.join();
    for (int i = 0; i < 2; i++) EXPECT_EQ(member[i].poll(ticket[i]), WEFT_OK) << wf_last_error();
    for (int i = 0; i < 2; i++) devices()->release(member[i].device, p[i], 10);
}

TEST_F(Gang, OfOneStandsAlone)
{
    NEED_GPUS(1);
    make(1);
    EXPECT_EQ(member[0].run(1), "");
}

TEST_F(Gang, WaitsForAMemberUntilItsCallerAborts)
{
    NEED_GPUS(1);
    member.resize(1);
    ASSERT_EQ(member[0].open(new_id(), 0, 2, 0), WEFT_OK) << wf_last_error();
    EXPECT_EQ(member[0].poll(0, 0), WEFT_BUSY);
    EXPECT_EQ(member[0].poll(0, 100), WEFT_BUSY);

    fabrics()->abort(member[0].fabric);

    EXPECT_EQ(member[0].poll(0), WEFT_CANCELLED);
    EXPECT_STREQ(wf_last_error(), "nccl: rank 0 of 2: aborted");
    int64_t ticket = -7;
    EXPECT_EQ(member[0].move({}, &ticket), WEFT_CANCELLED);
    EXPECT_EQ(ticket, -7);
}

TEST_F(Gang, WhoseCreationNeverEndsIsClosed)
{
    NEED_STAND_IN();
    gang::stand_in<void(const char *, int, int)>("cudasim_fail")("nccl init", 0, 7);
    const auto id = new_id();
    member.resize(2);
    for (int i = 0; i < 2; i++) ASSERT_EQ(member[i].open(id, i, 2, i), WEFT_OK);
    for (auto &m : member) EXPECT_EQ(m.poll(0, 50), WEFT_BUSY);
}

TEST_F(Gang, APhaseNobodyJoinsIsAbortedAndTheGangMadeAnew)
{
    NEED_GPUS(2);
    make(2);
    void *p = member[0].room(1000);
    int64_t ticket, again;
    ASSERT_EQ(member[0].move({ { 1, true, p, 1000 } }, &ticket), WEFT_OK);
    EXPECT_EQ(member[0].poll(ticket, 50), WEFT_BUSY);

    for (auto &m : member) fabrics()->abort(m.fabric);
    EXPECT_EQ(member[0].poll(ticket), WEFT_CANCELLED);
    devices()->release(member[0].device, p, 1000);

    const auto id = new_id();
    ASSERT_EQ(member[0].shrink({ 1 }, &id, &again), WEFT_OK) << wf_last_error();
    EXPECT_EQ(member[0].poll(again), WEFT_OK) << wf_last_error();
    EXPECT_EQ(member[0].poll(ticket), WEFT_CANCELLED);
    EXPECT_STREQ(wf_last_error(), "nccl: ticket 1 is from before a shrink");
    EXPECT_EQ(member[0].run(3), "");
}

TEST_F(Gang, ShrinksWithoutAnIdWhileAPhaseHangs)
{
    NEED_GPUS(4);
    NEED_STAND_IN();
    make(4);
    // 0 and 2 wait for 3, which does not come; 1 has nothing to do.
    void *p0 = member[0].room(1000), *p2 = member[2].room(1000);
    int64_t hung, ticket[4];
    ASSERT_EQ(member[0].move({ { 3, false, p0, 1000 } }, &hung), WEFT_OK);
    ASSERT_EQ(member[2].move({ { 3, true, p2, 1000 } }, &hung), WEFT_OK);
    EXPECT_EQ(member[0].poll(hung, 50), WEFT_BUSY);

    for (int i : { 0, 1, 2 })
        ASSERT_EQ(member[i].shrink({ 3 }, nullptr, &ticket[i]), WEFT_OK) << wf_last_error();
    for (int i : { 0, 1, 2 }) EXPECT_EQ(member[i].poll(ticket[i]), WEFT_OK) << wf_last_error();
    fabrics()->abort(member[3].fabric);  // earlier, its end might be an error to the others, and no
                                         // shrink without an id be had
    EXPECT_EQ(member[0].poll(hung), WEFT_CANCELLED);

    together(3, [&](int i) { EXPECT_EQ(member[i].run(11), ""); });
    devices()->release(member[0].device, p0, 1000);
    devices()->release(member[2].device, p2, 1000);
}

TEST_F(Gang, ThatFailedShrinksOnlyWithAnId)
{
    NEED_GPUS(2);
    NEED_STAND_IN();
    make(2);
    gang::stand_in<void(const char *, int, int)>("cudasim_fail")("ncclSend", 1, 4);
    void *p = member[0].room(10);
    int64_t ticket, later;
    ASSERT_EQ(member[0].move({ { 1, true, p, 10 } }, &ticket), WEFT_OK);
    EXPECT_EQ(member[0].poll(ticket), WEFT_INVALID);
    EXPECT_EQ(std::string(wf_last_error()).rfind("nccl: rank 0 of 2: phase 1: invalid argument", 0),
              0u)
        << wf_last_error();
    EXPECT_EQ(member[0].move({}, &later), WEFT_INVALID);
    fabrics()->abort(member[1].fabric);

    ASSERT_EQ(member[0].shrink({ 1 }, nullptr, &ticket), WEFT_OK);
    EXPECT_EQ(member[0].poll(ticket), WEFT_UNSUPPORTED);
    EXPECT_STREQ(wf_last_error(),
                 "nccl: rank 0 of 1: cannot shrink without a new id: the gang has failed");
    const auto id = new_id();
    ASSERT_EQ(member[0].shrink({}, &id, &ticket), WEFT_OK) << wf_last_error();
    EXPECT_EQ(member[0].poll(ticket), WEFT_OK) << wf_last_error();
    devices()->release(member[0].device, p, 10);
}

TEST_F(Gang, ThatBrokeIsMadeAnewWithAllOfItsMembers)
{
    NEED_GPUS(3);
    NEED_STAND_IN();
    make(3);
    gang::stand_in<void(const char *, int, int)>("cudasim_fail")("nccl move", 1, 2);
    Member::Phase phase[3];
    int64_t ticket[3];
    for (int i = 0; i < 3; i++) ASSERT_EQ(member[i].start(4, &phase[i]), WEFT_OK);
    int broken = 0;
    for (int i = 0; i < 3; i++) broken += member[i].poll(phase[i].ticket) == WEFT_LOST;
    EXPECT_GE(broken, 1);

    const auto id = new_id();
    for (int i = 0; i < 3; i++) ASSERT_EQ(member[i].shrink({}, &id, &ticket[i]), WEFT_OK);
    for (int i = 0; i < 3; i++) EXPECT_EQ(member[i].poll(ticket[i]), WEFT_OK) << wf_last_error();
    for (int i = 0; i < 3; i++) member[i].drop(&phase[i]);
    together(3, [&](int i) { EXPECT_EQ(member[i].run(4), ""); });
}

TEST_F(Gang, SaysWhoIsLostWhereThatIsKnown)
{
    NEED_GPUS(3);
    NEED_STAND_IN();
    make(3);
    void *p[2] = { member[0].room(10), member[1].room(10) };
    int64_t ticket[2];
    ASSERT_EQ(member[0].move({ { 2, true, p[0], 10 } }, &ticket[0]), WEFT_OK);
    ASSERT_EQ(member[1].move({ { 2, true, p[1], 10 }, { 0, true, p[1], 1 } }, &ticket[1]), WEFT_OK);
    fabrics()->abort(member[2].fabric);

    EXPECT_EQ(member[0].poll(ticket[0]), WEFT_LOST);
    EXPECT_EQ(std::string(wf_last_error())
                  .rfind("nccl: rank 0 of 3: phase 1: remote process exited or there was a network "
                         "error (rank 2 is lost)",
                         0),
              0u)
        << wf_last_error();
    EXPECT_EQ(member[1].poll(ticket[1]), WEFT_LOST);
    EXPECT_NE(std::string(wf_last_error()).find("(a member is lost)"), std::string::npos)
        << wf_last_error();
    for (int i = 0; i < 2; i++) devices()->release(member[i].device, p[i], 10);
}

// --- what does not match is an error, and soon ---

struct Mismatch : Gang {
    // What the members of a gang of three end with when each makes the moves given.
    weft_status end_of(std::vector<std::vector<weft_fabric_move>> moves, std::string *text)
    {
        std::vector<int64_t> ticket(3);
        std::vector<void *> rooms;
        make(3);
        for (int i = 0; i < 3; i++) {
            for (auto &m : moves[i]) rooms.push_back(m.memory = member[i].room(1000));
            EXPECT_EQ(member[i].move(moves[i], &ticket[i]), WEFT_OK) << wf_last_error();
        }
        const auto begin = std::chrono::steady_clock::now();
        const weft_status st = first_end(ticket, text);
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
        size_t k = 0;
        for (int i = 0; i < 3; i++)
            for (size_t j = 0; j < moves[i].size(); j++)
                devices()->release(member[i].device, rooms[k++], 1000);
        return st;
    }
};

TEST_F(Mismatch, OfSizesIsAnError)
{
    NEED_STAND_IN();
    std::string text;
    EXPECT_EQ(end_of({ { { 1, true, nullptr, 100 } }, { { 0, false, nullptr, 101 } }, {} }, &text),
              WEFT_INVALID);
    EXPECT_NE(text.find("rank 1 receives 101 bytes from rank 0, which sends 100"),
              std::string::npos)
        << text;
}

TEST_F(Mismatch, OfPeersIsAnError)
{
    NEED_STAND_IN();
    std::string text;
    EXPECT_EQ(end_of({ { { 1, true, nullptr, 100 } },
                       { { 2, true, nullptr, 100 } },
                       { { 0, true, nullptr, 100 } } },
                     &text),
              WEFT_DEVICE);
    EXPECT_NE(text.find("deadlock: moves that nobody answers"), std::string::npos) << text;
}

TEST_F(Mismatch, OfDirectionsIsAnError)
{
    NEED_STAND_IN();
    std::string text;
    EXPECT_EQ(end_of({ { { 1, false, nullptr, 100 } }, { { 0, false, nullptr, 100 } }, {} }, &text),
              WEFT_DEVICE);
}

TEST_F(Mismatch, OfTheOrderOfPhasesIsAnError)
{
    NEED_STAND_IN();
    make(2);
    void *p[2] = { member[0].room(8), member[1].room(8) };
    std::vector<int64_t> last(2);
    for (int i = 0; i < 2; i++) {
        // 0 sends, then receives; 1 does likewise: in one group that is well, one after the other
        // it is not.
        ASSERT_EQ(member[i].move({ { 1 - i, true, p[i], 8 } }, &last[i]), WEFT_OK);
        ASSERT_EQ(member[i].move({ { 1 - i, false, p[i], 8 } }, &last[i]), WEFT_OK);
    }
    std::string text;
    EXPECT_EQ(first_end(last, &text), WEFT_DEVICE) << text;
    for (int i = 0; i < 2; i++) devices()->release(member[i].device, p[i], 8);
}

TEST_F(Gang, TwoMembersOnOneGpuAreRefused)
{
    NEED_STAND_IN();
    const auto id = new_id();
    member.resize(2);
    for (int i = 0; i < 2; i++) ASSERT_EQ(member[i].open(id, i, 2, 0), WEFT_OK);
    EXPECT_EQ(member[0].poll(0), WEFT_INVALID);
    EXPECT_NE(std::string(wf_last_error()).find("duplicate GPU"), std::string::npos)
        << wf_last_error();
}

// --- bad input ---

TEST_F(Gang, RanksAndDevicesAreChecked)
{
    NEED_GPUS(1);
    weft_fabric *fabric = nullptr;
    weft_fabric_member m = { new_id(), 2, 2, 0 };
    EXPECT_EQ(fabrics()->open(&m, &fabric), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "nccl: expected a rank from 0 below the count, got rank 2 of 2");
    m.rank = 0, m.device = 99;
    EXPECT_EQ(fabrics()->open(&m, &fabric), WEFT_NOT_FOUND);
    EXPECT_EQ(std::string(wf_last_error()).rfind("nccl: there is no device 99, only", 0), 0u);
    EXPECT_EQ(fabric, nullptr);
}

TEST_F(Gang, MovesTicketsAndLossesAreChecked)
{
    NEED_GPUS(1);
    make(1);
    char byte;
    int64_t ticket = -7;
    EXPECT_EQ(member[0].move({ { 0, true, &byte, 1 } }, &ticket), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "nccl: move 0: expected another rank than 0 of 1, got 0");
    EXPECT_EQ(member[0].shrink({ 0 }, nullptr, &ticket), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "nccl: shrink: expected different ranks other than 0 of 1");
    EXPECT_EQ(member[0].shrink({}, nullptr, &ticket), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "nccl: shrink: expected ranks, or an id and none, got 0");
    EXPECT_EQ(ticket, -7);
    EXPECT_EQ(member[0].poll(1, 0), WEFT_INVALID);
    EXPECT_STREQ(wf_last_error(), "nccl: expected a ticket from 0 to 0, got 1");
    EXPECT_EQ(member[0].poll(0, 0), WEFT_OK);
}

}  // namespace
