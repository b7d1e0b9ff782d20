// SPDX-License-Identifier: Apache-2.0
// processes_test - gangs whose members are processes, one each: they are killed, and find no NCCL,
// or an old one. On a machine with one GPU all of them are on it, which NCCL allows when each says
// it is another host (NCCL_HOSTID).
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <sstream>

#include "nccl/gang.h"

namespace gang {

// --- the child ---

static std::string hex(const weft_fabric_id &id)
{
    std::string text;
    char two[3];
    for (unsigned char b : id.bytes) snprintf(two, sizeof two, "%02x", b), text += two;
    return text;
}

static weft_fabric_id id_of(const std::string &text)
{
    weft_fabric_id id;
    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (unsigned char)std::stoi(text.substr(2 * i, 2), nullptr, 16);
    return id;
}

static std::string said(weft_status st)
{
    return st == WEFT_OK     ? "ok"
           : st == WEFT_BUSY ? "busy"
                             : std::string(wf_status_name(st)) + " " + wf_last_error();
}

static std::string obey(Member &m, Member::Phase &phase, const std::string &line)
{
    std::istringstream in(line);
    std::string word, text;
    int a = 0, b = 0;
    int64_t ticket;
    in >> word;
    if (word == "available") {
        const char *why = "";
        return fabrics()->available(&why) ? std::string("yes ") + fabrics()->version() : why;
    }
    if (word == "id") {
        weft_fabric_id id;
        const weft_status st = fabrics()->make_id(&id);
        return st == WEFT_OK ? hex(id) : said(st);
    }
    if (word == "open") {  // RANK COUNT ID
        in >> a >> b >> text;
        const weft_status st = m.open(id_of(text), a, b, a % devices()->count());
        return said(st == WEFT_OK ? m.poll(0) : st);
    }
    if (word == "run") return in >> a, text = m.run((unsigned)a), text.empty() ? "ok" : text;
    if (word == "start") return in >> a, said(m.start((unsigned)a, &phase));
    if (word == "poll") return in >> a, said(m.poll(phase.ticket, a));  // MILLISECONDS
    if (word == "finish") return text = m.finish(&phase), text.empty() ? "ok" : text;
    if (word == "hang") {  // PEER: receives what is never sent
        in >> a;
        phase.pieces.push_back({ m.room(64), { a, m.rank, 64, 0 } });
        return said(m.move({ { a, false, phase.pieces[0].memory, 64 } }, &phase.ticket));
    }
    if (word == "shrink") {  // LOST ID or none
        in >> a >> text;
        const weft_fabric_id id = text == "none" ? weft_fabric_id{} : id_of(text);
        const weft_status st = m.shrink({ a }, text == "none" ? nullptr : &id, &ticket);
        const std::string answer = said(st == WEFT_OK ? m.poll(ticket) : st);
        m.drop(&phase);
        return answer;
    }
    if (word == "close") return m.close(), "ok";
    return "what?";
}

static void child_main()
{
    Member member;
    Member::Phase phase;
    std::string line;
    while (std::getline(std::cin, line)) std::cout << obey(member, phase, line) << std::endl;
}

// Before main: a child of ours is no test program.
__attribute__((constructor)) static void become_child()
{
    if (!getenv("WEFT_TEST_CHILD")) return;
    static std::ios_base::Init streams;
    child_main();
    _exit(0);
}

// --- the parent ---

Process::Process(const std::vector<std::string> &environment)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) abort();
    std::vector<std::string> all = environment;
    all.push_back("WEFT_TEST_CHILD=1");
    for (char **e = environ; *e; e++) all.push_back(*e);
    std::vector<char *> list;
    for (auto &e : all) list.push_back(e.data());
    list.push_back(nullptr);
    char name[] = "child";
    char *arguments[] = { name, nullptr };
    pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execve("/proc/self/exe", arguments, list.data());
        _exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to = in[1], from = out[0];
}

void Process::kill()
{
    if (pid > 0) ::kill(pid, SIGKILL);
}

Process::~Process()
{
    ::close(to);
    ::close(from);
    for (int i = 0; i < 500 && waitpid(pid, nullptr, WNOHANG) == 0; i++) usleep(10000);
    if (waitpid(pid, nullptr, WNOHANG) == 0) {
        kill();
        waitpid(pid, nullptr, 0);
    }
}

void Process::tell(const std::string &line)
{
    const std::string all = line + "\n";
    EXPECT_EQ(write(to, all.data(), all.size()), (ssize_t)all.size());
}

std::string Process::answer()
{
    std::string line;
    for (char c = 0;; line += c) {
        pollfd ready = { from, POLLIN, 0 };
        if (::poll(&ready, 1, 40000) != 1 || read(from, &c, 1) != 1) return "no answer";
        if (c == '\n') return line;
    }
}

}  // namespace gang

namespace {

using gang::Process;
using Texts = std::vector<std::string>;

struct Processes : testing::Test {
    std::vector<std::unique_ptr<Process>> all;

    void SetUp() override
    {
        signal(SIGPIPE, SIG_IGN);  // of a child that was killed
        const char *why = nullptr;
        if (!gang::fabrics()->available(&why)) GTEST_SKIP() << why;
    }
    void start(int count, Texts environment = {})
    {
        for (int i = 0; i < count; i++) {
            Texts own = environment;
            own.push_back("NCCL_HOSTID=weft-test-" + std::to_string(i));
            all.push_back(std::make_unique<Process>(own));
        }
    }
    // All at once, and what they answer.
    Texts ask(const std::string &line, std::vector<int> who)
    {
        Texts answers;
        for (int i : who) all[i]->tell(line);
        for (int i : who) answers.push_back(all[i]->answer());
        return answers;
    }
    void make()
    {
        const int n = (int)all.size();
        const std::string id = all[0]->ask("id");
        for (int i = 0; i < n; i++)
            all[i]->tell("open " + std::to_string(i) + " " + std::to_string(n) + " " + id);
        for (auto &p : all) ASSERT_EQ(p->answer(), "ok");
    }
};

TEST_F(Processes, TwoMoveBlocks)
{
    start(2);
    make();
    for (int seed = 1; seed <= 20; seed++)
        EXPECT_EQ(ask("run " + std::to_string(seed), { 0, 1 }), Texts({ "ok", "ok" })) << seed;
    EXPECT_EQ(ask("close", { 0, 1 }), Texts({ "ok", "ok" }));
}

TEST_F(Processes, SurvivorsOfADeathThatNcclReportsGoOnWithANewId)
{
    if (!gang::is_stand_in()) GTEST_SKIP() << "a real NCCL may not notice";
    start(3);
    make();
    EXPECT_EQ(ask("hang 1", { 0, 2 }), Texts({ "ok", "ok" }));
    EXPECT_EQ(all[0]->ask("poll 50"), "busy");

    all[1]->kill();

    for (const auto &text : ask("poll 20000", { 0, 2 }))
        EXPECT_NE(text.find("(rank 1 is lost)"), std::string::npos) << text;
    EXPECT_EQ(ask("shrink 1 " + all[2]->ask("id"), { 0, 2 }), Texts({ "ok", "ok" }));
    EXPECT_EQ(ask("run 8", { 0, 2 }), Texts({ "ok", "ok" }));
    EXPECT_EQ(ask("close", { 0, 2 }), Texts({ "ok", "ok" }));
}

TEST_F(Processes, SurvivorsOfADeathThatOnlyTheCallerKnowsOfGoOnWithANewId)
{
    start(3, { "CUDASIM_NCCL_SILENT=1" });
    make();
    EXPECT_EQ(ask("hang 1", { 0, 2 }), Texts({ "ok", "ok" }));

    all[1]->kill();

    if (gang::is_stand_in()) {
        EXPECT_EQ(ask("poll 100", { 0, 2 }), Texts({ "busy", "busy" }));
    }
    EXPECT_EQ(ask("shrink 1 " + all[0]->ask("id"), { 0, 2 }), Texts({ "ok", "ok" }));
    EXPECT_EQ(ask("run 8", { 0, 2 }), Texts({ "ok", "ok" }));
}

TEST_F(Processes, SurvivorsOfADeathThatNcclDoesNotSeeShrinkWithoutAnId)
{
    if (!gang::is_stand_in()) GTEST_SKIP() << "a real NCCL may notice, and then refuses";
    start(4, { "CUDASIM_NCCL_SILENT=1" });
    make();
    EXPECT_EQ(ask("hang 2", { 0, 1 }), Texts({ "ok", "ok" }));

    all[2]->kill();

    EXPECT_EQ(ask("poll 50", { 0, 1 }), Texts({ "busy", "busy" }));
    EXPECT_EQ(ask("shrink 2 none", { 0, 1, 3 }), Texts({ "ok", "ok", "ok" }));
    for (int seed = 1; seed <= 5; seed++)
        EXPECT_EQ(ask("run " + std::to_string(seed), { 0, 1, 3 }), Texts({ "ok", "ok", "ok" }));
}

TEST_F(Processes, ADeathInTheMiddleOfAPhaseHurtsNobodyElsesMemory)
{
    start(3);
    make();
    for (unsigned seed = 50; seed < 53; seed++)
        EXPECT_EQ(ask("run " + std::to_string(seed), { 0, 1, 2 }), Texts(3, "ok"));
    ask("start 60", { 0, 1, 2 });
    all[1]->kill();
    usleep(20000);
    EXPECT_EQ(ask("shrink 1 " + all[2]->ask("id"), { 0, 2 }), Texts({ "ok", "ok" }));
    EXPECT_EQ(ask("run 61", { 0, 2 }), Texts({ "ok", "ok" }));
}

TEST_F(Processes, WithoutNcclSayWhatIsMissing)
{
    start(1, { "WEFT_NCCL=/nowhere/libnccl.so.2" });
    EXPECT_EQ(all[0]->ask("available"),
              "NCCL is not here: WEFT_NCCL names /nowhere/libnccl.so.2, which cannot be loaded");
    EXPECT_EQ(
        all[0]->ask("id"),
        "WEFT_UNSUPPORTED nccl: NCCL is not here: WEFT_NCCL names /nowhere/libnccl.so.2, which "
        "cannot be loaded");
}

TEST_F(Processes, WithAnOldNcclSayWhichIsNeeded)
{
    if (!gang::is_stand_in()) GTEST_SKIP() << "there is only the NCCL that is installed";
    start(1, { "CUDASIM_NCCL=2803" });
    EXPECT_EQ(all[0]->ask("available"), "NCCL 2.8.3 is too old: 2.18 or newer is needed");
    start(1, { "CUDASIM_NCCL=21703" });
    EXPECT_EQ(all[1]->ask("available"), "NCCL 2.17.3 is too old: 2.18 or newer is needed");
    start(1, { "CUDASIM_DEVICES=0" });
    EXPECT_EQ(
        all[2]->ask("available"),
        "NCCL needs a GPU, and the CUDA driver gives none: no CUDA-capable device is detected");
}

TEST_F(Processes, WithAnNcclThatCannotShrinkDoItWithAnId)
{
    if (!gang::is_stand_in()) GTEST_SKIP() << "there is only the NCCL that is installed";
    start(2, { "CUDASIM_NCCL=22602" });
    EXPECT_EQ(all[0]->ask("available"), "yes NCCL 2.26.2");
    make();
    all[1]->kill();
    EXPECT_EQ(
        all[0]->ask("shrink 1 none"),
        "WEFT_UNSUPPORTED nccl: rank 0 of 1: cannot shrink without a new id: it takes NCCL 2.27.3");
    EXPECT_EQ(all[0]->ask("shrink 0 " + all[0]->ask("id")),
              "WEFT_INVALID nccl: shrink: expected different ranks other than 0 of 1");
}

}  // namespace
