/* SPDX-License-Identifier: MIT */
/*
 * The Go peer: the same work as bench/micro and the echo servers, written the
 * way one writes it in Go, standard library only.
 *
 *	peer NAME [-w workers] [-n count]	prints "name value unit" lines
 *	peer echo [-p port] [-t workers]	a TCP echo server
 *	peer echo_udp [-p port] [-t workers]	a UDP echo server
 */
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func report(name string, value float64, unit string) {
	fmt.Printf("%s %.3f %s\n", name, value, unit)
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, "peer:", what)
	os.Exit(1)
}

func perOp(start time.Time, n int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func yieldAmong(name string, tasks, n int) {
	var wg sync.WaitGroup
	each := n / tasks
	start := time.Now()
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for j := 0; j < each; j++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	report(name, perOp(start, each*tasks), "ns")
}

func yield(n int) {
	yieldAmong("yield_2", 2, n)
	yieldAmong("yield_1000", 1000, n)
}

func spawnJoin(n int) {
	sum := 0
	start := time.Now()
	for i := 0; i < n; i++ {
		done := make(chan int, 1)
		go func() { done <- 1 }()
		sum += <-done
	}
	report("spawn_join", perOp(start, n), "ns")
	if sum != n {
		fail("spawn_join: a result is wrong")
	}
}

func spawnBatch(n int) {
	for round := 1; round <= 3; round++ {
		ran := make([]byte, n)
		var wg sync.WaitGroup
		start := time.Now()
		wg.Add(n)
		for i := 0; i < n; i++ {
			slot := &ran[i]
			go func() { *slot = 1; wg.Done() }()
		}
		wg.Wait()
		report(fmt.Sprintf("spawn_batch_%d", round), perOp(start, n), "ns")
		for _, b := range ran {
			if b != 1 {
				fail("spawn_batch: a task did not run")
			}
		}
	}
}

func parkUnpark(n int) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for i := 0; i < n; i++ {
			pong <- <-ping
		}
	}()
	start := time.Now()
	for i := 0; i < n; i++ {
		ping <- i
		if <-pong != i {
			fail("park_unpark: a message is wrong")
		}
	}
	report("park_unpark", perOp(start, n), "ns")
}

func leaves(num, size int) int {
	if size == 1 {
		return num
	}
	var wg sync.WaitGroup
	var sums [10]int
	wg.Add(10)
	for i := range sums {
		go func(i int) {
			sums[i] = leaves(num+i*(size/10), size/10)
			wg.Done()
		}(i)
	}
	wg.Wait()
	sum := 0
	for _, s := range sums {
		sum += s
	}
	return sum
}

func skynet(n int) {
	for round := 1; round <= 3; round++ {
		start := time.Now()
		sum := leaves(0, n)
		report(fmt.Sprintf("skynet_%d", round), perOp(start, 1000000), "ms")
		if sum != n*(n-1)/2 {
			fail("skynet: the sum is wrong")
		}
	}
}

func statusBytes(key string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, key) {
			var kib float64
			fmt.Sscanf(line[len(key):], "%f", &kib)
			return kib * 1024
		}
	}
	fail("no " + key + " in /proc/self/status")
	return 0
}

func residentBytes() float64 {
	return statusBytes("VmRSS:") + statusBytes("VmPTE:")
}

func parked(n int) {
	var here int64
	var wg sync.WaitGroup
	gate := make(chan int)
	before := residentBytes()
	start := time.Now()
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			atomic.AddInt64(&here, 1)
			<-gate
			wg.Done()
		}()
	}
	for atomic.LoadInt64(&here) < int64(n) {
		time.Sleep(time.Millisecond)
	}
	report("parked_create", perOp(start, n), "ns")
	report("parked_bytes", (residentBytes()-before)/float64(n), "B")
	start = time.Now()
	close(gate)
	wg.Wait()
	report("parked_end", perOp(start, n), "ns")
}

func serve(conn net.Conn) {
	buffer := make([]byte, 16384)
	defer conn.Close()
	for {
		got, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err = conn.Write(buffer[:got]); err != nil {
			return
		}
	}
}

/* net sets TCP_NODELAY by default; the other servers do not: undo it. */
func echo(port int) {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		fail(err.Error())
	}
	fmt.Println("listening on", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			fail(err.Error())
		}
		conn.(*net.TCPConn).SetNoDelay(false)
		go serve(conn)
	}
}

func main() {
	micros := map[string]struct {
		run   func(n int)
		count int
	}{
		"yield":       {yield, 5000000},
		"spawn_join":  {spawnJoin, 1000000},
		"spawn_batch": {spawnBatch, 1000000},
		"park_unpark": {parkUnpark, 2000000},
		"skynet":      {skynet, 1000000},
		"parked":      {parked, 1000000},

		"rendezvous":     {rendezvous, 2000000},
		"buffered":       {buffered, 10000000},
		"chan_memory":    {chanMemory, 400000},
		"mutex":          {mutex, 20000000},
		"mutex_8":        {mutex8, 10000000},
		"sem":            {sem, 20000000},
		"select_ready":   {selectReady, 2000000},
		"select_blocked": {selectBlocked, 2000000},
	}
	if len(os.Args) < 2 {
		fail("which benchmark?")
	}
	flags := flag.NewFlagSet("peer", flag.ExitOnError)
	workers := flags.Int("w", 1, "workers")
	threads := flags.Int("t", 1, "workers of echo")
	count := flags.Int("n", 0, "how many; 0: the default")
	port := flags.Int("p", 0, "port of echo")
	flags.Parse(os.Args[2:])
	if os.Args[1] == "echo" {
		runtime.GOMAXPROCS(*threads)
		echo(*port)
	}
	if os.Args[1] == "echo_udp" {
		runtime.GOMAXPROCS(*threads)
		echoUDP(*port, *threads)
	}
	micro, known := micros[os.Args[1]]
	if !known {
		fail("no benchmark named " + os.Args[1])
	}
	if *count == 0 {
		*count = micro.count
	}
	runtime.GOMAXPROCS(*workers)
	micro.run(*count)
}
