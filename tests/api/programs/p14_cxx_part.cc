#include <mayfly.h>
#include <atomic>
#include <cstdio>

struct job { int id; };
MF_TASK_DEFINE(work, job);

static std::atomic<int> done, unwound;

struct guard {
    ~guard() { unwound++; }
};

static int work(job *j)
{
    guard g;

    done += j->id;
    return mf_sleep(MF_MSEC(1));
}

static int body(void *)
{
    int rc;
    {
        MF_SCOPE(s, .deadline = mf_after(MF_SEC(5)));
        for (int i = 0; i < 10; i++)
            work_go(&s, {i});
        mf_go(&s, [](void *p) -> int { *static_cast<std::atomic<int> *>(p) += 7; return 0; }, &done);
        MF_SHIELD(mf_after(MF_MSEC(10))) {
            if (mf_sleep(MF_MSEC(1)) < 0)
                std::printf("?\n");
        }
        rc = mf_scope_close(&s);
    }
    {
        MF_SCOPE(s, .mode = MF_WAIT_ALL);
        mf_go(&s, [](void *) -> int { guard g; mf_panic("%s", "unwind"); }, nullptr);
        mf_go(&s, [](void *) -> int { guard g; mf_exit(0); }, nullptr);
        if (mf_scope_close(&s) >= 0)
            std::printf("a panic went unseen\n");
    }
    std::printf("done %d, unwound %d\n", done.load(), unwound.load());
    return rc;
}

int main()
{
    mf_options o;
    o.workers = 1;
    int rc = mf_run(body, nullptr, &o);
    return rc < 0 ? 1 : mf_run([](void *) -> int { return 0; }, nullptr, MF_OPTIONS(.workers = 2));
}
