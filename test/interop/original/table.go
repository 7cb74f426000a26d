package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/gburgessiv/mp"
)

// A table has the Connections that commands are about, by the numbers that they go by.
type table struct {
	lock        sync.Mutex
	connections map[int]mp.Connection
}

func newTable() *table {
	return &table{connections: map[int]mp.Connection{}}
}

func (t *table) add(connection mp.Connection) int {
	t.lock.Lock()
	defer t.lock.Unlock()
	number := len(t.connections) + 1
	t.connections[number] = connection
	return number
}

func (t *table) get(number int) (mp.Connection, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if connection, ok := t.connections[number]; ok {
		return connection, nil
	}
	return nil, fmt.Errorf("there is no Connection %d", number)
}

// handler has all the protocols that this client takes; the package refuses others by itself.
func (t *table) handler() mp.NewConnectionHandler {
	handler := mp.NewMappedConnectionHandler()
	handler.AddMapping("echo", echo)
	handler.AddMapping("talk", func(connection mp.Connection) {
		say(line{Event: "incoming", Connection: t.add(connection), Peer: connection.OtherClient()})
	})
	return handler
}

func echo(connection mp.Connection) {
	defer connection.Close()
	for {
		message, err := connection.ReadMessage()
		if err != nil {
			return
		}
		if connection.WriteMessage(message) != nil {
			return
		}
	}
}

// obey carries out commands until there are no more. Each by itself, since a read may wait for a later write: what has
// to be in order, the test says only after the answer to what is before it.
func (t *table) obey(client *mp.Client, commands io.Reader) {
	decoder := json.NewDecoder(commands)
	for {
		var command line
		if decoder.Decode(&command) != nil {
			return
		}
		go func() {
			answer := line{ID: command.ID}
			answer.Error = text(t.do(client, command, &answer))
			say(answer)
		}()
	}
}

func (t *table) do(client *mp.Client, command line, answer *line) error {
	if command.Do == "open" {
		connection, err := client.MakeConnection(command.Peer, command.Protocol)
		if err == nil {
			answer.Connection = t.add(connection)
		}
		return err
	}
	connection, err := t.get(command.Connection)
	if err != nil {
		return err
	}
	switch command.Do {
	case "write":
		for _, message := range command.Messages {
			if err := connection.WriteMessage(message); err != nil {
				return err
			}
		}
		return nil
	case "read":
		for range command.Count {
			message, err := connection.ReadMessage()
			if err != nil {
				return err
			}
			answer.Messages = append(answer.Messages, message)
		}
		return nil
	case "close":
		return connection.Close()
	default:
		return fmt.Errorf("there is no command %q", command.Do)
	}
}
