package jsontest

import "strings"

// Inputs returns small inputs, valid and not, for every target.
func Inputs() []string {
	return append(strings.Split(strings.TrimSpace(inputLines), "\n"), oddInputs...)
}

// inputLines are inputs without line feeds, one a line.
const inputLines = `
null
true
false
0
-0
-0.0
1
-1
127
128
-129
255
256
32768
65536
2147483648
4294967296
9007199254740993
9223372036854775807
9223372036854775808
-9223372036854775808
-9223372036854775809
18446744073709551615
18446744073709551616
1.0
1.5
1e0
1E+2
1e-7
1e21
1e308
1e309
-1e400
1e-400
3.4028236e38
3.5e38
0.1000000000000000055511151231257827021181583404541015625
123456789012345678901234567890
01
-01
+1
1.
.5
1e
1e+
-
--1
0x1
1_000
NaN
Infinity
-Infinity
nul
nulll
tru
True
NULL
""
"a"
"text of some length, longer than sixteen bytes, with é and 世界 in it"
"1"
"-1"
"1.5"
"null"
"true"
"1e3"
" 1"
"1 "
"\"quoted\""
"\"a\""
"null "
"refuse"
"YWJj"
"YWJj\n"
"YWI="
"YWI"
"YQ"
"!!!!"
"YW\nJj"
"-_8="
"\u0000"
"\u00e9\u4e16\ud83d\ude00"
"\ud800"
"\udc00"
"\ud800\ud800"
"\ud800\u0041"
"\ud800x"
"\udbff\udfff"
"\ud83d\\ude00"
"\u12"
"\u12g4"
"\uD83D\uDE00"
"\a"
"\'"
"\/\b\f\n\r\t\\\""
"\
"abc
"
"<>&"
"2024-02-29T12:30:45.123456789+02:00"
"2024-02-30T00:00:00Z"
"0000-01-01T00:00:00Z"
'a'
[]
[ ]
[1]
[1,2]
[1,2,3]
[1,2,3,4,5]
[null]
[null,1]
["a","b"]
["a",1,"b"]
[1,"a",2]
[1,2.5,3]
[1,300,2]
[-1]
[true,false]
[[]]
[[1],[2,3],null]
[[["a"]]]
[{}]
[{"a":1},{"a":2}]
[1,]
[,1]
[1 2]
[1
[
]
[1]]
[1],
[1] [2]
[1e1000]
["\ud800",2]
{}
{ }
{"":1}
{"a":1}
{"a":1,"b":"x"}
{"a":null,"b":null}
{"A":2,"B":"y"}
{"a":1,"a":2}
{"a":[1],"a":[2,3]}
{"a":{"x":1},"a":{"y":2}}
{"a":{"b":{"c":[1,{"d":null}]}}}
{"a":1,}
{,"a":1}
{"a"}
{"a":}
{"a":1
{"a"
{"a":1 "b":2}
{a:1}
{1:2}
{null:1}
{"1":"x","2":"y"}
{"-1":"x","300":"y"}
{"n1":1,"n2":2}
{"01":"x"}
{"1.0":"x"}
{"9223372036854775808":"x"}
{"\u0061":5}
{"\ud800":1,"\udfff":2}
{"<&>":1,"é世":2,"a b":3,"-":4,"Skip":5,"Dash":6}
{"key":1,"KEY":2,"Key":3,"kEy":4}
{"\u212aey":9,"ki\u017f\u017f":"s"}
{"KISS":"a","Kiss":"b","SNAKE_CASE":"c","snakecase":"d","STRASSE":"e","STRAßE":"f","camel":6,"CAMEL":7}
{"id":1,"title":"t","price":1.5,"tags":["a","b"],"extra":{"k":"v"},"live":true,"next":{"id":2}}
{"id":"1","title":"t","price":1.5,"tags":["a"]}
{"id":1.5,"title":"t"}
{"id":1e3,"title":"t"}
{"id":9223372036854775808,"title":"t","price":1}
{"id":1,"title":2,"price":"x","tags":[1,"b",null],"extra":{"k":1,"l":"m"},"live":"true","next":[]}
{"id":null,"title":null,"price":null,"tags":null,"extra":null,"live":null,"next":null}
{"ID":5,"TITLE":"u","Price":2,"next":{"Next":{"NEXT":{}}}}
{"tags":[],"extra":{},"next":{"tags":[null,"x"],"extra":{"":""}}}
{"unknown":{"deep":[1,2,{"x":"\ud800"}]},"id":3}
{"unknown":tru,"id":3}
{"I":1,"I8":127,"I16":32767,"I32":2147483647,"I64":9223372036854775807,"U":1,"U8":255,"U16":65535,"U32":4294967295,"U64":18446744073709551615,"P":7,"F32":3.4028235e38,"F64":1e308,"B":true,"S":"s"}
{"I8":128,"I16":32768,"I32":2147483648,"I64":9223372036854775808,"U":-1,"U8":256,"U16":65536,"U32":4294967296,"U64":18446744073709551616,"P":-1,"F32":3.5e38,"F64":1e309,"B":1,"S":false}
{"I":1.0,"I8":1e0,"U8":-0,"F32":1e-50,"F64":-0.0,"S":"after"}
{"Ints":[1,2],"Bytes":"YWJj","Named":"YWI=","Array":[1,2,3,4],"Octets":[1,2],"Maps":{"a":1},"Deep":{"x":{"y":[1]}},"Any":{"a":[1]},"Anys":[1,"a",null,{}],"Ptr":5,"PtrPtr":"pp","Empty":{"x":1},"Slices":[["a"],[]],"PtrMap":{"z":null,"y":2},"ZeroArr":[1],"IntMap":{"-5":"m"},"U8Map":{"255":"m"},"BoolArr":[true]}
{"Ints":null,"Bytes":null,"Named":null,"Array":null,"Octets":null,"Maps":null,"Deep":null,"Any":null,"Anys":null,"Ptr":null,"PtrPtr":null,"Empty":null,"Slices":null,"PtrMap":null,"ZeroArr":null,"IntMap":null,"U8Map":null,"BoolArr":null}
{"Ints":[1,"x",3],"Bytes":[1,2],"Named":"!","Array":[1],"Octets":"YWJj","Maps":{"a":"x","b":2},"Deep":{"x":{"y":{},"z":[2]}},"Ptr":"x","Slices":["a",["b"]],"IntMap":{"x":"m","1":"n"},"U8Map":{"256":"m","2":"n"},"BoolArr":[1,true]}
{"Ints":[],"Bytes":"","Maps":{},"Deep":{},"Anys":[],"Slices":[],"PtrMap":{},"IntMap":{},"Array":[],"BoolArr":[]}
{"B":"YWI=","S":"s","I":1,"F":1.5,"T":true,"M":{"a":1},"MI":{"1":true}}
{"B":[1,2],"M":{"a":"x"}}
{"a":1,"b":"x","X":3,"C":4,"d":5,"base":{"a":9},"hid":{"C":8},"Y":6}
{"C":4,"X":3}
{"Name":"n","Only":"o","Other":2}
{"Name":5,"Only":"o"}
{"x":1,"C":2,"A":3,"B":4}
{"Text":"t","Num":5,"namedFloat":1.5}
{"Stringer":null,"X":1}
{"Stringer":1,"X":1}
{"Z":1,"loop":{"Z":2}}
{"i":"1","u":"2","f":"1.5","b":"true","s":"\"x\"","p":"5","ps":"\"y\"","n":"7","l":[1],"a":1,"ni":"3"}
{"i":1,"u":2,"f":1.5,"b":true,"s":"x","p":5,"ps":"y","n":7}
{"i":"x","u":"300","f":"","b":"yes","s":"x","p":"null","ps":"null","n":"x"}
{"i":null,"u":null,"f":null,"b":null,"s":null,"p":null,"ps":null,"n":null}
{"i":"null","u":"null","f":"null","b":"null","s":"null","p":null,"n":"null","ni":"null"}
{"i":" 1","u":"1 ","f":"1e3","b":"true ","s":"\"\\ud800\"","p":"\"5\"","n":""}
{"i":"01","f":"0x10","u":"+1","n":"1e5","ni":"1.5"}
{"P":{"refuse":1},"PP":2,"T":"t","TP":"u","L":[1,22,null],"M":{"a":333},"MP":{"b":"c","n":null},"K":{"n5":1,"6":2},"KS":{"a":1},"KP":{"q":1}}
{"P":1,"PP":null,"T":null,"TP":null,"K":{"x":1},"T2":"t","MP":{"b":1}}
{"P":null,"L":null,"M":null,"KS":{"\u0061":1},"R":null,"RP":null,"N":null,"NP":null,"Bi":null,"BF":null,"Ti":null,"D":null}
{"R": {"a" : [1, 2 ] } ,"RP":[ ],"N":1.50,"NP":1e5,"Bi":123456789012345678901234567890,"BF":"1.5","Ti":"2024-02-29T12:30:45Z","D":5}
{"N":"1.5","NP":"abc","Bi":"5","Ti":5,"D":"5s"}
{"N":"","NP":" 1","Bi":1.5}
{"T":"refuse","TP":"x","P":3}
{"T":5,"TP":"x"}
{"v":1,"l":[1],"m":{"a":1}}
{"v":"x","l":["x"],"m":{"a":"x"}}
{"Left":{"Left":{"N":3},"N":2},"Right":null,"Kids":[{"N":1},{}],"ByName":{"x":{"N":4}},"N":1}
{"Name":"a","Next":{"Name":"b","Next":null,"Any":{"Name":"c"}},"Any":[1]}
{"F00":1,"F10":"a","F20":1.5,"F30":3,"F40":["x"],"F50":{"y":null},"F60":true,"f69":true,"F70":1}
{"t":"2024-02-29T12:30:45Z","v":{"N":1},"pv":{"N":7},"p":{"N":7},"n":0,"l":[],"m":{}}
{"kind":"x","fields":{"a":{"stringValue":"b"}},"value":"v","seconds":5,"nanos":6,"name":"n","number":3,"json_name":"j"}
{"C":1}
{"F":null}
{"F":1,"C":null}
1 2
1,
1 x
null null
{}{}
//
/**/1
#
`

// oddInputs are what does not fit a line.
var oddInputs = []string{
	"", " ", "\n", "\t\r\n 1 \n", "\v1", "\ufeff1", "\u00a01", "1\x00", "\x00", "\xff", "\xff1",
	"[\n1\n,\t2 ]\r\n", "{\n\"a\" :\t1 }", "\"a\nb\"", "\"\x01\"", "\"\x1f\"", "\"\x7f\"", "\"\x00\"",
	"\"\xff\"", "\"a\xffb\"", "\"\xc3\"", "\"\xc3\x28\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x80\xa8\"",
	"\"\xc0\x80\"", "\"\xf0\x9f\x98\"", "\"\ufffd\"",
	"{\"\xff\":1}", "{\"a\xff\":1,\"a\":2}", "[\"\xff\",\"\xfe\"]", "{\"title\":\"\xff\",\"id\":1}",
	`"` + strings.Repeat("a", 1000) + `"`,
	`"` + strings.Repeat(`\n`, 500) + `"`,
	`"` + strings.Repeat("é", 500) + "\xff" + `"`,
	"[" + strings.Repeat("1,", 1000) + "1]",
	strings.Repeat("[", 100) + strings.Repeat("]", 100),
	strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
	strings.Repeat(`{"next":`, 50) + "null" + strings.Repeat("}", 50),
	strings.Repeat(" ", 1000) + "1" + strings.Repeat(" ", 1000),
	strings.Repeat("9", 400), "0." + strings.Repeat("3", 400), "1" + strings.Repeat("0", 308), "1" + strings.Repeat("0", 309),
	"[" + strings.Repeat("9", 400) + "]", "2.22507385850720113605740979670913197593481954635164564e-308",
	"1e" + strings.Repeat("9", 100), "-1e-" + strings.Repeat("9", 100),
}
