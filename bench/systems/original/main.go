// Original is the original's own package of 2015, unchanged, for the benchmark: gob over TCP, as its examples have it.
//
//	original serve   a server, which says where it listens, and ends with its standard input
//	original         the ends that the benchmark asks for: see calls.go
package main

import (
	"fmt"
	"io"
	"net"
	"os"

	"github.com/gburgessiv/mp"
)

func main() {
	run := answerCalls
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		run = serve
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("tcp://" + listener.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	everybody := func(string, []byte) bool { return true }
	return mp.NewServer(everybody, mp.NewGobTranslator).Listen(listener)
}
