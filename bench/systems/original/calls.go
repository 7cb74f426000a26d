package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// A call is what the benchmark asks: bench/processes/ends-process.ts has them in TypeScript.
type call struct {
	ID       int             `json:"id"`
	Name     string          `json:"name"`
	Argument json.RawMessage `json:"argument"`
}

type answer struct {
	ID     int    `json:"id"`
	Answer any    `json:"answer"`
	Error  string `json:"error,omitempty"`
}

type handler func(*ends, json.RawMessage) (any, error)

var handlers = map[string]handler{
	"connect":        handlerOf((*ends).connect),
	"snapshot":       handlerOf((*ends).snapshot),
	"startStreams":   handlerOf((*ends).startStreams),
	"stopStreams":    handlerOf((*ends).stopStreams),
	"timeRoundTrips": handlerOf((*ends).timeRoundTrips),
	"timeOpens":      handlerOf((*ends).timeOpens),
	"finishStreams":  handlerOf((*ends).finishStreams),
}

func handlerOf[Argument, Answer any](handle func(*ends, Argument) (Answer, error)) handler {
	return func(e *ends, encoded json.RawMessage) (any, error) {
		var argument Argument
		if err := json.Unmarshal(encoded, &argument); err != nil {
			return nil, err
		}
		return handle(e, argument)
	}
}

// answerCalls answers one line of JSON after the other on Node's IPC channel, until the benchmark is gone.
func answerCalls() error {
	descriptor, err := strconv.Atoi(os.Getenv("NODE_CHANNEL_FD"))
	if err != nil {
		return errors.New("the benchmark starts this, with a NODE_CHANNEL_FD")
	}
	channel, err := net.FileConn(os.NewFile(uintptr(descriptor), "channel"))
	if err != nil {
		return err
	}
	e := &ends{}
	lines, output := bufio.NewScanner(channel), json.NewEncoder(channel)
	for lines.Scan() {
		var asked call
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		handle, isCall := handlers[asked.Name]
		if !isCall {
			return fmt.Errorf("there is no call %q", asked.Name)
		}
		said := answer{ID: asked.ID}
		if said.Answer, err = handle(e, asked.Argument); err != nil {
			// An empty one would be taken for none.
			said.Error = cmp.Or(err.Error(), "an error without a text")
		}
		if err := output.Encode(said); err != nil {
			return err
		}
	}
	return lines.Err()
}
