// Original is a client made of the original's own package of 2015, unchanged, for a test to lead:
//
//	MP_SECRET=… original -url ws://127.0.0.1:8787/connect/default -name alice -format gob
//
// It takes Connections of two protocols: "echo" sends back whatever comes, as in the package's own documentation, and
// "talk" is left to commands. Each of these is a line of JSON on standard input, and is answered by one on standard
// output with the same id. Messages are in base64, or null for one without bytes:
//
//	{"id":1,"do":"open","peer":"bob","protocol":"echo"}          {"id":1,"connection":1}
//	{"id":2,"do":"write","connection":1,"messages":["SGk="]}     {"id":2}
//	{"id":3,"do":"read","connection":1,"count":1}                {"id":3,"messages":["SGk="]}
//	{"id":4,"do":"close","connection":1}                         {"id":4}
//
// An answer has an "error" where the package returned one. Lines that answer nothing have an "event" instead of an id:
// "ready" when the client has been let in or, with an error, has not; "incoming" for a Connection of "talk", with its
// number and its peer; "over" when the package has given up the link. Standard input's end closes the client.
package main

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/coder/websocket"
	"github.com/gburgessiv/mp"
)

// A format is one of the two in which the original writes its messages.
type format struct {
	subprotocol string
	// What the router sends in it. NetConn takes no other kind.
	messageType websocket.MessageType
	translator  mp.TranslatorMaker
}

var formats = map[string]format{
	"gob":  {"mp.v0.gob", websocket.MessageBinary, mp.NewGobTranslator},
	"json": {"mp.v0.json", websocket.MessageText, mp.NewJSONTranslator},
}

func main() {
	url := flag.String("url", "", "the `address` of the router and the realm, as in ws://127.0.0.1:8787/connect/default")
	name := flag.String("name", "", "the `name` of the client, whose secret is in MP_SECRET")
	claim := flag.String("claim", "", "another `name` for the client's first message than for the upgrade")
	formatName := flag.String("format", "gob", "gob or json")
	flag.Parse()
	chosen, isFormat := formats[*formatName]
	if !isFormat || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *claim == "" {
		claim = name
	}
	if err := run(*url, *name, *claim, os.Getenv("MP_SECRET"), chosen); err != nil {
		say(line{Event: "ready", Error: err.Error()})
		os.Exit(1)
	}
}

// run returns an error only where the client was not let in.
func run(url, name, claim, secret string, chosen format) error {
	link, err := dial(url, name, secret, chosen)
	if err != nil {
		return err
	}
	table := newTable()
	client := mp.NewClient(claim, link, chosen.translator, table.handler())
	defer client.Close()
	if err := client.Authenticate([]byte(secret)); err != nil {
		return err
	}
	say(line{Event: "ready"})
	go func() {
		say(line{Event: "over", Error: text(client.Run())})
	}()
	table.obey(client, os.Stdin)
	return nil
}

// dial opens a WebSocket in place of the TCP connection that the original's clients had.
func dial(url, name, secret string, chosen format) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	credentials := base64.StdEncoding.EncodeToString([]byte(name + ":" + secret))
	socket, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPHeader:   http.Header{"Authorization": {"Basic " + credentials}},
		Subprotocols: []string{chosen.subprotocol},
	})
	if err != nil {
		return nil, err
	}
	if got := socket.Subprotocol(); got != chosen.subprotocol {
		socket.CloseNow()
		return nil, fmt.Errorf("the router speaks %q, not %s", got, chosen.subprotocol)
	}
	return websocket.NetConn(context.Background(), socket, chosen.messageType), nil
}
