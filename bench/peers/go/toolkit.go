/* SPDX-License-Identifier: MIT */
/*
 * Channels, select and locks: the work of bench/micro/chan.c, select.c and
 * lock.c. A goroutine cannot be put on a worker of one's choice, so there is no
 * counterpart of the _across benchmarks. The semaphore is a buffered channel,
 * as one writes it with the standard library.
 */
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func rendezvous(n int) {
	there, back := make(chan int), make(chan int)
	go func() {
		for v := range there {
			back <- -v
		}
	}()
	start := time.Now()
	for i := 0; i < n; i++ {
		there <- i
		if <-back != -i {
			fail("rendezvous: an answer is wrong")
		}
	}
	close(there)
	report("rendezvous", perOp(start, n), "ns")
}

func buffered(n int) {
	c := make(chan int, 128)
	start := time.Now()
	go func() {
		for i := 0; i < n; i++ {
			c <- i
		}
		close(c)
	}()
	got := 0
	for v := range c {
		if v != got {
			fail("buffered: an element is wrong")
		}
		got++
	}
	report("buffered", perOp(start, n), "ns")
	if got != n {
		fail("buffered: elements are missing")
	}
}

/* Resident bytes for each of all, used once. */
func idleBytes(all []chan int, capacity int) float64 {
	before := statusBytes("VmRSS:")
	for i := range all {
		all[i] = make(chan int, capacity)
		if capacity > 0 {
			all[i] <- i
			if <-all[i] != i {
				fail("chan_memory: an element is wrong")
			}
		}
	}
	return (statusBytes("VmRSS:") - before) / float64(len(all))
}

func chanMemory(n int) {
	all := make([]chan int, n+n/4+1)
	nobody := make(chan int)
	for i := range all {
		all[i] = nobody
	}
	idleBytes(all[:1], 0)
	idleBytes(all[:1], 1)
	report("chan_bytes", idleBytes(all[:n], 0), "B")
	report("chan_128_bytes", idleBytes(all[n:], 128), "B")
	runtime.KeepAlive(all)
}

func mutex(n int) {
	var m sync.Mutex
	guarded := 0
	start := time.Now()
	for i := 0; i < n; i++ {
		m.Lock()
		guarded++
		m.Unlock()
	}
	report("mutex", perOp(start, n), "ns")
	if guarded != n {
		fail("mutex: the count is wrong")
	}
}

func mutex8(n int) {
	const tasks = 8
	var m sync.Mutex
	var here, done sync.WaitGroup
	guarded, each := 0, n/tasks+1
	here.Add(tasks)
	done.Add(tasks)
	start := time.Now()
	for i := 0; i < tasks; i++ {
		go func() {
			here.Done()
			here.Wait()
			for j := 0; j < each; j++ {
				m.Lock()
				guarded++
				m.Unlock()
			}
			done.Done()
		}()
	}
	done.Wait()
	report("mutex_8", perOp(start, each*tasks), "ns")
	if guarded != each*tasks {
		fail("mutex_8: the count is wrong")
	}
}

func sem(n int) {
	permits := make(chan struct{}, 1)
	taken := 0
	start := time.Now()
	for i := 0; i < n; i++ {
		permits <- struct{}{}
		taken++
		<-permits
	}
	report("sem", perOp(start, n), "ns")
	if taken != n || len(permits) != 0 {
		fail("sem: the count is wrong")
	}
}

type sources struct {
	c    [4]chan int
	sent [4]int
	got  [4]int
}

func makeSources(capacity int) *sources {
	s := new(sources)
	for i := range s.c {
		s.c[i] = make(chan int, capacity)
	}
	return s
}

func (s *sources) took(i, v int) {
	if v != s.got[i] {
		fail("select: an element is wrong")
	}
	s.got[i]++
}

func (s *sources) take() {
	select {
	case v := <-s.c[0]:
		s.took(0, v)
	case v := <-s.c[1]:
		s.took(1, v)
	case v := <-s.c[2]:
		s.took(2, v)
	case v := <-s.c[3]:
		s.took(3, v)
	}
}

/* Each channel holds as many as there are selects before the next refill. */
func ready(name string, n int, all bool) {
	const batch = 256
	s := makeSources(batch)
	var spent time.Duration
	done := 0
	for turn := 0; done < n; turn = (turn + 1) % 4 {
		for i := range s.c {
			for (all || i == turn) && s.sent[i]-s.got[i] < batch {
				s.c[i] <- s.sent[i]
				s.sent[i]++
			}
		}
		start := time.Now()
		for i := 0; i < batch; i++ {
			s.take()
		}
		spent += time.Since(start)
		done += batch
	}
	report(name, float64(spent.Nanoseconds())/float64(done), "ns")
	for i := range s.c {
		if s.got[i] == 0 && done >= 4*batch {
			fail("select: a channel never won")
		}
		for s.got[i] < s.sent[i] {
			s.took(i, <-s.c[i])
		}
	}
}

func selectReady(n int) {
	ready("select_ready", n, true)
	ready("select_one_ready", n, false)
}

/* The sender sends when the receiver is about to wait, then yields to it. */
func selectBlocked(n int) {
	s := makeSources(0)
	var waits int32
	var wg sync.WaitGroup
	random := uint32(88675123)
	wg.Add(1)
	start := time.Now()
	go func() {
		for i := 0; i < n; i++ {
			atomic.StoreInt32(&waits, 1)
			s.take()
		}
		wg.Done()
	}()
	for i := 0; i < n; i++ {
		random ^= random << 13
		random ^= random >> 17
		random ^= random << 5
		to := random % 4
		for atomic.LoadInt32(&waits) == 0 {
			runtime.Gosched()
		}
		atomic.StoreInt32(&waits, 0)
		s.c[to] <- s.sent[to]
		s.sent[to]++
	}
	wg.Wait()
	report("select_blocked", perOp(start, n), "ns")
	if s.got != s.sent {
		fail("select: elements are missing")
	}
}
