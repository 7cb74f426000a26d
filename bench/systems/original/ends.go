package main

import (
	"crypto/rand"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gburgessiv/mp"
)

// Ends are those of this process, all of one role.
type ends struct {
	senders []*sender
	// What has arrived in this round so far, at all receivers together.
	messages, payloadBytes atomic.Int64
	// One for each stream that is over.
	over chan struct{}
}

type sender struct {
	client  *mp.Client
	peer    string
	stopped *atomic.Bool
	sent    chan sent
	echo    mp.Connection
}

// sent is what became of a stream.
type sent struct {
	messages int64
	err      error
}

type dial struct {
	URL  string `json:"url"`
	Name string `json:"name"`
	Peer string `json:"peer"`
}

type connect struct {
	Role  string `json:"role"`
	Dials []dial `json:"dials"`
}

func (e *ends) connect(argument connect) (any, error) {
	e.over = make(chan struct{}, len(argument.Dials))
	for _, d := range argument.Dials {
		link, err := net.Dial("tcp", strings.TrimPrefix(d.URL, "tcp://"))
		if err != nil {
			return nil, err
		}
		handler := mp.NewMappedConnectionHandler()
		handler.AddMapping("echo", echo)
		handler.AddMapping("stream", e.count)
		client := mp.NewClient(d.Name, link, mp.NewGobTranslator, handler)
		if err := client.Authenticate(nil); err != nil {
			return nil, err
		}
		go func() { _ = client.Run() }()
		if argument.Role == "sender" {
			e.senders = append(e.senders, &sender{client: client, peer: d.Peer})
		}
	}
	return nil, nil
}

// Of sending ends.

type streams struct {
	MessageBytes int `json:"messageBytes"`
}

type messageCount struct {
	Messages int64 `json:"messages"`
}

func (e *ends) startStreams(argument streams) (any, error) {
	message := make([]byte, argument.MessageBytes)
	_, _ = rand.Read(message)
	for _, s := range e.senders {
		connection, err := s.client.MakeConnection(s.peer, "stream")
		if err != nil {
			return nil, err
		}
		s.stopped, s.sent = &atomic.Bool{}, make(chan sent, 1)
		go s.send(connection, message)
	}
	return nil, nil
}

// The package holds a sender up by itself: a write waits while the other end doesn't read.
func (s *sender) send(connection mp.Connection, message []byte) {
	var over sent
	for !s.stopped.Load() && over.err == nil {
		if over.err = connection.WriteMessage(message); over.err == nil {
			over.messages++
		}
	}
	_ = connection.Close()
	s.sent <- over
}

func (e *ends) stopStreams(struct{}) (messageCount, error) {
	for _, s := range e.senders {
		s.stopped.Store(true)
	}
	var messages int64
	for _, s := range e.senders {
		over := <-s.sent
		if over.err != nil {
			return messageCount{}, over.err
		}
		messages += over.messages
	}
	return messageCount{messages}, nil
}

func (e *ends) timeRoundTrips(round timedRound) (latencies, error) {
	s := e.senders[0]
	if s.echo == nil {
		connection, err := s.client.MakeConnection(s.peer, "echo")
		if err != nil {
			return latencies{}, err
		}
		s.echo = connection
	}
	return timeEach(round, func(message []byte) (func() error, error) {
		return func() error { return nil }, exchange(s.echo, message)
	})
}

func (e *ends) timeOpens(round timedRound) (latencies, error) {
	s := e.senders[0]
	return timeEach(round, func(message []byte) (func() error, error) {
		connection, err := s.client.MakeConnection(s.peer, "echo")
		if err != nil {
			return nil, err
		}
		return connection.Close, exchange(connection, message)
	})
}

func exchange(connection mp.Connection, message []byte) error {
	if err := connection.WriteMessage(message); err != nil {
		return err
	}
	_, err := connection.ReadMessage()
	return err
}

// Of receiving ends.

type finish struct {
	StreamsEach int `json:"streamsEach"`
}

func (e *ends) finishStreams(argument finish) (messageCount, error) {
	for range argument.StreamsEach * cap(e.over) {
		<-e.over
	}
	e.payloadBytes.Store(0)
	return messageCount{e.messages.Swap(0)}, nil
}

func (e *ends) count(connection mp.Connection) {
	for {
		message, err := connection.ReadMessage()
		if err != nil {
			break
		}
		e.messages.Add(1)
		e.payloadBytes.Add(int64(len(message)))
	}
	e.over <- struct{}{}
}

func echo(connection mp.Connection) {
	for {
		message, err := connection.ReadMessage()
		if err != nil || connection.WriteMessage(message) != nil {
			return
		}
	}
}

// Of both.

type snapshot struct {
	TimeMs       float64 `json:"timeMs"`
	CPUMs        float64 `json:"cpuMs"`
	PayloadBytes int64   `json:"payloadBytes"`
}

var started = time.Now()

func (e *ends) snapshot(struct{}) (snapshot, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return snapshot{milliseconds(time.Since(started)), milliseconds(cpu), e.payloadBytes.Load()}, err
}

func milliseconds(duration time.Duration) float64 {
	return duration.Seconds() * 1_000
}
