package httpproto

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/codec"
)

const (
	charset = ";charset=utf-8"

	jsonType = "application/json"
	textType = "text/plain"
)

// contentTypes says which codec a content type stands for and the other way round. A table never changes; a new pair
// makes a new one.
type contentTypes struct {
	codecs map[string]byte // by content type in lower case, without parameters
	types  [256]string     // as sent, by codec id
}

var (
	contentTypesMu sync.Mutex // held by writers
	registered     atomic.Pointer[contentTypes]
)

func init() {
	t := &contentTypes{codecs: make(map[string]byte)}
	for id, name := range map[byte]string{
		codec.ProtobufId: "application/x-protobuf",
		codec.JsonId:     jsonType,
		codec.FormId:     "application/x-www-form-urlencoded",
		codec.PlainId:    textType,
		codec.XmlId:      "text/xml",
	} {
		t.codecs[name], t.types[id] = id, name+charset
	}
	registered.Store(t)
}

// RegBodyCodec makes contentType stand for the codec with the id codecID, in both directions and for the whole
// process. It is sent as it is given; its parameters and the case of its letters do not count when it is received. A
// pair that was there is replaced. It panics if contentType is no header value, which is a mistake of the program.
// Safe for concurrent use.
func RegBodyCodec(contentType string, codecID byte) {
	key := mediaType(contentType)
	if key == "" || !validValue(contentType) {
		panic(fmt.Sprintf("httpproto: RegBodyCodec of %q: no content type", contentType))
	}
	contentTypesMu.Lock()
	defer contentTypesMu.Unlock()
	old := registered.Load()
	t := &contentTypes{codecs: maps.Clone(old.codecs), types: old.types}
	t.codecs[key], t.types[codecID] = codecID, contentType
	registered.Store(t)
}

// GetBodyCodec returns the id of the codec that contentType stands for, defCodecID if it is not registered. Safe for
// concurrent use.
func GetBodyCodec(contentType string, defCodecID byte) byte {
	return codecOf([]byte(contentType), defCodecID)
}

func codecOf(contentType []byte, defCodecID byte) byte {
	t := registered.Load()
	bare, _, _ := bytes.Cut(contentType, []byte(";"))
	if id, ok := t.codecs[string(bare)]; ok { // as nearly everybody writes it
		return id
	}
	if id, ok := t.codecs[mediaType(string(bare))]; ok {
		return id
	}
	return defCodecID
}

// GetContentType returns the content type that stands for the codec with the id codecID, defContentType if there is
// none. Safe for concurrent use.
func GetContentType(codecID byte, defContentType string) string {
	if t := registered.Load().types[codecID]; t != "" {
		return t
	}
	return defContentType
}

// mediaType is a content type without parameters, in lower case.
func mediaType(contentType string) string {
	bare, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.Trim(bare, " \t"))
}
