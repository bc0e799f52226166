//lint:file-ignore SA5008,U1000 tags with mistakes and fields that nobody reads are what these types are for

package jsontest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// plain shapes, as arguments and results of calls have them

type small struct {
	ID    int64             `json:"id"`
	Title string            `json:"title"`
	Price float64           `json:"price"`
	Tags  []string          `json:"tags"`
	Extra map[string]string `json:"extra,omitempty"`
	Live  bool              `json:"live"`
	Next  *small            `json:"next,omitempty"`
}

type numbers struct {
	I   int
	I8  int8
	I16 int16
	I32 int32
	I64 int64
	U   uint
	U8  uint8
	U16 uint16
	U32 uint32
	U64 uint64
	P   uintptr
	F32 float32
	F64 float64
	B   bool
	S   string
}

type containers struct {
	Ints    []int
	Bytes   []byte
	Named   namedBytes
	Array   [3]int
	Octets  [4]byte
	Maps    map[string]int
	Deep    map[string]map[string][]int
	Any     any
	Anys    []any
	Ptr     *int
	PtrPtr  **string
	Empty   struct{}
	Slices  [][]string
	PtrMap  *map[string]*int
	ZeroArr [0]int
	IntMap  map[int]string
	U8Map   map[uint8]string
	BoolArr [2]bool
}

type (
	namedBytes  []byte
	namedByte   byte
	namedString string
	namedInt    int
	namedFloat  float64
	namedBool   bool
)

type named struct {
	B  []namedByte
	S  namedString
	I  namedInt
	F  namedFloat
	T  namedBool
	M  map[namedString]namedInt
	MI map[namedInt]namedBool
}

// embedding

type Base struct {
	A int    `json:"a"`
	B string `json:"b,omitempty"`
}

type hidden struct {
	C int
	d int
}

type embedValue struct {
	Base
	X int
}

type embedPointer struct {
	*Base
	X int
}

type embedHidden struct {
	hidden
	X int
}

type embedHiddenPointer struct {
	*hidden
	X int
}

type embedTagged struct {
	Base   `json:"base"`
	hidden `json:"hid"`
	X      int
}

type embedDeep struct {
	embedValue
	*embedHidden
	Y int
}

type Left struct{ Name, Only string }
type Right struct {
	Name  string
	Other int
}
type RightTagged struct {
	Named string `json:"Name"`
	Other int
}

type conflict struct {
	Left
	Right
}

type dominant struct {
	Left
	RightTagged
}

type shadow struct {
	Left
	Name int
}

// sameTag has a name twice and a tag without quotes; vet would refuse both in a declaration.
var sameTag = reflect.StructOf([]reflect.StructField{
	{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"x"`},
	{Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"x"`},
	{Name: "C", Type: reflect.TypeFor[int]()},
	{Name: "D", Type: reflect.TypeFor[int](), Tag: `json:bad`},
})

type Text string
type Num int

type embedScalars struct {
	Text
	Num
	*namedFloat
}

type embedInterface struct {
	fmt.Stringer
	X int
}

type embedTime struct {
	time.Time
	X int
}

type loop struct {
	*loop
	Z int
}

// tags

type tags struct {
	Skip    int    `json:"-"`
	Dash    int    `json:"-,"`
	Space   int    `json:"a b"`
	Unicode int    `json:"é世"`
	HTML    int    `json:"<&>"`
	Quote   int    `json:"a\"b"`
	Slash   int    `json:"a\\b"`
	Comma   int    `json:",omitempty"`
	Dots    int    `json:"a.b-c_d/e:f$g%h"`
	Odd     int    `json:"odd,unknown,omitempty"`
	Other   string `xml:"o" json:"o"`
	private int
}

type folded struct {
	Key   int    `json:"key"`
	KEY   int    `json:"KEY"`
	Kiss  string `json:"kiss"`
	Snake string `json:"snake_case"`
	Straß string `json:"straße"`
	Camel int
}

type omitted struct {
	I   int             `json:"i,omitempty"`
	F   float64         `json:"f,omitempty"`
	S   string          `json:"s,omitempty"`
	B   bool            `json:"b,omitempty"`
	P   *int            `json:"p,omitempty"`
	L   []int           `json:"l,omitempty"`
	M   map[string]int  `json:"m,omitempty"`
	A   any             `json:"a,omitempty"`
	Z   [0]int          `json:"z,omitempty"`
	Arr [1]int          `json:"arr,omitempty"`
	St  struct{}        `json:"st,omitempty"`
	T   time.Time       `json:"t,omitempty"`
	R   json.RawMessage `json:"r,omitempty"`
	Num json.Number     `json:"n,omitempty"`
	V   onValue         `json:"v,omitempty"`
	PV  *onPointer      `json:"pv,omitempty"`
}

type zeroValue struct{ N int }

func (z zeroValue) IsZero() bool { return z.N == 7 }

type zeroPointer struct{ N int }

func (z *zeroPointer) IsZero() bool { return z == nil || z.N == 7 }

type omitZero struct {
	T  time.Time                  `json:"t,omitzero"`
	V  zeroValue                  `json:"v,omitzero"`
	PV *zeroValue                 `json:"pv,omitzero"`
	P  zeroPointer                `json:"p,omitzero"`
	PP *zeroPointer               `json:"pp,omitzero"`
	I  interface{ IsZero() bool } `json:"i,omitzero"`
	A  any                        `json:"a,omitzero"`
	N  int                        `json:"n,omitzero"`
	F  float64                    `json:"f,omitzero"`
	L  []int                      `json:"l,omitzero"`
	M  map[string]int             `json:"m,omitzero"`
	S  Base                       `json:"s,omitzero"`
	AR [2]int                     `json:"ar,omitzero"`
	B  []int                      `json:"b,omitzero,omitempty"`
}

type quoted struct {
	I  int         `json:"i,string"`
	U  uint8       `json:"u,string"`
	F  float64     `json:"f,string"`
	B  bool        `json:"b,string"`
	S  string      `json:"s,string"`
	P  *int        `json:"p,string"`
	PS *string     `json:"ps,string"`
	N  json.Number `json:"n,string"`
	L  []int       `json:"l,string"`
	A  any         `json:"a,string"`
	M  onValue     `json:"m,string"`
	NI namedInt    `json:"ni,string"`
	E  int         `json:"e,string,omitempty"`
}

// methods

type onValue struct{ V int }

func (o onValue) MarshalJSON() ([]byte, error) {
	return []byte(` { "v" : ` + strconv.Itoa(o.V) + `, "h":"<" } `), nil
}

type onPointer struct{ V int }

func (o *onPointer) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte(`"nil"`), nil
	}
	return []byte(strconv.Itoa(o.V)), nil
}

func (o *onPointer) UnmarshalJSON(b []byte) error {
	o.V = len(b)
	if string(b) == "null" {
		o.V = -1
	}
	if strings.Contains(string(b), "refuse") {
		return errRefused
	}
	return nil
}

type textValue struct{ S string }

func (t textValue) MarshalText() ([]byte, error) { return []byte("<" + t.S + ">\xff"), nil }

type textPointer struct{ S string }

func (t *textPointer) MarshalText() ([]byte, error) { return []byte("p:" + t.S), nil }

func (t *textPointer) UnmarshalText(b []byte) error {
	t.S = "read:" + string(b)
	if string(b) == "refuse" {
		return errRefused
	}
	return nil
}

type textInt int

func (t textInt) MarshalText() ([]byte, error) { return []byte("n" + strconv.Itoa(int(t))), nil }

func (t *textInt) UnmarshalText(b []byte) (err error) {
	n, err := strconv.Atoi(strings.TrimPrefix(string(b), "n"))
	*t = textInt(n)
	return err
}

type textString string

func (t textString) MarshalText() ([]byte, error) {
	return []byte("never for keys of kind string"), nil
}

func (t *textString) UnmarshalText(b []byte) error { *t = textString("T" + string(b)); return nil }

type sliceMarshaler []int

func (s sliceMarshaler) MarshalJSON() ([]byte, error) { return []byte(strconv.Itoa(len(s))), nil }

type mapMarshaler map[string]int

func (m mapMarshaler) MarshalText() ([]byte, error) { return []byte(strconv.Itoa(len(m))), nil }

type byteMarshaler byte

func (b byteMarshaler) MarshalJSON() ([]byte, error) { return []byte(strconv.Itoa(int(b))), nil }

type byteText byte

func (b byteText) MarshalText() ([]byte, error) { return []byte{'a' + byte(b)%26}, nil }

type boolMarshaler bool

func (b boolMarshaler) MarshalJSON() ([]byte, error) { return []byte(`"B"`), nil }

var errRefused = errors.New("refused")

// marshals is a MarshalJSON whose result is given.
type marshals struct {
	out string
	err error
}

func (m marshals) MarshalJSON() ([]byte, error) { return []byte(m.out), m.err }

type textFails struct{}

func (textFails) MarshalText() ([]byte, error) { return nil, errRefused }

// panics panics with what it is given.
type panics struct{ with any }

func (p panics) MarshalJSON() ([]byte, error) { panic(p.with) }

type panicsInText struct{ S string }

func (p panicsInText) MarshalText() ([]byte, error) { panic("text " + p.S) }

type panicsReading struct{ N int }

func (p *panicsReading) UnmarshalJSON([]byte) error { panic("reading") }

type methods struct {
	V   onValue
	PV  *onValue
	P   onPointer
	PP  *onPointer
	T   textValue
	PT  *textValue
	TP  textPointer
	PTP *textPointer
	I   any
	M   json.Marshaler
	L   []onPointer
	LP  []*onPointer
	MV  map[string]onPointer
	A   [1]onPointer
	SM  sliceMarshaler
	MM  mapMarshaler
	BM  []byteMarshaler
	BT  []byteText
	B   boolMarshaler
}

type readable struct {
	P  onPointer
	PP *onPointer
	T  textPointer
	TP *textPointer
	L  []onPointer
	M  map[string]onPointer
	MP map[string]*textPointer
	K  map[textInt]int
	KS map[textString]int
	KP map[textPointer]int
	R  json.RawMessage
	RP *json.RawMessage
	N  json.Number
	NP *json.Number
	Bi *big.Int
	BF big.Float
	Ti time.Time
	D  time.Duration
}

// generics, recursion

type box[T any] struct {
	V T            `json:"v"`
	L []T          `json:"l,omitempty"`
	M map[string]T `json:"m,omitempty"`
}

type tree struct {
	Left, Right *tree
	Kids        []tree
	ByName      map[string]tree
	N           int
}

type ring struct {
	Name string
	Next *ring
	Any  any
}

type selfSlice []selfSlice
type selfMap map[string]selfMap
type selfPointer *selfPointer

type unsupported struct {
	C chan int
	F func()
}

type complexField struct{ C complex128 }

type wide struct {
	F00, F01, F02, F03, F04, F05, F06, F07, F08, F09 int
	F10, F11, F12, F13, F14, F15, F16, F17, F18, F19 string
	F20, F21, F22, F23, F24, F25, F26, F27, F28, F29 float64
	F30, F31, F32, F33, F34, F35, F36, F37, F38, F39 *int
	F40, F41, F42, F43, F44, F45, F46, F47, F48, F49 []string
	F50, F51, F52, F53, F54, F55, F56, F57, F58, F59 any
	F60, F61, F62, F63, F64, F65, F66, F67, F68, F69 bool
}
