// Gob-vectors writes protocol/vectors/gob.json with the encoding/gob of the Go that runs it:
//
//	go run . >../../../protocol/vectors/gob.json
//
// With -check it reads lines of hexadecimal digits instead, each one a stream, and prints for each a line of JSON: the
// messages that encoding/gob reads from it, and the error that stopped it, if any.
//
// Which id the first type of a process gets depends on the version of Go: 64 with 1.26, 65 in the examples of gob's
// documentation. The vectors are those of 1.26; -check works with any version.
package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

type MetaType uint8

// Message is the struct of the original. Its first use has to come before that of all other types: it gets the id 64.
type Message struct {
	Meta         MetaType
	OtherClient  string
	ConnectionID string
	Data         []byte
}

type reordered struct {
	Data         []byte
	ConnectionID string
	Meta         uint64
	OtherClient  string
}

type messageVector struct {
	Meta         MetaType `json:"meta"`
	OtherClient  string   `json:"otherClient"`
	ConnectionID string   `json:"connectionId"`
	Data         any      `json:"data"`
}

type valueVector struct {
	Comment    string        `json:"comment"`
	Definition any           `json:"definition"`
	Message    messageVector `json:"message"`
	Hex        any           `json:"hex"`
}

// A sequence has one piece of hex for each write of the encoder, which are the WebSocket messages of the original.
type sequenceVector struct {
	Comment  string          `json:"comment"`
	Hex      []any           `json:"hex"`
	Messages []messageVector `json:"messages"`
}

type vectors struct {
	Stream    []valueVector    `json:"stream"`
	Sequences []sequenceVector `json:"sequences"`
	Invalid   []invalidVector  `json:"invalid"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "-check" {
		check()
		return
	}
	if len(os.Args) > 1 {
		must(errors.New("usage: gob-vectors [-check]"))
	}
	all := vectors{}
	for _, value := range values() {
		all.Stream = append(all.Stream, valueOf(value.comment, value.message))
	}
	all.Sequences = sequences()
	all.Invalid = invalid()
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	must(encoder.Encode(all))
}

// writes keeps every write of an encoder by itself.
type writes [][]byte

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, bytes.Clone(p))
	return len(p), nil
}

// encode returns what a fresh encoder writes for the values, a definition and a value apart.
func encode(values ...any) writes {
	var written writes
	encoder := gob.NewEncoder(&written)
	for _, value := range values {
		must(encoder.Encode(value))
	}
	return written
}

func valueOf(comment string, message Message) valueVector {
	written := encode(message)
	if len(written) != 2 {
		must(fmt.Errorf("%d writes for a definition and a value", len(written)))
	}
	return valueVector{comment, pieces(written[0]), vectorOf(message), pieces(written[1])}
}

func vectorOf(message Message) messageVector {
	return messageVector{message.Meta, message.OtherClient, message.ConnectionID, pieces(message.Data)}
}

func sequenceOf(comment string, messages []Message, written writes) sequenceVector {
	sequence := sequenceVector{Comment: comment}
	for _, piece := range written {
		sequence.Hex = append(sequence.Hex, pieces(piece))
	}
	for _, message := range messages {
		sequence.Messages = append(sequence.Messages, vectorOf(message))
	}
	return sequence
}

// pieces writes bytes as protocol/vectors/README.md says: as digits, or as a list where one byte stands very often.
func pieces(data []byte) any {
	var list []any
	from := 0
	for at := 0; at < len(data); {
		end := at
		for end < len(data) && data[end] == data[at] {
			end++
		}
		if end-at >= 256 {
			if at > from {
				list = append(list, hex.EncodeToString(data[from:at]))
			}
			list = append(list, map[string]any{"repeat": []any{hex.EncodeToString(data[at : at+1]), end - at}})
			from = end
		}
		at = end
	}
	if list == nil {
		return hex.EncodeToString(data)
	}
	if from < len(data) {
		list = append(list, hex.EncodeToString(data[from:]))
	}
	return list
}

type checked struct {
	Messages []messageVector `json:"messages"`
	Error    string          `json:"error"`
}

func check() {
	reader := bufio.NewReader(os.Stdin)
	encoder := json.NewEncoder(os.Stdout)
	for {
		line, err := reader.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			stream, err := hex.DecodeString(line)
			must(err)
			must(encoder.Encode(decode(stream)))
		}
		if err == io.EOF {
			return
		}
		must(err)
	}
}

func decode(stream []byte) checked {
	result := checked{Messages: []messageVector{}}
	decoder := gob.NewDecoder(bytes.NewReader(stream))
	for {
		var message Message
		if err := decoder.Decode(&message); err != nil {
			if err != io.EOF {
				result.Error = err.Error()
			}
			return result
		}
		vector := vectorOf(message)
		vector.Data = hex.EncodeToString(message.Data)
		result.Messages = append(result.Messages, vector)
	}
}
