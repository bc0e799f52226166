package conformance

import (
	"encoding/xml"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
)

// Codes and keys that handlers and scenarios agree on.
const (
	failCode  = 4711
	failMsg   = "no \"such\" thing\n\tin C:\\new 世界"
	failCause = "because\x01 of <this> & 😀"
	// failKey in the meta asks for that status. Like all keys here it is in the form that names of HTTP headers take on,
	// where case does not count.
	failKey = "Fail"
	// answerKey is put in front of each key of the meta that a handler sends back.
	answerKey = "Re-"
)

// bodyKind is one sort of body with the handlers for it. Its values are made from texts and read as texts.
type bodyKind struct {
	name   string
	binary bool // the text may be any bytes
	// register adds the handlers to an endpoint.
	register func(drpc.Endpoint)
	// call calls the handler, which answers with what it gets, without a body if text is nil.
	call func(sess drpc.Session, text *string, settings ...message.MsgSetting) (string, drpc.CallCmd)
	// push pushes to the other handler, which passes what it gets to pushed.
	push   func(sess drpc.Session, text string, settings ...message.MsgSetting) *drpc.Status
	pushed chan string
}

// newBodyKind makes a kind whose bodies are of type T.
func newBodyKind[T any](name, codec string, binary bool, wrap func(string) *T, unwrap func(*T) string) *bodyKind {
	k := &bodyKind{name: name, binary: binary, pushed: make(chan string, 1)}
	path, withCodec := "/conformance/"+name, message.WithBodyCodec(codec)
	k.register = func(e drpc.Endpoint) {
		drpc.HandleCall(e, path, func(c drpc.CallCtx, arg *T) (*T, *drpc.Status) {
			c.VisitMeta(func(key, value any) bool {
				k, v := key.(string), value.(string)
				c.SetMeta(answerKey+k, v)
				return true
			})
			if c.PeekMeta(failKey) != nil {
				return nil, drpc.NewStatus(failCode, failMsg, failCause)
			}
			return arg, nil
		})
		drpc.HandlePush(e, path, func(_ drpc.PushCtx, arg *T) *drpc.Status {
			k.pushed <- unwrap(arg)
			return nil
		})
	}
	k.call = func(sess drpc.Session, text *string, settings ...message.MsgSetting) (string, drpc.CallCmd) {
		var arg any
		if text != nil {
			arg = wrap(*text)
		}
		reply := new(T)
		cmd := sess.Call(path, arg, reply, append(settings, withCodec)...)
		return unwrap(reply), cmd
	}
	k.push = func(sess drpc.Session, text string, settings ...message.MsgSetting) *drpc.Status {
		return sess.Push(path, wrap(text), append(settings, withCodec)...)
	}
	return k
}

type jsonBody struct{ Text string }

type formBody struct {
	Text string `form:"text"`
}

type xmlBody struct {
	XMLName xml.Name `xml:"body"`
	Text    string   `xml:"text"`
}

// bodyKinds makes one kind for each codec, and one for bodies of bytes, which pass the codec by.
func bodyKinds() []*bodyKind {
	return []*bodyKind{
		newBodyKind("json", "json", false,
			func(s string) *jsonBody { return &jsonBody{s} }, func(b *jsonBody) string { return b.Text }),
		newBodyKind("form", "form", true,
			func(s string) *formBody { return &formBody{s} }, func(b *formBody) string { return b.Text }),
		newBodyKind("xml", "xml", false,
			func(s string) *xmlBody { return &xmlBody{Text: s} }, func(b *xmlBody) string { return b.Text }),
		newBodyKind("plain", "plain", true,
			func(s string) *string { return &s }, func(b *string) string { return *b }),
		newBodyKind("protobuf", "protobuf", true,
			func(s string) *wrapperspb.BytesValue { return wrapperspb.Bytes([]byte(s)) },
			func(b *wrapperspb.BytesValue) string { return string(b.GetValue()) }),
		newBodyKind("bytes", "plain", true,
			func(s string) *[]byte { b := []byte(s); return &b }, func(b *[]byte) string { return string(*b) }),
	}
}
