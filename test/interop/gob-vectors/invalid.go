package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// invalidVector is a stream to be refused, as one WebSocket message. The error is that of this repository's codec.
type invalidVector struct {
	Comment string `json:"comment"`
	Hex     any    `json:"hex"`
	Error   string `json:"error"`
}

// The parts of a definition of type 64.
const (
	ownName      = "01 01 07 4d657373616765 01 ff80 00"
	meta         = "01 04 4d657461 01 06 00"
	otherClient  = "01 0b 4f74686572436c69656e74 01 0c 00"
	connectionID = "01 0c 436f6e6e656374696f6e4944 01 0c 00"
	data         = "01 04 44617461 01 0a 00"
	names        = meta + otherClient + connectionID
)

func unhex(digits string) []byte {
	bytes, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	must(err)
	return bytes
}

// definitionOf is a definition with an id and what follows it, as digits.
func definitionOf(id, rest string) []byte {
	body := unhex(id + rest)
	if len(body) > 127 {
		must(fmt.Errorf("a definition of %d bytes", len(body)))
	}
	return append([]byte{byte(len(body))}, body...)
}

func invalid() []invalidVector {
	definition := encode(Message{})[0]
	good := bytes.Join(encode(Message{1, "bob", "c", []byte{1}}), nil)
	var list []invalidVector
	add := func(comment string, stream []byte, problem string) {
		list = append(list, invalidVector{comment, pieces(stream), problem})
	}
	// A value by its bytes, behind the definition of 72 bytes.
	value := func(comment, digits, problem string) {
		add(comment, append(bytes.Clone(definition), unhex(digits)...), problem)
	}
	define := func(comment, rest, problem string) { add(comment, definitionOf("7f", rest), problem) }
	// What an encoder writes first for another type. Its id depends on the types before it, and so on the order here.
	typed := func(comment string, of any, problem string) { add(comment, encode(of)[0], problem) }

	add("nothing", nil, "WebSocket message without a gob message at byte 0")
	add("two encoders in one stream", append(bytes.Clone(good), good...), "Second definition of type 64 at byte 89")

	value("value cut short", "06 ff80 01 01 02", "Gob message of 6 bytes, 5 left in its WebSocket message, at byte 72")
	value("length cut short", "fe 01", "Truncated: 2 bytes expected, 1 left at byte 73")
	value("length of 9 bytes", "f7 000000000000000003", "Number of 9 bytes, at most 8 allowed, at byte 72")
	value("length of 128 bytes", "80", "Number of 128 bytes, at most 8 allowed, at byte 72")
	value("length of 2^64 - 1, or -1", "f8 ffffffffffffffff", "Number past 2^53 - 1 at byte 72")
	value("length of 2^53", "f9 20000000000000", "Number past 2^53 - 1 at byte 72")
	value("length of 2^53 - 1", "f9 1fffffffffffff",
		"Gob message of 9007199254740991 bytes, 0 left in its WebSocket message, at byte 72")
	value("length 0", "00", "Empty gob message at byte 72")

	add("value before its definition", unhex("03 ff80 00"), "Value of type 64, which isn't defined, at byte 1")
	value("value of another type", "03 ff82 00", "Value of type 65, which isn't defined, at byte 73")
	value("value of type 0", "02 00 00", "Value of type 0, which isn't defined, at byte 73")
	value("a text by itself", "06 0c 00 03 626f62", "Value of type 6, which isn't defined, at byte 73")
	value("type id of 2^31", "07 fb 0100000000 00", "Type id past 2^31 - 1 at byte 73")

	value("value without its end", "04 ff80 01 01", "Truncated: 1 bytes expected, 0 left at byte 77")
	value("end before the last field", "07 ff80 01 01 00 01 00", "Trailing bytes after a value: 2 at byte 78")
	value("two values in one gob message", "06 ff80 00 ff80 00", "Trailing bytes after a value: 3 at byte 76")
	value("step past the last field", "05 ff80 05 01 00", "Field 5 of a struct of 4 at byte 75")
	value("second step past the last field", "07 ff80 03 00 02 00 00", "Field 5 of a struct of 4 at byte 77")
	value("step of 2^53 - 1", "0b ff80 f9 1fffffffffffff 00", "Field 9007199254740991 of a struct of 4 at byte 75")
	value("meta of 256", "07 ff80 01 fe 0100 00", "Meta of 256, at most 255 allowed, at byte 76")
	value("meta cut short", "05 ff80 01 fe 01", "Truncated: 2 bytes expected, 1 left at byte 77")
	value("other client that isn't UTF-8", "06 ff80 02 01 ff 00", "Text is not UTF-8 at byte 76")
	value("connection with half a surrogate pair", "08 ff80 03 03 eda080 00", "Text is not UTF-8 at byte 76")
	value("text past its gob message, though the stream goes on", "05 ff80 02 03 61 03 ff80 00",
		"Truncated: 3 bytes expected, 1 left at byte 77")
	value("data of 2^53 - 1 bytes", "0c ff80 04 f9 1fffffffffffff 00",
		"Truncated: 9007199254740991 bytes expected, 1 left at byte 84")

	typed("array", [2]int{}, "Definition of a type of kind array, where only structs are understood, at byte 3")
	typed("slice", []string{}, "Definition of a type of kind slice, where only structs are understood, at byte 3")
	typed("map", map[string]int{}, "Definition of a type of kind map, where only structs are understood, at byte 3")
	typed("type that writes itself", time.Time{},
		"Definition of a type of kind GobEncoder, where only structs are understood, at byte 3")
	typed("struct with a field more", struct {
		Message string
		Meta    uint8
	}{}, "Field 1 of the definition is none of Meta, OtherClient, ConnectionID, Data, at byte 11")
	typed("struct without data", struct {
		Meta                      uint8
		OtherClient, ConnectionID string
	}{}, "Definition without the field Data at byte 3")
	typed("meta with a sign", struct{ Meta int8 }{}, "Field Meta of type 2, not 3 (uint), at byte 11")
	typed("data as text", struct{ Data string }{}, "Field Data of type 6, not 5 (bytes), at byte 11")
	typed("connection as bytes", struct{ ConnectionID []byte }{},
		"Field ConnectionID of type 5, not 6 (string), at byte 11")
	typed("other client in an interface", struct{ OtherClient any }{},
		"Field OtherClient of type 8, not 6 (string), at byte 11")
	typed("meta as a struct", struct{ Meta Message }{}, "Field Meta of type 64, not 3 (uint), at byte 11")

	define("type that refers to itself", "03"+ownName+"01 04"+names+"01 04 44617461 01 ff80 00"+"00 00",
		"Field Data of the type that it is in at byte 61")
	define("field twice", "03"+ownName+"01 04"+names+meta+"00 00", "Field Meta twice at byte 61")
	define("field more", "03"+ownName+"01 05"+names+data+"01 01 58 01 0c 00"+"00 00",
		"Field 5 of the definition is none of Meta, OtherClient, ConnectionID, Data, at byte 70")
	define("fewer fields than it says", "03"+ownName+"01 05"+names+data+"00 00",
		"Field 5 of the definition is none of Meta, OtherClient, ConnectionID, Data, at byte 70")
	define("no fields", "03"+ownName+"00 00", "Definition without the field Meta at byte 2")
	define("field name that isn't UTF-8", "03"+ownName+"01 01 01 01 ff 01 0c 00"+"00 00", "Text is not UTF-8 at byte 20")
	define("another id inside", "03 01 01 07 4d657373616765 01 ff82 00 01 04"+names+data+"00 00",
		"Definition of type 64 that calls itself 65 at byte 2")
	define("nothing inside", "00", "Definition of no type at byte 2")
	define("struct and a map", "03"+ownName+"01 04"+names+data+"00 01 00 00",
		"Definition of a struct and of something else at byte 71")
	define("kind that gob doesn't have", "08 00 00", "Field 8 of a struct of 7 at byte 2")
	define("trailing bytes", "03"+ownName+"01 04"+names+data+"00 00 00", "Trailing bytes after a type definition: 1 at byte 72")
	define("definition without its end", "03"+ownName+"01 04"+names+data+"00", "Truncated: 1 bytes expected, 0 left at byte 71")
	add("definition of one of Go's own types", definitionOf("0b", "03 00 00"),
		"Definition of type 6, which is Go's own, at byte 0")

	var nine []byte
	for id := 64; id < 73; id++ {
		own := strings.Replace(ownName, "ff80", fmt.Sprintf("ff%02x", 2*id), 1)
		negative := fmt.Sprintf("ff%02x", 2*id-1)
		nine = append(nine, definitionOf(negative, "03"+own+"01 04"+names+data+"00 00")...)
	}
	add("9 definitions", nine, fmt.Sprintf("More than 8 type definitions at byte %d", 8*len(nine)/9))

	long := append(unhex("7f 03 01 01 fe 0800"), bytes.Repeat([]byte("a"), 0x800)...)
	long = append(long, unhex("01 ff80 00 01 04"+names+data+"00 00")...)
	size := len(long) + 3
	long = append([]byte{0xfe, byte(len(long) >> 8), byte(len(long))}, long...)
	add("definition with a name of 2048 bytes", long,
		fmt.Sprintf("%d bytes of type definitions, at most 2048 allowed, at byte 0", size))
	return list
}
