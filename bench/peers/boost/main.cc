/* SPDX-License-Identifier: MIT */
/*
 * The Boost.Fiber peer: the work of bench/micro/chan.c and lock.c, written the
 * way one writes it with Boost.Fiber.
 *
 *      boost-peer NAME [-w workers] [-n count]     prints "name value unit"
 *
 * Two workers are two threads with the work_stealing scheduler, which may leave
 * both fibers on one of them. The _across benchmarks have two threads with a
 * scheduler each, pinned, and on each of them a fiber that yields all the time.
 * There is no select and no semaphore in Boost.Fiber.
 */
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include <boost/fiber/all.hpp>

namespace fibers = boost::fibers;
using fibers::channel_op_status;
using rendezvous_chan = fibers::unbuffered_channel<long>;
using buffered_chan = fibers::buffered_channel<long>;

static void report(const char *name, double value, const char *unit)
{
    std::printf("%s %.3f %s\n", name, value, unit);
    std::fflush(stdout);
}

static void check(bool good, const char *what)
{
    if (good)
        return;
    std::fprintf(stderr, "boost-peer: %s\n", what);
    _exit(1);
}

using time_point = std::chrono::steady_clock::time_point;

static time_point now()
{
    return std::chrono::steady_clock::now();
}

static double per_op(time_point start, time_point end, long n)
{
    return std::chrono::duration<double, std::nano>(end - start).count() /
           double(n);
}

/* ---- where fibers run --------------------------------------------------- */

/*
 * fn in a fiber of this thread, while workers - 1 others take fibers from it.
 * The scheduler's constructor waits until there is one in each of the threads.
 */
template <class Fn> static void with_workers(unsigned workers, Fn fn)
{
    using fibers::algo::work_stealing;
    fibers::mutex mutex;
    fibers::condition_variable ended;
    bool over = false;
    std::vector<std::thread> others;

    for (unsigned i = 1; i < workers; i++)
        others.emplace_back([&] {
            fibers::use_scheduling_algorithm<work_stealing>(workers);
            std::unique_lock<fibers::mutex> lock(mutex);
            ended.wait(lock, [&] { return over; });
        });
    if (workers > 1)
        fibers::use_scheduling_algorithm<work_stealing>(workers);
    fn();
    {
        std::unique_lock<fibers::mutex> lock(mutex);
        over = true;
    }
    ended.notify_all();
    for (auto &t : others)
        t.join();
}

static void pin_to(unsigned i)
{
    cpu_set_t allowed, one;
    unsigned cpu = 0;

    check(sched_getaffinity(getpid(), sizeof allowed, &allowed) == 0 &&
              unsigned(CPU_COUNT(&allowed)) > i,
          "two CPUs are needed");
    while (!CPU_ISSET(cpu, &allowed) || i-- > 0)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    check(sched_setaffinity(0, sizeof one, &one) == 0, "no such CPU");
}

/* lead and follow on a thread each; both threads are busy all the time. */
template <class Lead, class Follow> static void apart(Lead lead, Follow follow)
{
    std::atomic<int> met{0};
    std::atomic<bool> over{false};
    auto meet = [&] {
        met++;
        while (met < 4)
            boost::this_fiber::yield();
    };
    auto busy = [&] {
        meet();
        while (!over)
            boost::this_fiber::yield();
    };
    std::thread other([&] {
        pin_to(1);
        fibers::fiber f(follow, meet), b(busy);
        f.join();
        b.join();
    });
    std::thread mine([&] {
        pin_to(0);
        fibers::fiber b(busy), l([&] {
            lead(meet);
            over = true;
        });
        l.join();
        b.join();
    });

    mine.join();
    other.join();
}

static void nothing()
{
}

/* ---- channels ----------------------------------------------------------- */

struct trip {
    rendezvous_chan there, back;
    long n, followed = 0;
    time_point start, end;

    explicit trip(long count) : n(count)
    {
    }

    template <class Meet> void ask(Meet meet)
    {
        long answer = -1;

        meet();
        start = now();
        for (long i = 0; i < n; i++) {
            check(there.push(i) == channel_op_status::success, "push");
            check(back.pop(answer) == channel_op_status::success, "pop");
            check(answer == -i, "an answer is wrong");
        }
        end = now();
        there.close();
    }

    template <class Meet> void answer(Meet meet)
    {
        long question = -1;

        meet();
        while (there.pop(question) == channel_op_status::success) {
            check(question == followed++, "a question is wrong");
            check(back.push(-question) == channel_op_status::success, "push");
        }
    }

    void tell(const char *name)
    {
        check(followed == n, "questions are missing");
        report(name, per_op(start, end, n), "ns");
    }
};

static void rendezvous(unsigned workers, long n)
{
    trip t(n);

    with_workers(workers, [&] {
        fibers::fiber answer([&] { t.answer(nothing); });
        fibers::fiber ask([&] { t.ask(nothing); });

        ask.join();
        answer.join();
    });
    t.tell("rendezvous");
}

static void rendezvous_across(unsigned, long n)
{
    trip t(n);

    apart([&](auto meet) { t.ask(meet); }, [&](auto meet) { t.answer(meet); });
    t.tell("rendezvous_across");
}

struct flow {
    buffered_chan c{128}; /* a ring of 128 places, one of them always free */
    long n, got = 0;
    time_point start, end;

    explicit flow(long count) : n(count)
    {
    }

    template <class Meet> void pour(Meet meet)
    {
        meet();
        for (long i = 0; i < n; i++)
            check(c.push(i) == channel_op_status::success, "push");
        c.close();
    }

    template <class Meet> void drain(Meet meet)
    {
        long value = -1;

        meet();
        start = now();
        while (c.pop(value) == channel_op_status::success)
            check(value == got++, "an element is wrong");
        end = now();
    }

    void tell(const char *name)
    {
        check(got == n, "elements are missing");
        report(name, per_op(start, end, n), "ns");
    }
};

static void buffered(unsigned workers, long n)
{
    flow f(n);

    with_workers(workers, [&] {
        fibers::fiber drain([&] { f.drain(nothing); });
        fibers::fiber pour([&] { f.pour(nothing); });

        pour.join();
        drain.join();
    });
    f.tell("buffered");
}

static void buffered_across(unsigned, long n)
{
    flow f(n);

    apart([&](auto meet) { f.drain(meet); }, [&](auto meet) { f.pour(meet); });
    f.tell("buffered_across");
}

static double rss()
{
    std::ifstream status("/proc/self/status");
    std::string line;

    while (std::getline(status, line))
        if (line.rfind("VmRSS:", 0) == 0)
            return std::strtod(line.c_str() + 6, nullptr) * 1024;
    check(false, "no VmRSS");
    return 0;
}

/* Resident bytes for each of n; they are kept in all. */
template <class Make, class Chan>
static double idle_bytes(std::vector<std::unique_ptr<Chan>> &all, long n,
                         Make make)
{
    double before = rss();

    for (long i = 0; i < n; i++) {
        all[size_t(i)] = make();
        check(all[size_t(i)] != nullptr, "no channel");
    }
    return (rss() - before) / double(n);
}

static void chan_memory(unsigned, long n)
{
    std::vector<std::unique_ptr<rendezvous_chan>> all{size_t(n)};
    std::vector<std::unique_ptr<buffered_chan>> more{size_t(n / 4 + 1)};
    auto one = [] { return std::make_unique<rendezvous_chan>(); };
    auto other = [] {
        auto c = std::make_unique<buffered_chan>(128);
        long value = -1;

        check(c->try_push(7) == channel_op_status::success &&
                  c->try_pop(value) == channel_op_status::success && value == 7,
              "an element is wrong");
        return c;
    };

    idle_bytes(all, 1, one);
    idle_bytes(more, 1, other);
    report("chan_bytes", idle_bytes(all, n, one), "B");
    report("chan_128_bytes", idle_bytes(more, n / 4 + 1, other), "B");
}

/* ---- the mutex ---------------------------------------------------------- */

static void mutex(unsigned, long n)
{
    fibers::mutex m;
    long guarded = 0;
    time_point start = now();

    for (long i = 0; i < n; i++) {
        m.lock();
        guarded++;
        m.unlock();
    }
    report("mutex", per_op(start, now(), n), "ns");
    check(guarded == n, "the count is wrong");
}

static void mutex_8(unsigned workers, long n)
{
    constexpr int TASKS = 8;
    const long each = n / TASKS + 1;
    fibers::mutex m;
    std::atomic<int> met{0};
    long guarded = 0;

    with_workers(workers, [&] {
        std::vector<fibers::fiber> all;
        time_point start = now();

        for (int i = 0; i < TASKS; i++)
            all.emplace_back([&] {
                met++;
                while (met < TASKS)
                    boost::this_fiber::yield();
                for (long j = 0; j < each; j++) {
                    std::lock_guard<fibers::mutex> lock(m);
                    guarded++;
                }
            });
        for (auto &f : all)
            f.join();
        report("mutex_8", per_op(start, now(), each * TASKS), "ns");
    });
    check(guarded == each * TASKS, "the count is wrong");
}

int main(int argc, char **argv)
{
    struct micro {
        void (*run)(unsigned workers, long n);
        long count;
    };
    const std::map<std::string, micro> micros = {
        {"rendezvous", {rendezvous, 2000000}},
        {"rendezvous_across", {rendezvous_across, 200000}},
        {"buffered", {buffered, 10000000}},
        {"buffered_across", {buffered_across, 2000000}},
        {"chan_memory", {chan_memory, 400000}},
        {"mutex", {mutex, 20000000}},
        {"mutex_8", {mutex_8, 10000000}},
    };
    auto it = micros.find(argc > 1 ? argv[1] : "");
    unsigned workers = 1;
    long n = 0;
    int c;

    check(it != micros.end(), "which benchmark?");
    optind = 2;
    while ((c = getopt(argc, argv, "w:n:")) != -1) {
        check(c == 'w' || c == 'n', "what option?");
        if (c == 'w')
            workers = unsigned(std::strtoul(optarg, nullptr, 10));
        else
            n = std::strtol(optarg, nullptr, 10);
    }
    check(workers > 0 && n >= 0, "a number is wrong");
    it->second.run(workers, n > 0 ? n : it->second.count);
    return 0;
}
