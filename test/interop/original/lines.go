package main

import (
	"cmp"
	"encoding/json"
	"os"
	"sync"
)

// A line is what the test says or hears: a command, its answer, or an event.
type line struct {
	ID         int      `json:"id,omitempty"`
	Do         string   `json:"do,omitempty"`
	Event      string   `json:"event,omitempty"`
	Connection int      `json:"connection,omitempty"`
	Peer       string   `json:"peer,omitempty"`
	Protocol   string   `json:"protocol,omitempty"`
	Count      int      `json:"count,omitempty"`
	Messages   [][]byte `json:"messages,omitempty"`
	Error      string   `json:"error,omitempty"`
}

var (
	output     = json.NewEncoder(os.Stdout)
	outputLock sync.Mutex
)

func say(said line) {
	outputLock.Lock()
	defer outputLock.Unlock()
	// Where nobody listens any more there is nobody to tell.
	_ = output.Encode(said)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	// An empty one would be taken for none.
	return cmp.Or(err.Error(), "an error without a text")
}
