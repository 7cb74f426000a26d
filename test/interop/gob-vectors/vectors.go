package main

import (
	"bytes"
	"fmt"
	"strings"
)

type namedMessage struct {
	comment string
	message Message
}

func values() []namedMessage {
	list := []namedMessage{{"no field: all are zero", Message{}}}
	add := func(comment string, message Message) { list = append(list, namedMessage{comment, message}) }
	for meta := 0; meta <= 10; meta++ {
		comment := fmt.Sprintf("meta %d with all other fields", meta)
		add(comment, Message{MetaType(meta), "bob", fmt.Sprintf("connection-%d", meta), []byte{1, 2, 3, byte(meta)}})
	}
	for _, meta := range []int{1, 10, 127, 128, 255} {
		add(fmt.Sprintf("meta %d alone", meta), Message{Meta: MetaType(meta)})
	}
	add("other client alone", Message{OtherClient: "alice"})
	add("connection alone", Message{ConnectionID: "c"})
	add("data alone: the step to it is 4", Message{Data: []byte("data")})
	add("meta and data: the step between is 3", Message{Meta: 4, Data: []byte{0}})
	add("empty data that isn't nil is left out too", Message{Meta: 4, OtherClient: "bob", Data: []byte{}})
	for _, size := range []int{1, 127, 128, 255, 256, 300, 65_535, 65_536} {
		data := bytes.Repeat([]byte{0xab}, size)
		add(fmt.Sprintf("data of %d bytes", size), Message{5, "bob", "c", data})
	}
	every := make([]byte, 256)
	for at := range every {
		every[at] = byte(at)
	}
	add("data of every byte", Message{5, "bob", "c", every})
	add("names in UTF-8", Message{1, "Zoë 東京 🚀", "соединение", []byte("données")})
	add("names that begin with U+FEFF and hold U+0000", Message{1, "\ufeffa", "a\x00b", nil})
	add("names of 127 and 128 bytes", Message{1, strings.Repeat("a", 127), strings.Repeat("é", 64), nil})
	return list
}

// What real programs may send besides: other ids, another order of the fields, more than one type.
func sequences() []sequenceVector {
	first := Message{1, "alice", "one", []byte{1}}
	second := Message{2, "bob", "two", nil}
	empty := Message{}
	third := Message{10, "", "", bytes.Repeat([]byte{0xcd}, 300)}
	other := reordered{[]byte{1}, "one", 1, "alice"}

	// The same struct as any other type of the process that comes later: its id is not 64.
	sameFields := func(m Message) any {
		type Message struct {
			Meta         MetaType
			OtherClient  string
			ConnectionID string
			Data         []byte
		}
		return Message(m)
	}
	withoutName := func(m Message) any {
		return struct {
			Meta         uint16
			OtherClient  string
			ConnectionID string
			Data         []byte
		}{uint16(m.Meta), m.OtherClient, m.ConnectionID, m.Data}
	}
	return []sequenceVector{
		sequenceOf("one encoder: the definition comes once", []Message{first, second, empty, third},
			encode(first, second, empty, third)),
		sequenceOf("fields in another order", []Message{first, empty}, encode(other, reordered{})),
		sequenceOf("a type of the same name that isn't the process's first", []Message{first, second},
			encode(sameFields(first), sameFields(second))),
		sequenceOf("a struct without a name", []Message{second}, encode(withoutName(second))),
		sequenceOf("types in turn", []Message{first, first, second, first, second},
			encode(first, other, second, other, withoutName(second))),
	}
}
