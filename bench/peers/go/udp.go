/* SPDX-License-Identifier: MIT */
/*
 * UDP echo: one socket, and a goroutine that reads and answers for each worker.
 * AddrPort is the form that allocates nothing.
 */
package main

import (
	"fmt"
	"net"
)

func answer(conn *net.UDPConn) {
	buffer := make([]byte, 16384)
	for {
		got, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			fail(err.Error())
		}
		conn.WriteToUDPAddrPort(buffer[:got], from)
	}
}

func echoUDP(port, workers int) {
	at := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	conn, err := net.ListenUDP("udp4", at)
	if err != nil {
		fail(err.Error())
	}
	fmt.Println("listening on", conn.LocalAddr())
	for i := 1; i < workers; i++ {
		go answer(conn)
	}
	answer(conn)
}
